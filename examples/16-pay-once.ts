/**
 * A payment that is asked for twice must be made once. The answer of the bank is lost, the task is tried again, the process
 * may die in between: the idempotency key of the call is the same each time, and the bank knows it by that.
 *
 *   npx node examples/16-pay-once.ts                            (starts a bank that loses every other answer)
 *   npx node examples/16-pay-once.ts http://127.0.0.1:8080
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { flow, signal, task, taskRun } from 'assent';
import { z } from 'zod';

const receipt = z.object({ payment: z.string() });

const pay = task({ name: 'pay', retries: 5, retryDelay: '50ms', timeout: '5s' }, async (to: string, cents: number) => {
  const { idempotencyKey, attempt } = taskRun();
  const response = await fetch(`${bank}/payments`, {
    method: 'POST',
    // The same key in every attempt and after every crash. The number of the attempt is for people.
    headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
    body: JSON.stringify({ to, cents, note: `attempt ${String(attempt)}` }),
    signal: signal(),
  });
  const { payment } = receipt.parse(await response.json());
  console.log(`${to} has ${String(cents)} cents after ${String(attempt)} attempts: ${payment}`);
  return payment;
});

export const paySalaries = flow(
  { name: 'pay-salaries', parameters: z.object({ salaries: z.record(z.string(), z.int().positive()) }) },
  async ({ salaries }) => {
    const payments: string[] = [];
    for (const [to, cents] of Object.entries(salaries)) payments.push(await pay(to, cents));
    return payments;
  },
);

let bank = process.argv[2] ?? '';

/** Pays, and remembers by the key what it has paid; every other answer gets lost on the way. */
async function startBank(): Promise<Server> {
  const paid = new Map<string, string>();
  let asked = 0;
  const server = createServer((request, response) => {
    const key = String(request.headers['idempotency-key']);
    const payment = paid.get(key) ?? `payment ${String(paid.size + 1)}`;
    console.log(paid.has(key) ? `BANK: ${payment} again, nothing to do` : `BANK: ${payment} is made`);
    paid.set(key, payment);
    asked += 1;
    if (asked % 2 === 1) request.socket.destroy();
    else response.end(JSON.stringify({ payment }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === import.meta.filename) {
  const server = bank === '' ? await startBank() : undefined;
  if (server !== undefined) bank = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  console.log(await paySalaries({ salaries: { Ada: 500_000, Grace: 520_000, Barbara: 510_000 } }));
  server?.close();
}
