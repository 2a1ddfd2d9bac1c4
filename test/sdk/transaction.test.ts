/** Transactions against the real arbiter and the real rules, in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { stateAfter, type Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import {
  AssentError,
  cancelRun,
  failed,
  flow,
  flowRun,
  task,
  taskRun,
  transaction,
  type CompletedCall,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  ({ client, link } = await workspace.connect());
  useClient(client);
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

/** What tasks did and what became of it, in order. */
let seen: string[] = [];
const keys = new Set<string>();
beforeEach(() => {
  seen = [];
  keys.clear();
});

const note =
  (what: string) =>
  ({ result, idempotencyKey }: CompletedCall): void => {
    seen.push(`${what} ${String(result)}`);
    keys.add(idempotencyKey);
  };
const step = task({ name: 'step', onCommit: note('keep'), onRollback: note('undo') }, (name: string) => {
  seen.push(`do ${name}`);
  return name;
});
const boom = (text = 'boom'): never => {
  throw new RangeError(text);
};

/** Somebody who waits until something happened. */
function gate(): { opened: Promise<undefined>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    opened: promise,
    open: () => {
      resolve(undefined);
    },
  };
}

const kindOf = async (outcome: Promise<unknown>): Promise<string> =>
  outcome.then(
    () => 'RESOLVED',
    (error: unknown) => (error instanceof AssentError ? error.kind : String(error)),
  );

/** The states that runs of this name entered, as the ledger has them. */
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

/** What is recorded of hooks: which, and whether it failed. */
const hooksRan = async (): Promise<string[]> =>
  (await workspace.rulings()).flatMap(({ proposal }) =>
    proposal.kind === 'workspace' && proposal.event.type === 'HOOK_RAN'
      ? [`${proposal.event.hook}${proposal.event.error === undefined ? '' : ' failed'}`]
      : [],
  );

const rootRun = async (): Promise<RunId> => {
  const first = (await workspace.rulings()).find(({ proposal }) => proposal.kind === 'flow')?.proposal;
  return first?.kind === 'flow' ? first.run : ('' as RunId);
};

/** The process dies: it says and hears nothing more; another one is there, and the run is ruled crashed. */
async function crash(execution = 1): Promise<void> {
  link.mute = true;
  link.deaf = true;
  ({ client, link } = await workspace.connect());
  useClient(client);
  const to: State = { type: 'CRASHED', name: 'Crashed' };
  await client.session.ask({ kind: 'flow', run: await rootRun(), to, report: true, execution });
}

describe('a transaction', () => {
  test('that returns gives its value, and its calls are committed in their order', async () => {
    const order = flow({ name: 'order' }, () =>
      transaction('checkout', async () => `${await step('a')}${await step('b')}`),
    );
    expect(await order()).toBe('ab');
    expect(seen).toEqual(['do a', 'do b', 'keep a', 'keep b']);
    expect(await path('checkout')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
    expect(await hooksRan()).toEqual(['onCommit', 'onCommit']);
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
    expect(await path('checkout')).toEqual(['RUNNING Running', 'FAILED RolledBack']);
    expect(await hooksRan()).toEqual(['onRollback', 'onRollback']);
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
        bad.submit();
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
        expect(() => {
          outer.set('f', () => 1);
        }).toThrow(AssentError);
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

  test('a failing rollback hook stops the undoing of what came before it, and hides nothing', async () => {
    const stuck = task({ name: 'stuck', onRollback: () => boom('cannot be undone') }, () => 'stuck');
    const order = flow({ name: 'order' }, () =>
      transaction('t', async () => {
        await step('a');
        await stuck();
        await step('b');
        return boom('the reason');
      }),
    );
    await expect(order()).rejects.toThrow('the reason');
    expect(seen).toEqual(['do a', 'do b', 'undo b']);
    expect(await hooksRan()).toEqual(['onRollback', 'onRollback failed']);
    expect(await path('t')).toEqual(['RUNNING Running', 'FAILED RolledBack']);
    expect(link.logged.map(({ lines }) => lines).join('')).toContain("the hook onRollback of task 'stuck' failed");
  });

  test('a failing commit hook is recorded, and changes nothing', async () => {
    const odd = task({ name: 'odd', onCommit: () => boom('no') }, () => 'odd');
    const order = flow({ name: 'order' }, () => transaction('t', async () => [await odd(), await step('a')]));
    expect(await order()).toEqual(['odd', 'a']);
    expect(seen).toEqual(['do a', 'keep a']);
    expect(await hooksRan()).toEqual(['onCommit failed', 'onCommit']);
    expect(await path('t')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
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
    await kindOf(flow({ name: 'f' }, () => transaction('t', async () => boom(String(await charge(5)))))());
    expect(told).toEqual([[5], { charged: 5 }, true, 'plain']);
    expect(await path('plain')).toEqual([]);
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
    expect(seen.filter((one) => one.startsWith('undo'))).toEqual(['undo x', 'undo c', 'undo child', 'undo b', 'undo a']);
  });

  test('of one key they cannot be serializable within each other, and across runs they follow each other', async () => {
    const serial = { key: 'account 7', isolation: 'serializable' } as const;
    const stuck = flow({ name: 'stuck' }, () => transaction(serial, () => transaction({ ...serial, name: 'in' }, () => 1)));
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

describe('when a process dies', () => {
  /** Hangs at `what` until the process is gone; the next one does not. */
  let dieAt: string | undefined;
  let dying = gate();
  beforeEach(() => {
    dying = gate();
  });
  const maybeDie = async (what: string): Promise<void> => {
    if (dieAt !== what) return;
    dieAt = undefined;
    dying.open();
    await new Promise(() => undefined);
  };
  const mortal = task(
    {
      name: 'mortal',
      onCommit: async (call: CompletedCall) => {
        await maybeDie(`keep ${String(call.result)}`);
        note('keep')(call);
      },
      onRollback: async (call: CompletedCall) => {
        await maybeDie(`undo ${String(call.result)}`);
        note('undo')(call);
      },
    },
    async (name: string) => {
      await maybeDie(`do ${name}`);
      seen.push(`do ${name}`);
      return name;
    },
  );
  const inner = flow({ name: 'inner' }, async () => {
    seen.push('in inner');
    return mortal('c');
  });
  const order = flow({ name: 'order' }, ({ fails }: { fails: boolean }) =>
    transaction('outer', async () => {
      await mortal('a');
      const nested = await transaction('nested', () => mortal('b'));
      const child = await inner();
      await mortal('d');
      return fails ? boom() : `${nested}${child}`;
    }),
  );

  async function diesAndIsResumed(at: string, fails: boolean): Promise<string> {
    dieAt = at;
    order({ fails }).catch(() => undefined);
    await dying.opened;
    await crash();
    return order({ fails }).catch(String);
  }
  const DONE = ['do a', 'do b', 'in inner', 'do c', 'do d'];
  const UNDONE = ['undo d', 'undo c', 'undo b', 'undo a'];
  /** The function of a flow that has completed is run through again; nothing that it calls is. */
  const effects = (): string[] => seen.filter((one, i) => one !== 'in inner' || seen.indexOf(one) === i);

  test.each(['do a', 'do c', 'do d', 'undo d', 'undo c', 'undo a'])('at %s, all is undone once, last first', async (at) => {
    expect(await diesAndIsResumed(at, true)).toBe('RangeError: boom');
    expect(effects()).toEqual([...DONE, ...UNDONE]);
    expect(keys.size).toBe(4);
    expect(await path('outer')).toContain('FAILED RolledBack');
  });

  test.each(['do b', 'do d', 'keep b', 'keep d'])('at %s, all is kept once', async (at) => {
    expect(await diesAndIsResumed(at, false)).toBe('bc');
    expect(effects()).toEqual([...DONE, 'keep b', 'keep a', 'keep c', 'keep d']);
    expect((await path('outer')).at(-1)).toBe('COMPLETED Completed');
  });

  test('what was decided stands, whatever the block does when it is run through again', async () => {
    let runs = 0;
    const moody = flow({ name: 'moody' }, () =>
      transaction('t', async () => {
        const [one] = [await mortal('a'), await mortal('b')];
        runs += 1;
        if (runs === 1) throw new RangeError('first');
        return one + (await mortal('never'));
      }),
    );
    dieAt = 'undo a';
    moody().catch(() => undefined);
    await dying.opened;
    await crash();
    await expect(moody()).rejects.toThrow(new RangeError('first'));
    expect(seen).toEqual(['do a', 'do b', 'undo b', 'undo a']);
  });
});

describe('when its flow', () => {
  test('is tried again, a transaction that was undone begins anew, with calls of their own; a kept one is kept', async () => {
    const ids: string[] = [];
    const pay = task({ name: 'pay', onRollback: note('undo'), onCommit: note('keep') }, (what: string) => {
      ids.push(taskRun().idempotencyKey);
      return what;
    });
    const order = flow({ name: 'order', retries: 2 }, async () => {
      await transaction('kept', () => pay('kept'));
      return transaction('undone', async () => {
        const paid = await pay('paid');
        return flowRun().attempt < 3 ? boom() : paid;
      });
    });
    expect(await order()).toBe('paid');
    expect(seen).toEqual(['keep kept', 'undo paid', 'undo paid', 'keep paid']);
    expect(new Set(ids).size).toBe(4);
  });

  test('is cancelled, it is undone before that is over', async () => {
    const begun = gate();
    const hang = task({ name: 'hang' }, async () => {
      begun.open();
      const { signal } = taskRun();
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    });
    const order = flow({ name: 'order' }, () => transaction('t', async () => [await step('a'), await hang()]));
    const outcome = kindOf(order());
    await begun.opened;
    await cancelRun(await rootRun());
    expect(await outcome).toBe('CANCELLED');
    expect(seen).toEqual(['do a', 'undo a']);
    expect((await path('order')).at(-1)).toBe('CANCELLED Cancelled');
    expect(await path('rollback step')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
  });

  test('times out, it is undone though the ledger takes no more calls, and that the hooks ran is recorded', async () => {
    const hang = task({ name: 'hang' }, () => new Promise<never>(() => undefined));
    const order = flow({ name: 'order', timeout: 150 }, () =>
      transaction('t', async () => [await step('a'), await step('b'), await hang()]),
    );
    expect(await kindOf(order())).toBe('TIMED_OUT');
    expect(seen).toEqual(['do a', 'do b', 'undo b', 'undo a']);
    expect(await hooksRan()).toEqual(['onRollback', 'onRollback']);
  }, 30_000);

  test('times out and is tried again, it goes on where it was', async () => {
    let hangs = true;
    const hang = task({ name: 'hang' }, ({ signal } = taskRun()) => {
      if (!hangs) return 'done';
      hangs = false;
      return new Promise<string>((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    });
    const order = flow({ name: 'order', timeout: 200, retries: 1 }, () =>
      transaction('t', async () => [await step('a'), await hang()]),
    );
    expect(await order()).toEqual(['a', 'done']);
    expect(seen).toEqual(['do a', 'keep a']);
  });

  test('returns without waiting for it, it is waited for', async () => {
    const order = flow({ name: 'order' }, () => {
      void transaction('t', () => step('a'));
      return 'returned';
    });
    expect(await order()).toBe('returned');
    expect(seen).toEqual(['do a', 'keep a']);
  });

  test('went on elsewhere, nothing is undone here', async () => {
    const begun = gate();
    const hang = task({ name: 'hang' }, async () => {
      begun.open();
      await new Promise(() => undefined);
    });
    const order = flow({ name: 'order', resume: false }, () =>
      transaction('t', async () => [await step('a'), await hang()]),
    );
    const outcome = kindOf(order());
    await begun.opened;
    const other = (await workspace.connect()).client;
    const to: State = { type: 'CRASHED', name: 'Crashed' };
    await other.session.ask({ kind: 'flow', run: await rootRun(), to, report: true, execution: 1 });
    expect(await outcome).toBe('FENCED');
    expect(seen).toEqual(['do a']);
  });
});
