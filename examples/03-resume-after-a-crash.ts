/**
 * A flow that survives the death of its process. It sends eight invoices, one after the other. Kill it in the middle
 * (Ctrl-C, or `kill -9`), then run the same command again: it goes on where it was, and what was sent is not sent again.
 *
 *   npx node examples/03-resume-after-a-crash.ts
 */
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, flowRun, task, taskRun } from 'assent';
import { z } from 'zod';

const CUSTOMERS = ['Ada', 'Barbara', 'Edsger', 'Frances', 'Grace', 'Ken', 'Margaret', 'Tony'];

const sendInvoice = task({ name: 'send-invoice', retries: 2 }, async (customer: string, outbox: string) => {
  await pause(400);
  // A task that was cut off in the middle runs again, and nobody can know how far it came. An outside system tells the
  // second time from the first by this key: it is the same in every attempt, also after a crash.
  const { idempotencyKey } = taskRun();
  await appendFile(outbox, `${customer} ${idempotencyKey}\n`);
  console.log(`${customer}'s invoice is sent.`);
});

export const sendInvoices = flow(
  { name: 'send-invoices', parameters: z.object({ outbox: z.string().default(join(tmpdir(), 'outbox.txt')) }) },
  async ({ outbox }) => {
    const { id, attempt } = flowRun();
    console.log(attempt === 1 ? `Run ${id} begins.` : `Run ${id} goes on, attempt ${String(attempt)}.`);
    for (const customer of CUSTOMERS) await sendInvoice(customer, outbox);
    return CUSTOMERS.length;
  },
);

if (process.argv[1] === import.meta.filename) {
  const outbox = process.argv[2];
  console.log(await sendInvoices(outbox === undefined ? {} : { outbox }), 'invoices are sent.');
}
