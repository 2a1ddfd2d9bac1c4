/** `assent why RUN`: why a run is in its state. Asks, and puts the pages together; why-sentences.ts has the words. */
import type { Explanation } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { givenJson } from './given-text.ts';
import type { Output } from './output.ts';
import { handsOf } from './process-of.ts';
import { wrapped } from './style.ts';
import { whyLines } from './why-sentences.ts';

export async function explainRun(
  client: Client,
  output: Output,
  { run: start, limit }: { readonly run: string; readonly limit: number },
): Promise<number> {
  const { run } = await findRun(client, start);
  const first = (await client.query('WHY', { run })).explanation;
  if (first === undefined) return EXIT.notFound;
  const notable = [...first.notable];
  for (let after = first.next; after !== undefined;) {
    const page: Explanation | undefined = (await client.query('WHY', { run, after })).explanation;
    notable.push(...(page?.notable ?? []));
    after = page?.next;
  }
  const { next: _, ...rest } = first;
  const explanation: Explanation = { ...rest, notable };
  const hands = await handsOf(client, explanation.run);
  output.document({ ...jsonOf(explanation), ...hands }, () => {
    const lines = whyLines(explanation, {
      hands,
      nowMs: Date.now(),
      tasksMax: limit,
    });
    // A terminal breaks words; what reads a pipe wants its lines whole.
    const { isTTY, columns } = process.stdout;
    return isTTY ? lines.flatMap((line) => wrapped(line, columns)) : lines;
  });
  return EXIT.ok;
}

/** What was given is opened, as `runs inspect` has it. */
const jsonOf = ({ run, failed, ...rest }: Explanation): object => ({
  ...rest,
  run: givenJson(run),
  failed: failed.map((one) => ({ ...one, run: givenJson(one.run) })),
});
