/** How a worker lets go of what only waits, and another goes on with it: in memory, with the real arbiter and rules. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { State } from '../../protocol/states.ts';
import { useClient } from '../../sdk/client/connect.ts';
import {
  emitEvent,
  flow,
  receive,
  sleep,
  startRun,
  suspend,
  task,
  transaction,
  waitForEvent,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { Said, sleepOf, turn, workersOf, type Workers } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let said: Said;
let workers: Workers;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  said = new Said(workspace);
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  workers.stop();
  useClient(undefined);
  await workspace.stop();
});

const kindOf = (error: unknown): unknown => (error as { kind?: unknown }).kind;
function work(...flows: readonly unknown[]): void {
  workers = workersOf(workspace, ...flows);
}

describe('a worker lets go of a run that', () => {
  test('sleeps for longer than it may, and another goes on with it', async () => {
    let executions = 0;
    const effects: string[] = [];
    const step = task({ name: 'step' }, (name: string) => effects.push(name));
    const naps = flow({ name: 'naps', suspendAfter: 20 }, async () => {
      executions += 1;
      await step('before');
      await sleep(150);
      await step('after');
      return executions;
    });
    work(naps);
    const run = await startRun(naps);
    const state = await said.until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Sleeping', suspended: true });
    expect(await run.result()).toBe(2);
    const { dueMs, overMs } = await sleepOf(said);
    expect(dueMs).toHaveLength(1);
    expect(overMs).toBeGreaterThanOrEqual(dueMs[0] ?? Infinity);
    expect(effects).toEqual(['before', 'after']);
    expect(workers.ends).toEqual(['Suspended', 'done']);
  });

  test('waits for a message, and hears of it', async () => {
    const reads = flow({ name: 'reads', suspendAfter: 10 }, () => receive('go', { timeout: '3d' }));
    work(reads);
    const run = await startRun(reads);
    const state = await said.until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Waiting', wakeOn: [`${run.id} message:go`] });
    await run.send('go', 'on');
    expect(await run.result()).toBe('on');
  });

  test('waits for an event, which is kept for it', async () => {
    const hears = flow({ name: 'hears', suspendAfter: 10 }, () => waitForEvent('paid', { key: '7' }));
    work(hears);
    const run = await startRun(hears);
    await said.until(() => run.id, 'PAUSED');
    await emitEvent('paid', 'cash', { key: '7' });
    expect(await run.result()).toBe('cash');
  });

  test('waits in flows within it, and for the first of several things', async () => {
    const inner = flow({ name: 'inner' }, async () => {
      await sleep('2d');
    });
    const outer = flow({ name: 'outer', suspendAfter: 10 }, () =>
      Promise.race([inner(), receive('go'), sleep(100).then(() => 'slept')]),
    );
    work(outer);
    const run = await startRun(outer);
    const state = await said.until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Waiting', wakeOn: [`${run.id} message:go`] });
    const [longer, shorter] = (await said.moves('sleep')).flatMap(({ to }) =>
      to.type === 'SCHEDULED' ? [to.dueAtMs] : [],
    );
    expect(state).toMatchObject({ wakeAtMs: Math.min(longer ?? 0, shorter ?? 0) });
    expect(await run.result()).toBe('slept');
  });

  test('gives up waiting at the time that it said at first', async () => {
    const reads = flow({ name: 'reads', suspendAfter: 10 }, () => receive('go', { timeout: 100 }));
    work(reads);
    const run = await startRun(reads);
    const state = await said.until(() => run.id, 'PAUSED');
    expect(await run.result().catch(kindOf)).toBe('TIMED_OUT');
    expect(workers.ends).toEqual(['Suspended', 'AssentError']);
    const ended = (await said.about('receive')).find(({ state: end }) => end?.name === 'TimedOut');
    expect(ended?.atMs).toBeGreaterThanOrEqual(state.type === 'PAUSED' ? (state.wakeAtMs ?? Infinity) : Infinity);
  });

  test('waits no longer because something came that does not fit, and warns of it once', async () => {
    const reads = flow({ name: 'reads', suspendAfter: 10 }, () => receive('go', { schema: z.number(), timeout: 2000 }));
    work(reads);
    const run = await startRun(reads);
    const deadlineOf = (state: State): number => (state.type === 'PAUSED' ? (state.wakeAtMs ?? 0) : 0);
    const first = deadlineOf(await said.until(() => run.id, 'PAUSED'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    await run.send('go', 'no number');
    while ((await said.pauses(run.id)) < 2) await turn();
    expect(deadlineOf(await said.until(() => run.id, 'PAUSED')) - first).toBeLessThan(100);
    await run.send('go', 'no number either');
    while ((await said.pauses(run.id)) < 3) await turn();
    await run.send('go', 7);
    expect(await run.result()).toBe(7);
    const warned = workers.logged().filter((line) => line.includes('does not fit'));
    // Once for each; one whose process let go before it could say so is not said.
    expect(warned.length).toBeGreaterThan(0);
    expect(warned.length).toBeLessThanOrEqual(2);
  });

  test('is not let go of while anything is at work, or waits for less', async () => {
    const slow = task({ name: 'slow' }, () => new Promise((resolve) => setTimeout(resolve, 60)));
    const busy = flow({ name: 'busy', suspendAfter: 20 }, async () => {
      await Promise.all([sleep(65), slow()]);
      return 'one process';
    });
    work(busy);
    const run = await startRun(busy);
    expect(await run.result()).toBe('one process');
    expect(workers.ends).toEqual(['done']);
  });

  test('is not let go of while it waits for another run’s end, which nobody would wake it for', async () => {
    const long = flow({ name: 'long' }, () => new Promise((resolve) => setTimeout(resolve, 80, 'long')));
    const both = flow({ name: 'both', suspendAfter: 10 }, async () => {
      const other = await startRun(long);
      return Promise.race([receive('never'), other.result()]);
    });
    work(both, long);
    const run = await startRun(both);
    expect(await run.result()).toBe('long');
  });

  test('is not let go of before it has heard what is recorded of its calls', async () => {
    const step = task({ name: 'step' }, () => 'done');
    const reads = flow({ name: 'reads', strict: true, suspendAfter: 10 }, async () => {
      void receive('never');
      const [done] = await Promise.all([step(), sleep(60)]);
      return done;
    });
    work(reads);
    const run = await startRun(reads);
    await said.until(() => run.id, 'PAUSED');
    const connect = workspace.connect.bind(workspace);
    workspace.connect = async () => {
      const connected = await connect();
      const deliver = connected.link.deliver.bind(connected.link);
      connected.link.deliver = (session, message) => setTimeout(deliver, 40, session, message);
      return connected;
    };
    expect(await run.result()).toBe('done');
  });

  test('is strict, and makes the same calls again', async () => {
    const step = task({ name: 'step' }, (n: number) => n);
    const naps = flow({ name: 'naps', strict: true, suspendAfter: 10 }, async () => {
      const heard = receive('go', { schema: z.number() });
      await Promise.all([sleep(60), sleep(90).then(() => step(1))]);
      return [await step(2), await heard];
    });
    work(naps);
    const run = await startRun(naps);
    await said.until(() => run.id, 'PAUSED');
    await run.send('go', 'no number');
    await run.send('go', 3);
    expect(await run.result()).toEqual([2, 3]);
    // On a busy machine the second sleep may be over when the first is.
    expect(workers.ends.length).toBeGreaterThanOrEqual(2);
  });

  test('has tried again what it does, and sleeps no second time', async () => {
    const kinds: unknown[] = [];
    const fails = flow({ name: 'fails', retries: 1, suspendAfter: 10 }, async () => {
      await sleep(50);
      await receive('go', { timeout: 40 }).catch((error: unknown) => kinds.push(kindOf(error)));
      throw new Error('once more');
    });
    work(fails);
    const run = await startRun(fails);
    expect(await run.result().catch((error: unknown) => (error as Error).message)).toBe('once more');
    expect(kinds).toEqual(['TIMED_OUT', 'TIMED_OUT']);
    expect((await said.moves('sleep')).filter(({ to }) => to.type === 'COMPLETED')).toHaveLength(1);
    const untils = (await said.moves('receive')).map(({ atMs }) => atMs);
    // Each attempt of the flow waits anew for what did not come in time.
    expect(untils).toHaveLength(2);
  });

  test('is not let go of in a transaction, and cannot be', async () => {
    const inside = flow({ name: 'inside', suspendAfter: 10 }, () =>
      transaction('block', async () => {
        await sleep(80);
        return 'kept';
      }),
    );
    const asks = flow({ name: 'asks' }, () => transaction('block', () => suspend()));
    work(inside, asks);
    expect(await (await startRun(inside)).result()).toBe('kept');
    expect(workers.ends).toEqual(['done']);
    expect(await (await startRun(asks)).result().catch(kindOf)).toBe('NO_WORKER');
  });

  test('is cancelled at once', async () => {
    const sleeps = flow({ name: 'sleeps', suspendAfter: 10 }, () => sleep('3d'));
    work(sleeps);
    const run = await startRun(sleeps);
    await said.until(() => run.id, 'PAUSED');
    await run.cancel();
    expect(await run.result().catch(kindOf)).toBe('CANCELLED');
  });
});

test('a worker lets go of a run whose last hook has ended late', async () => {
  const hook = Promise.withResolvers<undefined>();
  const step = task({ name: 'step', onCompletion: () => hook.promise }, () => 1);
  const naps = flow({ name: 'naps', suspendAfter: 20 }, async () => {
    await step();
    await sleep(1500);
  });
  work(naps);
  const run = await startRun(naps);
  await new Promise((resolve) => setTimeout(resolve, 100));
  hook.resolve(undefined);
  expect(await said.until(() => run.id, 'PAUSED')).toMatchObject({ name: 'Sleeping' });
  await run.result();
});

describe('suspend', () => {
  const input = z.object({ paid: z.boolean() });

  test('lets go of the process as soon as nothing is at work, until somebody resumes it', async () => {
    const effects: string[] = [];
    const slow = task({ name: 'slow' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      effects.push('slow');
    });
    const order = flow({ name: 'order' }, async () => {
      const [{ paid }] = await Promise.all([suspend({ key: 'payment', input, timeout: '14d' }), slow()]);
      return paid;
    });
    work(order);
    const run = await startRun(order);
    const state = await said.until(() => run.id, 'PAUSED');
    expect(effects).toEqual(['slow']);
    expect(state).toMatchObject({ name: 'Suspended', suspended: true, key: 'payment' });
    await expect(run.resume({ paid: 'no' })).rejects.toMatchObject({ kind: 'INPUT_REFUSED' });
    await run.resume({ paid: true });
    expect(await run.result()).toBe(true);
    expect([effects, workers.ends]).toEqual([['slow'], ['Suspended', 'done']]);
  });

  test('twice, once in a flow within it, and woken by something else in between', async () => {
    const inner = flow({ name: 'inner' }, () => suspend());
    const order = flow({ name: 'order' }, async () => {
      const note = receive('note');
      const first = await suspend();
      return [first, await inner(), await note];
    });
    work(order);
    const run = await startRun(order);
    const first = await said.until(() => run.id, 'PAUSED');
    await run.send('note', 'hello');
    for (let state = first; state.type !== 'PAUSED' || state.wakeOn?.length !== 1;) {
      state = await said.until(() => run.id, 'PAUSED');
    }
    await run.resume(1);
    let next = first;
    while (next.type !== 'PAUSED' || next.key === '1') next = await said.until(() => run.id, 'PAUSED');
    expect(next.key).toMatch(/^1 @[0-9a-f]{8}$/);
    await run.resume(2);
    expect(await run.result()).toEqual([1, 2, 'hello']);
  });

  test('leaves a sleep beside it its time, and lets it end', async () => {
    const asks = flow({ name: 'asks' }, () =>
      Promise.race([sleep(80).then(() => 'reminded'), sleep('1d'), suspend({ key: 'answer' })]),
    );
    work(asks);
    const run = await startRun(asks);
    expect(await run.result()).toBe('reminded');
    expect(workers.ends.length).toBeLessThan(5);
    expect(await said.pauses(run.id)).toBeLessThan(5);
  });

  test('in a script is refused', async () => {
    const scripted = flow({ name: 'scripted' }, () => suspend());
    expect(await scripted().catch(kindOf)).toBe('NO_WORKER');
  });
});
