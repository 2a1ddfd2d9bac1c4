/** Sleeps, messages, events, pauses and suspensions against the real arbiter and the real rules, in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import type { Client } from '../../sdk/client/client.ts';
import {
  cancelRun,
  emitEvent,
  flow,
  flowRun,
  pause,
  receive,
  resumeRun,
  send,
  sleep,
  sleepUntil,
  task,
  transaction,
  waitForEvent,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let client: Client;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  ({ client } = await workspace.connect());
  useClient(client);
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3));
const kindOf = (error: unknown): unknown => (error as { kind?: unknown }).kind;
const stateOf = async (run: string) => (await client.runView(run as RunId))?.state;
/** The ledger says so: no clock is asked. */
async function until(run: () => string, type: string): Promise<void> {
  while (run() === '' || (await stateOf(run()))?.type !== type) await turn();
}
const ruledFor = async (name: string) =>
  (await workspace.rulings()).filter(
    ({ proposal }) => proposal.kind !== 'workspace' && proposal.run.includes(`.${name}-`),
  );

describe('a sleep', () => {
  test('is a task run that is due later, and completes then', async () => {
    const nap = flow({ name: 'nap' }, async () => {
      const before = Date.now();
      await sleep(40);
      return Date.now() - before;
    });
    expect(await nap()).toBeGreaterThanOrEqual(39);
    // On a machine that is late, its start need not be held.
    const moved = (await ruledFor('sleep')).filter(({ outcome }) => outcome !== 'held');
    const names = moved.map(({ proposal }) => 'to' in proposal && proposal.to.name);
    expect(names).toEqual(['Sleeping', 'Running', 'Completed']);
  });

  test('until a time that is over is none', async () => {
    expect(await flow({ name: 'late' }, () => sleepUntil(new Date(0)).then(() => 'awake'))()).toBe('awake');
  });

  test('ends at once when its flow run is cancelled', async () => {
    let run = '';
    const long = flow({ name: 'long' }, async () => {
      run = flowRun().id;
      await sleep('3d');
    });
    const outcome = long().catch(kindOf);
    await until(() => run, 'RUNNING');
    await cancelRun(run);
    expect(await outcome).toBe('CANCELLED');
  });

  test('that nobody waits for ends with the flow', async () => {
    const hasty = flow({ name: 'hasty' }, () => {
      void sleep('3d');
      void receive('note');
      return 'done';
    });
    expect(await hasty()).toBe('done');
    await turn();
  });

  test('in a task is a timer that the time-out of the task ends', async () => {
    const doze = task({ name: 'doze', timeout: 30 }, () => sleep('3d'));
    expect(await flow({ name: 'dozes' }, () => doze())().catch(kindOf)).toBe('TIMED_OUT');
    await sleep(1);
  });

  test('of no duration is refused', () => {
    expect(() => sleep('soon' as '1s')).toThrow(/'soon' is no duration/);
    expect(() => sleepUntil('now' as unknown as Date)).toThrow(/no date/);
  });
});

describe('a message', () => {
  test('that was sent before is received; each once, the oldest first', async () => {
    const reader = flow({ name: 'reader' }, async () => {
      const { id } = flowRun();
      await send(id, 'note', 1);
      await send(id, 'note', { two: new Date(2) });
      return [await receive('note'), await receive('note')];
    });
    expect(await reader()).toEqual([1, { two: new Date(2) }]);
  });

  test('that does not fit is left out, and the next one is waited for', async () => {
    const reader = flow({ name: 'reader' }, async () => {
      const { id } = flowRun();
      await send(id, 'count', 'many');
      await send(id, 'count', '7');
      return receive('count', { schema: z.coerce.number() });
    });
    expect(await reader()).toBe(7);
  });

  test('that does not come in time is TIMED_OUT', async () => {
    const reader = flow({ name: 'reader' }, () => receive('note', { timeout: 30 }));
    const error: unknown = await reader().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'TIMED_OUT', detail: "The message 'note' did not come in time." });
  });

  test('to nobody is refused, in a flow and elsewhere', async () => {
    const writer = flow({ name: 'writer' }, () => send('aaaaaaaaaaaaaaaa', 'note'));
    expect(await writer().catch(kindOf)).toBe('RUN_NOT_FOUND');
    const odd = flow({ name: 'odd' }, () => send('self', 'note'));
    await expect(odd()).rejects.toThrow("send: 'self' is no run's id. [2006 RUN_NOT_FOUND]");
    expect(await send('aaaaaaaaaaaaaaaa', 'note').catch(kindOf)).toBe('RUN_NOT_FOUND');
  });

  test('is received by a flow alone', async () => {
    const reads = task({ name: 'reads' }, () => receive('note'));
    expect(await flow({ name: 'f' }, () => reads())().catch(kindOf)).toBe('OUTSIDE_FLOW');
    expect(await receive('note').catch(kindOf)).toBe('OUTSIDE_FLOW');
  });

  test('goes to and fro between two runs', async () => {
    const pong = flow({ name: 'pong' }, async ({ from }: { from: string }) => {
      await send(from, 'hello', flowRun().id);
      for (let n = 0; n < 3; n += 1) await send(from, 'pong', `${String(await receive('ping'))}!`);
    });
    let run = '';
    const ping = flow({ name: 'ping' }, async () => {
      run = flowRun().id;
      const other = (await receive('hello')) as string;
      const heard: unknown[] = [];
      for (let n = 0; n < 3; n += 1) {
        await send(other, 'ping', n);
        heard.push(await receive('pong'));
      }
      return heard;
    });
    const outcome = ping();
    await until(() => run, 'RUNNING');
    await pong({ from: run });
    expect(await outcome).toEqual(['0!', '1!', '2!']);
  });
});

describe('an event', () => {
  test('is heard by all that wait, under its name and its key', async () => {
    const ids: string[] = [];
    const waits = flow({ name: 'waits' }, async ({ key }: { key: string }) => {
      ids.push(flowRun().id);
      return Promise.all([waitForEvent('paid'), waitForEvent('paid', { key })]);
    });
    const both = Promise.all([waits({ key: 'a' }), waits({ key: 'b' })]);
    while ((await ruledFor('wait-for-event')).length < 4) await turn();
    await emitEvent('paid', 1, { key: 'a' });
    await emitEvent('paid', 2, { key: 'b' });
    expect(await both).toEqual([
      [1, 1],
      [1, 2],
    ]);
  });
});

describe('an event that does not fit', () => {
  test('is left out, and the next one is waited for', async () => {
    const waits = flow({ name: 'waits' }, () => waitForEvent('launch', { schema: z.object({ at: z.date() }) }));
    const outcome = waits();
    while ((await ruledFor('wait-for-event')).length < 1) await turn();
    await emitEvent('launch', { at: 'soon' });
    // It listens again: held, received, held.
    while ((await ruledFor('wait-for-event')).length < 3) await turn();
    await emitEvent('launch', { at: new Date(0) });
    expect(await outcome).toEqual({ at: new Date(0) });
  });
});

describe('a pause', () => {
  const input = z.object({ approved: z.boolean() });

  test('lasts until somebody resumes it, and gives what they said', async () => {
    let run = '';
    const release = flow({ name: 'release' }, async () => {
      run = flowRun().id;
      const { approved } = await pause({ key: 'approval', input, message: 'may it go out?' });
      return approved;
    });
    const outcome = release();
    await until(() => run, 'PAUSED');
    const state = await stateOf(run);
    expect(state).toMatchObject({ name: 'Paused', key: 'approval', message: 'may it go out?' });
    await expect(resumeRun(run, { approved: 'yes' })).rejects.toMatchObject({ kind: 'INPUT_REFUSED' });
    await resumeRun(run, { approved: true });
    expect(await outcome).toBe(true);
  });

  test('comes again when what was said does not fit, and says why', async () => {
    let run = '';
    const release = flow({ name: 'release' }, async () => {
      run = flowRun().id;
      return pause({ input: z.number().refine((n) => n % 2 === 0, 'must be even') });
    });
    const outcome = release();
    await until(() => run, 'PAUSED');
    await resumeRun(run, 7);
    while (!((await stateOf(run))?.message ?? '').includes('must be even')) await turn();
    await resumeRun(run, 8);
    expect(await outcome).toBe(8);
  });

  test('goes on without a word where none is asked for, one after the other', async () => {
    let run = '';
    const keys: unknown[] = [];
    const twice = flow({ name: 'twice' }, async () => {
      run = flowRun().id;
      return Promise.all([pause(), pause(), pause({ key: 'k' }), pause({ key: 'k' })]);
    });
    const outcome = twice();
    for (let n = 0; n < 4; n += 1) {
      await until(() => run, 'PAUSED');
      const state = await stateOf(run);
      keys.push(state?.type === 'PAUSED' ? state.key : undefined);
      await resumeRun(run, n);
    }
    expect(await outcome).toEqual([0, 1, 2, 3]);
    expect(keys).toEqual(['1', '2', 'k', 'k (2)']);
  });

  test('of which the time is over fails the run', async () => {
    const forgotten = flow({ name: 'forgotten' }, () => pause({ timeout: 30 }));
    expect(await forgotten().catch((error: unknown) => (error as Error).message)).toContain('never resumed');
  });

  test('is left at once by a cancel', async () => {
    let run = '';
    const patient = flow({ name: 'patient' }, async () => {
      run = flowRun().id;
      await pause();
    });
    const outcome = patient().catch(kindOf);
    await until(() => run, 'PAUSED');
    await cancelRun(run);
    expect(await outcome).toBe('CANCELLED');
  });

  test('lets what is at work go on, and nothing begin', async () => {
    let run = '';
    const done = Promise.withResolvers<undefined>();
    const slow = task({ name: 'slow' }, () => done.promise);
    const next = task({ name: 'next' }, () => 'next');
    const busy = flow({ name: 'busy' }, async () => {
      run = flowRun().id;
      const atWork = slow().then(() => next());
      return [await pause(), await atWork];
    });
    const outcome = busy();
    await until(() => run, 'PAUSED');
    done.resolve(undefined);
    while (!(await ruledFor('next')).some(({ outcome: ruled }) => ruled === 'held')) await turn();
    await resumeRun(run);
    expect(await outcome).toEqual([undefined, 'next']);
  });

  test('of a flow within a flow leaves the other one running', async () => {
    let [outer, inner] = ['', ''];
    const within = flow({ name: 'within' }, async () => {
      inner = flowRun().id;
      return pause();
    });
    const around = flow({ name: 'around' }, async () => {
      outer = flowRun().id;
      return within();
    });
    const outcome = around();
    await until(() => inner, 'PAUSED');
    expect((await stateOf(outer))?.type).toBe('RUNNING');
    await resumeRun(inner, 'on');
    expect(await outcome).toBe('on');
  });

  test('in a transaction stops the flow, under keys of its own', async () => {
    let run = '';
    const keys: unknown[] = [];
    const books = flow({ name: 'books' }, async () => {
      run = flowRun().id;
      const block = () => transaction('block', () => pause());
      return [await block(), await block(), await pause()];
    });
    const outcome = books();
    for (let n = 0; n < 3; n += 1) {
      await until(() => run, 'PAUSED');
      const state = await stateOf(run);
      keys.push(state?.type === 'PAUSED' ? state.key : undefined);
      await resumeRun(run, n);
    }
    expect(await outcome).toEqual([0, 1, 2]);
    expect(new Set(keys).size).toBe(3);
  });

  test('in a task is a clear error', async () => {
    const halts = task({ name: 'halts' }, () => pause());
    expect(await flow({ name: 'f' }, () => halts())().catch((error: unknown) => (error as Error).message)).toContain(
      "pause() was called in the task 'halts'.",
    );
  });
});

test.each([1e16, 1e300])('a wait that ends after all days of the calendar is refused: %d', async (ms) => {
  const waits = flow({ name: 'waits' }, async () => {
    await sleep(ms);
  });
  await expect(waits()).rejects.toMatchObject({ kind: 'BAD_OPTION' });
});
