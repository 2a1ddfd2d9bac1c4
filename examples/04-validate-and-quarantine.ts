/**
 * Bad rows should not stop a pipeline, and should not vanish either: each line of a file of orders is checked, the
 * malformed ones are set aside with the reason, and the rest is summed up. Too many of them, and the flow fails.
 *
 *   npx assent run examples/04-validate-and-quarantine.ts
 *   npx node examples/04-validate-and-quarantine.ts examples/data/orders.jsonl
 */
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flow, runLogger, task } from 'assent';
import { z } from 'zod';

const orderSchema = z.strictObject({
  id: z.string().regex(/^A-\d+$/, 'expected A- and a number'),
  placed: z.iso.date(),
  cents: z.int().positive(),
});
/** A line of JSON that is an order. */
const lineSchema = z
  .string()
  .transform((text, problems): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      problems.addIssue('not JSON');
      return z.NEVER;
    }
  })
  .pipe(orderSchema);
type Order = z.infer<typeof orderSchema>;
type Malformed = { readonly line: number; readonly reasons: readonly string[]; readonly text: string };

const readLines = task({ name: 'read-lines' }, async (file: string) =>
  (await readFile(file, 'utf8')).trim().split('\n'),
);

const validate = task({ name: 'validate' }, (lines: readonly string[]) => {
  const orders: Order[] = [];
  const malformed: Malformed[] = [];
  lines.forEach((text, index) => {
    const parsed = lineSchema.safeParse(text);
    if (parsed.success) orders.push(parsed.data);
    else malformed.push({ line: index + 1, reasons: parsed.error.issues.map(reasonOf), text });
  });
  return { orders, malformed };
});

const quarantine = task({ name: 'quarantine' }, async (file: string, malformed: readonly Malformed[]) => {
  // These lines can be read with `assent runs logs`, and are on the screen if somebody looks.
  for (const { line, reasons } of malformed) runLogger().warn({ line, reasons }, 'set aside');
  await writeFile(file, malformed.map((each) => `${JSON.stringify(each)}\n`).join(''));
});

export const importOrders = flow(
  {
    name: 'import-orders',
    parameters: z.object({
      file: z.string().default('examples/data/orders.jsonl'),
      quarantineFile: z.string().default(join(tmpdir(), 'quarantined-orders.jsonl')),
      malformedShareMax: z.number().min(0).max(1).default(0.5),
    }),
  },
  async ({ file, quarantineFile, malformedShareMax }) => {
    const lines = await readLines(file);
    const { orders, malformed } = await validate(lines);
    await quarantine(quarantineFile, malformed);
    if (malformed.length > lines.length * malformedShareMax) {
      throw new Error(
        `${String(malformed.length)} of ${String(lines.length)} lines are malformed, see ${quarantineFile}`,
      );
    }
    const cents = orders.reduce((sum, order) => sum + order.cents, 0);
    return { orders: orders.length, cents, malformed: malformed.length, quarantineFile };
  },
);

const reasonOf = ({ path, message }: z.core.$ZodIssue): string => [...path.map(String), message].join(': ');

if (process.argv[1] === import.meta.filename) {
  const file = process.argv[2];
  console.log(await importOrders(file === undefined ? {} : { file }));
}
