/** A flow for the tests of retries: what it does is written into the file that EFFECTS names. */
import { appendFileSync } from 'node:fs';
import { flow, serve, startRun, task } from 'assent';

const done = (effect: string): void => {
  appendFileSync(process.env['EFFECTS'] ?? '', `${effect}\n`);
};
const reserve = task({ name: 'reserve' }, (item: string) => {
  done(`reserve ${item}`);
  return `reservation of ${item}`;
});
let failures = process.env['FAIL'] === 'once' ? 1 : process.env['FAIL'] === 'yes' ? 1000 : 0;
const charge = task({ name: 'charge' }, (reservation: string, amount: number) => {
  failures -= 1;
  done(`charge ${String(amount)}`);
  if (failures >= 0) throw new Error('the card is declined');
  return `${reservation}, paid ${String(amount)}`;
});
const ship = task({ name: 'ship' }, (paid: string) => {
  done('ship');
  return paid;
});

/** Its key stands for one amount. */
const bill = task({ name: 'bill', key: 'the bill' }, (amount: number) => {
  done(`bill ${String(amount)}`);
  return amount;
});
const amount = (): number => Number(process.env['AMOUNT'] ?? 7);

export const billing = flow({ name: 'billing' }, async () => {
  await bill(amount());
  return charge('no reservation', 0);
});

export const order = flow({ name: 'order' }, async () => {
  const reservation = await reserve('book');
  return ship(await charge(reservation, amount()));
});

if (process.env['SERVE'] === 'yes') {
  const worker = await serve([order]);
  const run = await startRun(order, undefined);
  console.log(`started ${run.id}.`);
  process.once('SIGTERM', () => void worker.stop());
}
