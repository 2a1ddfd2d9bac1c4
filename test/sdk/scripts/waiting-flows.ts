/** Flows that wait, for processes that are killed meanwhile. What they do they note in a file, once for each time. */
import { appendFileSync } from 'node:fs';
import { z } from 'zod';
import { flow, flowRun, pause, receive, send, sleep, task, waitForEvent } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';

/** When it has completed, what was called before it is recorded too: it was asked for before. */
export const note = task({ name: 'note', await: 'ruling' }, (text: string) => {
  appendFileSync(effects, `${text}\n`);
});

const sign = task({ name: 'sign', await: 'ruling' }, (text: string) => {
  appendFileSync(effects, `${text} ${String(process.pid)}\n`);
});

export const nap = flow({ name: 'nap' }, async () => {
  const slept = sleep('3s');
  await note('asleep');
  console.log(`ASLEEP ${String(Date.now())}`);
  await slept;
  await note('awake');
  return Date.now();
});

export const approval = flow({ name: 'approval' }, async () => {
  await note('asked');
  console.log(`RUN ${flowRun().id}`);
  const { by } = await pause({ key: 'approval', input: z.object({ by: z.string() }) });
  await note('answered');
  return by;
});

/** Notes by whom: it is to be several. */
export const trial = flow({ name: 'trial', suspendAfter: '200ms' }, async () => {
  await sign('begun');
  await sleep('2s');
  await sign('over');
  return 'over';
});

const ROUNDS = 5;

export const ping = flow({ name: 'ping' }, async () => {
  console.log(`RUN ${flowRun().id}`);
  const other = String(await receive('hello'));
  const heard: unknown[] = [];
  for (let n = 0; n < ROUNDS; n += 1) {
    await send(other, 'ping', n);
    heard.push(await receive('pong'));
  }
  return heard.join(' ');
});

export const pong = flow({ name: 'pong' }, async ({ other }: { other: string }) => {
  await send(other, 'hello', flowRun().id);
  for (let n = 0; n < ROUNDS; n += 1) {
    const heard = String(await receive('ping'));
    await send(other, 'pong', `${heard}!`);
    // So that there is something left to do for whoever goes on with it.
    if (process.env['DIE_AT'] === heard) process.kill(process.pid, 'SIGKILL');
  }
  return 'played';
});

export const listens = flow({ name: 'listens' }, async ({ who }: { who: string }) => {
  const launch = waitForEvent('launch', { schema: z.object({ at: z.date() }) });
  await note(`${who} listens`);
  console.log('LISTENING');
  return (await launch).at.getFullYear();
});
