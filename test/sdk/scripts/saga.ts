/**
 * A plain script: a transaction of three bookings, one of them in a transaction of its own, that fails at its end when FAILS
 * says so. DIE_AT names where the process ends as `kill -9` does: before something, or `after` it, when the outside world
 * has it and the ledger not yet.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { flow, flowRun, task, taskRun, transaction, type CompletedCall } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';
const fails = process.env['FAILS'] === '1';

/** Dies there, the first time. */
function maybeDie(where: string): void {
  if (process.env['DIE_AT'] !== where || existsSync('died')) return;
  writeFileSync('died', where);
  process.kill(process.pid, 'SIGKILL');
}

/** An outside system: it is told the key, by which it can tell a repetition. */
function tell(what: string, key: string): void {
  maybeDie(what);
  appendFileSync(effects, `${what} ${key}\n`);
  maybeDie(`after ${what}`);
}

const book = task(
  {
    name: 'book',
    onCommit: ({ result, idempotencyKey }: CompletedCall) => {
      tell(`keep-${String(result)}`, idempotencyKey);
    },
    onRollback: async ({ result, idempotencyKey }: CompletedCall) => {
      await Promise.resolve();
      tell(`undo-${String(result)}`, idempotencyKey);
    },
  },
  (what: string) => {
    tell(`book-${what}`, taskRun().idempotencyKey);
    return what;
  },
);

const trip = flow({ name: 'trip' }, async () => {
  const booked = await transaction('trip', async () => {
    const flight = await book('flight');
    const hotel = await transaction('stay', () => book('hotel'));
    const car = await book('car');
    if (fails) throw new RangeError('no money left');
    return [flight, hotel, car];
  });
  return `${booked.join(' ')}, attempt ${String(flowRun().attempt)}`;
});

console.log(await trip().catch(String));
