/** A plain script whose flow has slow hooks, and is waited for by nobody. With DIES it ends in the middle, as `kill -9` does. */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, task, type HookContext } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';

const tell = async ({ name, state }: HookContext): Promise<void> => {
  await pause(200);
  appendFileSync(effects, `${name} ${state.name}\n`);
};
const on = { onCompletion: tell, onFailure: tell, onCrashed: tell };

const work = task({ name: 'work', ...on }, () => {
  if (process.env['DIES'] === '1') process.kill(process.pid, 'SIGKILL');
});
const nightly = flow({ name: 'nightly', ...on }, async () => {
  await work();
  throw new Error('no');
});

nightly().catch(() => undefined);
