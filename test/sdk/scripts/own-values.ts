/** A flow whose parameters are not recorded: resumed by the script that has them, and run by a worker that has not. */
import type { Secret } from 'assent';
import { AssentError, flow, secret, serve, startRun, task } from 'assent';

type Parameters = { readonly card: { readonly number: string | Secret }; readonly key: Secret };

const once = task({ name: 'once' }, () => 'once');
const kindOf = (act: () => string): string => {
  try {
    return act();
  } catch (error) {
    return error instanceof AssentError ? error.kind : 'another error';
  }
};

const pay = flow({ name: 'pay', redact: ['card.number'] }, async ({ card: { number }, key }: Parameters) => {
  console.log('begins');
  const done = await once();
  if (process.env['AS_WORKER'] !== undefined) {
    return [number, key].map((one) => kindOf(() => (one as Secret).reveal())).join(' ');
  }
  // A completion is proposed together with what comes next, so it needs a call after it to be on the ledger.
  await once();
  if (process.env['DIE'] !== undefined) process.kill(process.pid, 'SIGKILL');
  return `${number as string} ${key.reveal()} ${done}`;
});

const parameters: Parameters = {
  card: { number: process.env['CARD'] ?? '' },
  key: secret.literal(process.env['KEY_LITERAL'] ?? ''),
};
if (process.env['AS_WORKER'] === undefined) console.log(await pay(parameters));
else {
  const worker = await serve([pay]);
  const run = await startRun(pay, parameters);
  console.log(await run.result());
  await worker.stop();
}
