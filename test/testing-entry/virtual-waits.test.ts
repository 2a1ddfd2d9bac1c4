/** Waits in virtual time: what takes days in truth takes milliseconds here, with and without a worker. */
import { describe, expect, test } from 'vitest';
import { flow, pause, receive, resumeRun, send, sleep, sleepUntil, startRun, suspend, task } from '../../sdk/index.ts';
import { runInVirtualTime } from '../testing/index.ts';

const DAY_MS = 86_400_000;

test('a flow and a task that sleep for days cost no time', async () => {
  const nap = task({ name: 'nap' }, () => sleep('60d'));
  const naps = flow({ name: 'naps' }, async () => {
    await sleep('3d');
    await nap();
    await sleepUntil(new Date('2026-03-10T00:00:00Z'));
    return 'awake';
  });
  const run = await runInVirtualTime(naps);
  expect([run.value(), run.tookMs]).toEqual(['awake', 68 * DAY_MS]);
});

test('a worker lets go of a flow that sleeps, and it goes on to the moment', async () => {
  let executions = 0;
  const trial = flow({ name: 'trial' }, async () => {
    executions += 1;
    await sleep('14d');
    return executions;
  });
  const main = flow({ name: 'main' }, async () => (await startRun(trial)).result());
  const run = await runInVirtualTime(main, undefined, { serves: [trial] });
  expect([run.value(), run.tookMs]).toEqual([2, 14 * DAY_MS]);
});

describe('what waits for somebody', () => {
  test('hears of them when they come, and gives up when they do not', async () => {
    const reads = flow({ name: 'reads' }, async () => [
      await receive('note', { timeout: '5d' }),
      await receive('note', { timeout: '5d' }).catch((error: unknown) => (error as { kind: string }).kind),
    ]);
    const run = await runInVirtualTime(reads, undefined, {
      meanwhile: async (world) => {
        await world.sleep('2d');
        await send(world.runId() ?? '', 'note', 'hello');
      },
    });
    expect([run.value(), run.tookMs]).toEqual([['hello', 'TIMED_OUT'], 7 * DAY_MS]);
  });

  test('is paused until it is resumed', async () => {
    const asks = flow({ name: 'asks' }, () => pause({ timeout: '3d' }));
    const run = await runInVirtualTime(asks, undefined, {
      meanwhile: async (world) => {
        await world.sleep('2d');
        await resumeRun(world.runId() ?? '', 'yes');
      },
    });
    expect([run.value(), run.tookMs]).toEqual(['yes', 2 * DAY_MS]);
  });

  test('fails when its time is over, suspended or not', async () => {
    const asks = flow({ name: 'asks' }, () => pause({ timeout: '3d' }));
    const suspends = flow({ name: 'suspends' }, () => suspend({ timeout: '4d' }));
    const main = flow({ name: 'main' }, async () => (await startRun(suspends)).result());
    const paused = await runInVirtualTime(asks);
    expect([paused.state?.type, paused.tookMs]).toEqual(['FAILED', 3 * DAY_MS]);
    const suspended = await runInVirtualTime(main, undefined, { serves: [suspends] });
    expect(suspended.error).toMatchObject({ detail: expect.stringContaining('suspended and never resumed') as string });
    expect(suspended.tookMs).toBe(4 * DAY_MS);
  });
});
