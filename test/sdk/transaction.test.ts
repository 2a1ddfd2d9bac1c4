/** Transactions against the real arbiter and the real rules, in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import {
  AssentError,
  concurrent,
  failed,
  flow,
  flowRun,
  receive,
  secret,
  send,
  task,
  taskRun,
  transaction,
  type Secret,
  type CompletedCall,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { boom, forgetAll, hooksRan, keys, note, path, seen, step } from './transaction-steps.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;
let link: MemoryLink;

beforeEach(async () => {
  forgetAll();
  workspace = await memoryWorkspace();
  const connected = await workspace.connect();
  ({ link } = connected);
  useClient(connected.client);
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

/** Cannot be recorded. */
class Own {
  readonly x = 1;
}

describe('a transaction', () => {
  test('that returns gives its value, and its calls are committed in their order', async () => {
    const order = flow({ name: 'order' }, () =>
      transaction('checkout', async () => `${await step('a')}${await step('b')}`),
    );
    expect(await order()).toBe('ab');
    expect(seen).toEqual(['do a', 'do b', 'keep a', 'keep b']);
    expect(await path(workspace, 'checkout')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
    expect(await hooksRan(workspace)).toEqual(['onCommit', 'onCommit']);
    expect(link.held).toBe(0);
  });

  test('that throws is undone, the last completed first, and its own error is thrown', async () => {
    const error = new RangeError('boom');
    const order = flow({ name: 'order' }, () =>
      transaction('checkout', async () => {
        await step('a');
        await step('b');
        throw error;
      }),
    );
    await expect(order()).rejects.toBe(error);
    expect(seen).toEqual(['do a', 'do b', 'undo b', 'undo a']);
    expect(keys.size).toBe(2);
    expect(await path(workspace, 'checkout')).toEqual(['RUNNING Running', 'FAILED RolledBack']);
    expect(await hooksRan(workspace)).toEqual(['onRollback', 'onRollback']);
  });

  test('whose error is caught leaves its flow free to go on', async () => {
    const order = flow({ name: 'order' }, async () => {
      await transaction('first', async () => boom(await step('a'))).catch(() => undefined);
      return transaction('second', () => step('b'));
    });
    expect(await order()).toBe('b');
    expect(seen).toEqual(['do a', 'undo a', 'do b', 'keep b']);
  });

  test('undoes what still ran when the block threw, once it has ended', async () => {
    const on = gate();
    const slow = task({ name: 'slow', onRollback: note('undo') }, async () => {
      await on.opened;
      return 'slow';
    });
    const order = flow({ name: 'order' }, () =>
      transaction('checkout', async () => {
        const running = slow();
        running.catch(() => undefined);
        await step('a');
        queueMicrotask(on.open);
        return boom();
      }),
    );
    await expect(order()).rejects.toThrow('boom');
    expect(seen).toEqual(['do a', 'undo slow', 'undo a']);
  });

  test('fails with a call that nobody waited for, or with a failed state that it returns', async () => {
    const bad = task({ name: 'bad' }, () => boom('bad'));
    const lost = flow({ name: 'lost' }, () =>
      transaction('t', async () => {
        await step('a');
        void bad.submit();
      }),
    );
    expect(await kindOf(lost())).toBe('UNAWAITED_FAILURE');
    const returned = flow({ name: 'returned' }, () =>
      transaction('t', async () => {
        await step('b');
        return failed({ message: 'not today' });
      }),
    );
    await expect(returned()).rejects.toThrow('not today');
    expect(seen).toEqual(['do a', 'undo a', 'do b', 'undo b']);
  });

  test('keeps copies of what is set, and gives its outer ones’', async () => {
    const given = { list: [1] };
    const found: unknown[] = [];
    const look = task({ name: 'look', onCommit: ({ get }) => found.push(get('x'), get('y'), get('z')) }, () => 1);
    const order = flow({ name: 'order' }, () =>
      transaction('outer', async (outer) => {
        outer.set('x', given);
        outer.set('y', 'outer');
        given.list.push(2);
        await transaction('inner', async (inner) => {
          inner.set('y', 'inner');
          await look();
          expect(inner.get('x')).toEqual({ list: [1] });
          expect(inner.get('x')).not.toBe(inner.get('x'));
          expect(inner.get('nothing', 'fallback')).toBe('fallback');
        });
        expect(outer.get('y')).toBe('outer');
        for (const one of [() => 1, new Own(), new Map([[1, Symbol('s')]])]) {
          expect(() => {
            outer.set('f', one);
          }).toThrow(AssentError);
        }
        outer.set('key', secret.literal('hunter2!'));
        expect((outer.get('key') as Secret).reveal()).toBe('hunter2!');
      }),
    );
    await order();
    expect(found).toEqual([{ list: [1] }, 'inner', undefined]);
  });

  test('outside of a flow, and with bad options, is a clear error', async () => {
    expect(await kindOf(transaction('t', () => 1))).toBe('OUTSIDE_FLOW');
    const inTask = task({ name: 'in-task' }, () => kindOf(transaction('t', () => 1)));
    expect(await flow({ name: 'f' }, () => inTask())()).toBe('OUTSIDE_FLOW');
    const badly = flow({ name: 'badly' }, () => transaction({ isolation: 'serializable' }, () => 1));
    expect(await kindOf(badly())).toBe('BAD_OPTION');
    expect(await kindOf(flow({ name: 'worse' }, () => transaction('', () => 1))())).toBe('BAD_OPTION');
  });

  test('a failing rollback hook stops the undoing of what came before it, and says what is left; nothing is tried again', async () => {
    const stuck = task({ name: 'stuck', onRollback: () => boom('cannot be undone') }, () => 'stuck');
    const order = flow({ name: 'order', retries: 3 }, () =>
      transaction('t', async () => {
        await step('a');
        await stuck();
        await step('b');
        return boom('the reason');
      }),
    );
    await expect(order()).rejects.toMatchObject({
      kind: 'ROLLBACK_FAILED',
      message: expect.stringMatching(
        /onRollback of 'stuck' \(.+\) failed, and that of 'step' \(.+\) was not tried/,
      ) as unknown,
      cause: { message: 'the reason' },
    });
    expect(seen).toEqual(['do a', 'do b', 'undo b']);
    expect(await hooksRan(workspace)).toEqual(['onRollback', 'onRollback failed']);
    expect(await path(workspace, 't')).toEqual(['RUNNING Running', 'FAILED RollbackFailed']);
    expect(link.logged.map(({ lines }) => lines).join('')).toContain("the hook onRollback of task 'stuck' failed");
  });

  test('a failing commit hook is recorded, and changes nothing', async () => {
    const odd = task({ name: 'odd', onCommit: () => boom('no') }, () => 'odd');
    const order = flow({ name: 'order' }, () => transaction('t', async () => [await odd(), await step('a')]));
    expect(await order()).toEqual(['odd', 'a']);
    expect(seen).toEqual(['do a', 'keep a']);
    expect(await hooksRan(workspace)).toEqual(['onCommit failed', 'onCommit']);
    expect(await path(workspace, 't')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
  });

  test('hooks know the call, and tasks that they call are plain functions', async () => {
    const told: unknown[] = [];
    const plain = task({ name: 'plain' }, () => 'plain');
    const charge = task(
      {
        name: 'charge',
        onRollback: async (call: CompletedCall<readonly [cents: number]>) => {
          told.push(call.inputs, call.result, call.idempotencyKey === taskRun().idempotencyKey, await plain());
        },
      },
      (cents: number) => ({ charged: cents }),
    );
    await kindOf(flow({ name: 'f' }, () => transaction('t', async () => boom(String((await charge(5)).charged))))());
    expect(told).toEqual([[5], { charged: 5 }, true, 'plain']);
    expect(await path(workspace, 'plain')).toEqual([]);
  });

  test('what the cache answered was not done in it, and is not undone', async () => {
    const cached = task({ name: 'cached', cacheKey: 'k', onRollback: note('undo') }, () => 'cached');
    await flow({ name: 'before' }, () => cached())();
    const plain = task({ name: 'cached', cacheKey: 'k' }, () => 'cached');
    await kindOf(flow({ name: 'f' }, () => transaction('t', async () => boom(await plain())))());
    // It may have to be undone, so it is done.
    await kindOf(flow({ name: 'g' }, () => transaction('t', async () => boom(await cached())))());
    expect(seen).toEqual(['undo cached']);
  });
});

describe('nested', () => {
  test('calls of inner transactions and flows are committed with the outermost, children first', async () => {
    const child = flow({ name: 'child' }, () => step('child'));
    const order = flow({ name: 'order' }, () =>
      transaction('outer', async () => {
        await step('a');
        await transaction('inner', async () => {
          await step('b');
          await child();
        });
        await step('c');
      }),
    );
    await order();
    expect(seen.slice(4)).toEqual(['keep b', 'keep child', 'keep a', 'keep c']);
  });

  test('they are undone with the outermost, last first, and an inner one that failed before is undone once', async () => {
    const child = flow({ name: 'child' }, () => step('child'));
    const order = flow({ name: 'order' }, () =>
      transaction('outer', async () => {
        await step('a');
        await transaction('inner', async () => [await step('b'), await child()]);
        await transaction('bad', async () => boom(await step('x'))).catch(() => undefined);
        await step('c');
        return boom('outer');
      }),
    );
    await expect(order()).rejects.toThrow('outer');
    expect(seen.filter((one) => one.startsWith('undo'))).toEqual([
      'undo x',
      'undo c',
      'undo child',
      'undo b',
      'undo a',
    ]);
  });

  test('of one key they cannot be serializable within each other, and across runs they follow each other', async () => {
    const serial = { key: 'account 7', isolation: 'serializable' } as const;
    const stuck = flow({ name: 'stuck' }, () =>
      transaction(serial, () => transaction({ ...serial, name: 'in' }, () => 1)),
    );
    expect(await kindOf(stuck())).toBe('REJECTED');
    const inside = gate();
    const on = gate();
    const order: string[] = [];
    const pay = flow({ name: 'pay' }, ({ who }: { who: string }) =>
      transaction(serial, async () => {
        order.push(`${who} in`);
        inside.open();
        if (who === 'a') await on.opened;
        order.push(`${who} out`);
      }),
    );
    const first = pay({ who: 'a' });
    await inside.opened;
    const second = pay({ who: 'b' });
    const held = async (): Promise<boolean> => (await workspace.rulings()).some(({ outcome }) => outcome === 'held');
    while (!(await held())) await new Promise((resolve) => setImmediate(resolve));
    on.open();
    await Promise.all([first, second]);
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
  });
});

test('a block is a part of its flow: it knows the flow’s run, and receives what is sent to that', async () => {
  const order = flow({ name: 'order' }, async ({ n }: { n: number }) => {
    const { id } = flowRun();
    return transaction('t', async (own) => {
      await send(flowRun().id, 'word', n);
      return [flowRun().id === id, own.id.startsWith(`${id}.`), flowRun().name, await receive('word')];
    });
  });
  expect(await order({ n: 7 })).toEqual([true, true, 'order', 7]);
});

test('the limit of a flow’s runner counts what its transactions call', async () => {
  let atWork = 0;
  let most = 0;
  const work = task({ name: 'work' }, async (n: number) => {
    atWork += 1;
    most = Math.max(most, atWork);
    await new Promise((resolve) => setTimeout(resolve, 5));
    atWork -= 1;
    return n;
  });
  const three = flow({ name: 'three', taskRunner: concurrent({ limit: 1 }) }, () =>
    Promise.all([1, 2, 3].map((n) => transaction(`t${String(n)}`, () => work(n)))),
  );
  expect(await three()).toEqual([1, 2, 3]);
  expect(most).toBe(1);
});
