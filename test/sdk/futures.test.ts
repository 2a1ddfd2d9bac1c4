/** Futures and final states, against the real arbiter and the real rules, in memory. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { aggregate } from '../../sdk/final-state.ts';
import {
  allowFailure,
  AssentError,
  cancelled,
  completed,
  failed,
  FinalState,
  flow,
  flowRun,
  Future,
  signal,
  task,
  unmapped,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

/** The states that runs of this name went through, as the ledger has them. */
async function path(name: string): Promise<string[]> {
  const rulings = await workspace.rulings();
  const ids = new Set(
    rulings.flatMap(({ proposal: p }) => (p.kind !== 'workspace' && p.create?.name === name ? [p.run] : [])),
  );
  return rulings.flatMap((ruling: Ruling) => {
    const { proposal } = ruling;
    const state: State | undefined = stateAfter(ruling);
    return proposal.kind !== 'workspace' && ids.has(proposal.run) && state !== undefined
      ? [`${state.type} ${state.name}`]
      : [];
  });
}

const double = task({ name: 'double' }, (n: number) => n * 2);
const add = task({ name: 'add' }, (a: number, b: number) => a + b);
const fail = task({ name: 'fail' }, (text: string): number => {
  throw new RangeError(text);
});

describe('futures', () => {
  test('may be passed on as inputs, and as parts of inputs, also of calls that are not submitted', async () => {
    const sum = task({ name: 'sum' }, ({ list, more }: { list: number[]; more: Map<string, number> }) =>
      list.reduce((a, b) => a + b, more.get('x') ?? 0),
    );
    const all = flow({ name: 'all' }, async () => {
      const [one, two] = [double.submit(1), double.submit(2)];
      const parts = { list: [one, 10, two], more: new Map([['x', double.submit(50)]]) };
      return [await add(one, two), await sum.submit(parts)];
    });
    expect(await all()).toEqual([6, 116]);
  });

  test('a call is known by what its inputs became, so it meets its own record when the flow is tried again', async () => {
    const ran: number[] = [];
    const note = task({ name: 'note' }, (n: number) => {
      ran.push(n);
      return n;
    });
    const twice = flow({ name: 'twice', retries: 1 }, async () => {
      const value = await note(note.submit(7));
      if (flowRun().attempt === 1) throw new Error('again');
      return value;
    });
    expect(await twice()).toBe(7);
    expect(ran).toEqual([7, 7]);
  });

  test('what is passed a failed call is not ready: it does not run, and says why', async () => {
    const bad = flow({ name: 'bad' }, () => double(fail.submit('broken')));
    const error = await bad().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AssentError);
    expect(error).toMatchObject({ kind: 'NOT_READY', cause: { name: 'RangeError', message: 'broken' } });
    expect(await path('double')).toEqual(['PENDING NotReady', 'FAILED NotReady']);
    expect(await path('bad')).toContain('FAILED Failed');
  });

  test('what is not ready makes what is passed it not ready either', async () => {
    const chain = flow({ name: 'chain' }, () => add.submit(double.submit(fail.submit('first')), 1));
    const error = (await chain().catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ kind: 'NOT_READY', cause: { kind: 'NOT_READY', cause: { message: 'first' } } });
    expect(await path('add')).toEqual(['PENDING NotReady', 'FAILED NotReady']);
  });

  test('a flow that is passed a failed call is not ready either', async () => {
    const child = flow({ name: 'child' }, ({ n }: { n: number }) => n);
    const parent = flow({ name: 'parent' }, () => child.submit({ n: fail.submit('up') } as never));
    await expect(parent()).rejects.toMatchObject({ kind: 'NOT_READY' });
    expect(await path('child')).toEqual(['PENDING NotReady', 'FAILED NotReady']);
  });

  test('allowFailure hands the error over in place of the value', async () => {
    const look = task({ name: 'look' }, (found: number | Error) => (found instanceof Error ? found.message : 'fine'));
    expect(await flow({ name: 'allowed' }, () => look.submit(allowFailure(fail.submit('x'))))()).toBe('x');
    expect(await flow({ name: 'allowed2' }, () => look.submit(allowFailure(double.submit(1))))()).toBe('fine');
  });

  test('waitFor holds a call back, and keeps it from running when it fails', async () => {
    const order: string[] = [];
    const say = task({ name: 'say' }, (text: string) => order.push(text));
    const slow = task({ name: 'slow' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push('slow');
    });
    await flow({ name: 'ordered' }, async () => {
      await say.with({ waitFor: [slow.submit()] }).submit('after');
    })();
    expect(order).toEqual(['slow', 'after']);
    const stopped = flow({ name: 'stopped' }, () => say.with({ waitFor: [fail.submit('no')] })('never'));
    await expect(stopped()).rejects.toMatchObject({ kind: 'NOT_READY' });
    expect(order).toEqual(['slow', 'after']);
  });

  test('all, race and any do the natural thing', async () => {
    const wait = task({ name: 'wait' }, async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return ms;
    });
    const many = flow({ name: 'many' }, async () => ({
      all: await Promise.all([wait.submit(3), wait.submit(1)]),
      race: await Promise.race([wait.submit(200), wait.submit(2)]),
      any: await Promise.any([fail.submit('lost'), wait.submit(4)]),
      settled: (await Promise.allSettled([fail.submit('seen'), wait.submit(5)])).map(({ status }) => status),
    }));
    expect(await many()).toEqual({ all: [3, 1], race: 2, any: 4, settled: ['rejected', 'fulfilled'] });
  });

  test('a failure that nobody looks at is the flow’s', async () => {
    const lost = flow({ name: 'lost' }, () => {
      void fail.submit('unseen');
      return 'fine';
    });
    await expect(lost()).rejects.toMatchObject({ kind: 'UNAWAITED_FAILURE', cause: { message: 'unseen' } });
    expect(await path('lost')).toEqual(['RUNNING Running', 'FAILED Failed']);
  });

  test('so is that of a call that was not submitted', async () => {
    const lost = flow({ name: 'forgotten' }, () => {
      void fail('forgotten await');
      return 'fine';
    });
    await expect(lost()).rejects.toMatchObject({ kind: 'UNAWAITED_FAILURE' });
  });

  test('a call that nobody looks at is waited for, and its success changes nothing', async () => {
    let done = false;
    const slow = task({ name: 'slow' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      done = true;
    });
    expect(
      await flow({ name: 'patient' }, () => {
        void slow.submit();
        return 'fine';
      })(),
    ).toBe('fine');
    expect(done).toBe(true);
  });

  test('the losers of a race are stopped when the flow ends, and are no failure', async () => {
    let reason: unknown;
    const slow = task({ name: 'slow' }, async () => {
      const stop = signal();
      await new Promise((_, reject) => {
        stop.addEventListener('abort', () => {
          reason = stop.reason;
          reject(stop.reason as Error);
        });
      });
    });
    expect(await flow({ name: 'raced' }, () => Promise.race([slow.submit(), double.submit(1)]))()).toBe(2);
    expect(reason).toMatchObject({ kind: 'CANCELLED' });
  });

  test('state() says how a call ended, and never rejects', async () => {
    const states = flow({ name: 'states' }, async () => {
      const [good, bad] = [await double.submit(2).state(), await fail.submit('x').state()];
      return { good: [good.type, good.value, typeof good.runId], bad: [bad.type, bad.name, (bad.error as Error).name] };
    });
    expect(await states()).toEqual({ good: ['COMPLETED', 4, 'string'], bad: ['FAILED', 'Failed', 'RangeError'] });
  });

  test('outside of a flow they are plain', async () => {
    expect(await add.submit(double.submit(1), 3)).toBe(5);
    expect(await double.map([1, 2]).results()).toEqual([2, 4]);
    await expect(double.submit(fail.submit('x'))).rejects.toMatchObject({ kind: 'NOT_READY' });
  });

  test('a subflow may be submitted, and passed on', async () => {
    const child = flow({ name: 'child' }, ({ n }: { n: number }) => double(n));
    const parent = flow({ name: 'parent' }, async () => {
      const first = child.submit({ n: 1 });
      return await add.submit(first, child.submit({ n: 10 }));
    });
    expect(await parent()).toBe(22);
  });
});

describe('map', () => {
  test('gives each call an element of each list, and the same of what is no list', async () => {
    const text = task({ name: 'text' }, (a: string, b: number, c: number[]) => `${a}${String(b)}${c.join('')}`);
    const all = flow({ name: 'mapped' }, () => text.map(['a', 'b'], 1, unmapped([7, 8])).results());
    expect(await all()).toEqual(['a178', 'b178']);
  });

  test('takes futures as elements', async () => {
    expect(await flow({ name: 'm' }, () => double.map(double.map([1, 2, 3])).results())()).toEqual([4, 8, 12]);
  });

  test('gives nothing for nothing', async () => {
    expect(await flow({ name: 'm' }, () => double.map([]).results())()).toEqual([]);
  });

  test('refuses lists of different lengths, and no list', async () => {
    await expect(flow({ name: 'm' }, () => add.map([1, 2], [1]).results())()).rejects.toMatchObject({
      kind: 'BAD_OPTION',
    });
    await expect(flow({ name: 'm' }, () => add.map(1, 2).results())()).rejects.toMatchObject({ kind: 'BAD_OPTION' });
  });

  test('keeps the order of its inputs, whatever order the calls end in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 15 }), { minLength: 1, maxLength: 12 }), async (delays) => {
        const wait = task({ name: 'wait' }, async (ms: number, place: number) => {
          await new Promise((resolve) => setTimeout(resolve, ms));
          return place;
        });
        const places = delays.map((_, place) => place);
        expect(await flow({ name: 'm' }, () => wait.map(delays, places).results())()).toEqual(places);
      }),
      { numRuns: 15 },
    );
  });
});

describe('how a flow ends', () => {
  test('a state that it returns is its end', async () => {
    const skip = flow({ name: 'skip' }, () => completed({ name: 'Skipped', message: 'nothing to do', value: 3 }));
    expect(await skip()).toBe(3);
    expect(await path('skip')).toEqual(['RUNNING Running', 'COMPLETED Skipped']);
    const bad = flow({ name: 'bad' }, () => failed({ message: 'the table is empty' }));
    await expect(bad()).rejects.toThrow('the table is empty');
    expect(await path('bad')).toEqual(['RUNNING Running', 'FAILED Failed']);
    const none = flow({ name: 'none' }, () => cancelled({ message: 'a holiday' }));
    await expect(none()).rejects.toMatchObject({ kind: 'CANCELLED' });
    expect(await path('none')).toEqual(['RUNNING Running', 'CANCELLED Cancelled']);
  });

  test('a failure that is returned is retried like one that is thrown', async () => {
    let attempts = 0;
    const flaky = flow({ name: 'flaky', retries: 2 }, () => {
      attempts += 1;
      return attempts < 3 ? failed({ message: 'not yet' }) : 'at last';
    });
    expect(await flaky()).toBe('at last');
    attempts = 0;
    const flakyTask = task({ name: 'flaky-task', retries: 2 }, () => {
      attempts += 1;
      return attempts < 3 ? failed({ message: 'not yet' }) : completed({ value: 'at last', name: 'Skipped' });
    });
    expect(await flow({ name: 'outer' }, () => flakyTask())()).toBe('at last');
    expect(await path('flaky-task')).toContain('COMPLETED Skipped');
  });

  test('calls that it returns are how it ends: all completed, or the first failure', async () => {
    expect(await flow({ name: 'good' }, () => [double.submit(1), double.submit(2)])()).toEqual([2, 4]);
    const bad = flow({ name: 'some' }, () => [double.submit(1), fail.submit('one of two')]);
    await expect(bad()).rejects.toThrow('one of two');
    const end = (await workspace.rulings()).map(stateAfter).findLast((state) => state?.type === 'FAILED');
    expect(end?.message).toBe('1/2 states failed.');
  });

  test('other containers are values', async () => {
    expect(await flow({ name: 'object' }, () => ({ list: [1, 2] }))()).toEqual({ list: [1, 2] });
    expect(
      await flow({ name: 'generator' }, function* numbers() {
        yield 1;
        yield 2;
      })(),
    ).toEqual([1, 2]);
  });

  test('its caller sees the name and the message of that end, also when it is answered from the record', async () => {
    const skip = flow({ name: 'skip' }, () => completed({ name: 'Skipped', message: 'nothing to do' }));
    const paper = task({ name: 'paper' }, () => failed({ name: 'OutOfPaper', message: 'no paper' }));
    const looks: string[] = [];
    const look = flow({ name: 'look', retries: 1 }, async () => {
      for (const future of [skip.submit(), paper.submit(), fail.submit('x'), double.submit(fail.submit('y'))]) {
        const { type, name, message } = await future.state();
        looks.push(`${type} ${name}: ${message ?? ''}`);
      }
      if (flowRun().attempt === 1) throw new Error('again');
    });
    await look();
    expect(looks.slice(0, 3)).toEqual([
      'COMPLETED Skipped: nothing to do',
      'FAILED OutOfPaper: no paper',
      'FAILED Failed: RangeError: x',
    ]);
    expect(looks[3]).toMatch(
      /^FAILED NotReady: Task 'double' is not ready: run \S+, which it needs, ended as Failed\.$/,
    );
    expect(looks.slice(4)).toEqual(looks.slice(0, 4));
  });

  test('aggregation: any cancelled before any failed, and all completed', () => {
    const [good, bad, stopped] = [completed({ value: 1 }), failed({ message: 'x' }), cancelled()];
    expect(aggregate([good, good])).toMatchObject({
      type: 'COMPLETED',
      value: [1, 1],
      message: 'All states completed.',
    });
    expect(aggregate([good, bad, stopped])).toMatchObject({ type: 'CANCELLED', message: '1/3 states cancelled.' });
    expect(aggregate([good, bad, bad])).toMatchObject({ type: 'FAILED', message: '2/3 states failed.' });
    expect(new FinalState('FAILED', { error: 7 }).result.bind(new FinalState('FAILED', { error: 7 }))).toThrow();
  });
});

test('a future is a promise like any other', async () => {
  const future = double.submit(4);
  expect(future).toBeInstanceOf(Future);
  expect(future).toBeInstanceOf(Promise);
  expect(future.then((n) => n).constructor).toBe(Promise);
  expect(await future.finally(() => undefined)).toBe(8);
  expect(future.isDone).toBe(true);
});
