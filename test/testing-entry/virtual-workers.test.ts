/** Tasks in workers, in virtual time: they are executed as by a worker that serves them. And tasks in threads. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { flow, task, taskRun, threads, workers } from '../../sdk/index.ts';
import { runInVirtualTime } from '../testing/index.ts';

const HOUR_MS = 3_600_000;

test('the calls of tasks in workers are done by what is served, with their retries and delays', async () => {
  const crunch = task({ name: 'crunch', retries: 2, retryDelay: '6h' }, async (n: number) => {
    if (taskRun().attempt < 3) throw new Error('not yet');
    await pause(HOUR_MS);
    return n * n;
  });
  const spread = flow({ name: 'spread', taskRunner: workers() }, () => crunch.map([1, 2, 3]).results());
  const run = await runInVirtualTime(spread, undefined, { serves: [crunch] });
  expect(run.value()).toEqual([1, 4, 9]);
  expect(run.tookMs).toBe(13 * HOUR_MS);
});

test('a task that is started and not awaited runs beside the flow; a hook of one that is cancelled before is called', async () => {
  const heard: string[] = [];
  const beside = task({ name: 'beside', onCancellation: ({ state }) => heard.push(state.type) }, async (ms: number) => {
    await pause(ms);
    return ms;
  });
  const starter = flow({ name: 'starter' }, async () => {
    const run = await beside.delay(HOUR_MS);
    return run.result();
  });
  expect((await runInVirtualTime(starter, undefined, { serves: [beside] })).value()).toBe(HOUR_MS);
  const bounded = beside.with({ limits: ['closed'] });
  const impatient = flow({ name: 'impatient' }, async () => {
    const run = await bounded.delay(HOUR_MS);
    await pause(1000);
    await run.cancel('it takes too long');
    return run.result().catch((error: unknown) => (error as { kind?: string }).kind);
  });
  const run = await runInVirtualTime(impatient, undefined, { serves: [bounded], limits: { closed: 0 } });
  expect(run.value()).toBe('CANCELLED');
  expect(heard).toEqual(['CANCELLED']);
});

test('what nobody serves is never done, and the flow says what it waits for', async () => {
  const lonely = task({ name: 'lonely', runner: workers() }, () => 1);
  const waiting = flow({ name: 'waiting' }, () => lonely());
  const run = await runInVirtualTime(waiting, undefined, { until: '1d' });
  expect(run.outcome).toBe('unfinished');
});

test('tasks in threads run beside their flow, in its time', async () => {
  const slow = task({ name: 'slow' }, async (hours: number) => {
    await pause(hours * HOUR_MS);
    return hours;
  });
  const threaded = flow({ name: 'threaded', taskRunner: threads({ maxThreads: 2 }) }, () =>
    slow.map([1, 2, 3]).results(),
  );
  const run = await runInVirtualTime(threaded);
  expect(run.value()).toEqual([1, 2, 3]);
  expect(run.tookMs).toBe(4 * HOUR_MS);
});
