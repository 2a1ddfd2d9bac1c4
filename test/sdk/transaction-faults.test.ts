/** Transactions whose process dies, or whose flow ends otherwise than by their block: in memory, with the real arbiter. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { cancelRun, flow, flowRun, task, taskRun, transaction, type CompletedCall } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { boom, forgetAll, hooksRan, keys, note, path, rootRun, seen, step } from './transaction-steps.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;

beforeEach(async () => {
  forgetAll();
  workspace = await memoryWorkspace();
  ({ client, link } = await workspace.connect());
  useClient(client);
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

/** The process dies: it says and hears nothing more; another one is there, and the run is ruled crashed. */
async function crash(execution = 1): Promise<void> {
  link.mute = true;
  link.deaf = true;
  ({ client, link } = await workspace.connect());
  useClient(client);
  const to: State = { type: 'CRASHED', name: 'Crashed' };
  await client.session.ask({ kind: 'flow', run: await rootRun(workspace), to, report: true, execution });
}

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
  const orderOf = (strict: boolean) =>
    flow({ name: 'order', strict }, ({ fails }: { fails: boolean }) =>
      transaction('outer', async () => {
        await mortal('a');
        const nested = await transaction('nested', () => mortal('b'));
        const child = await inner();
        await mortal('d');
        return fails ? boom() : `${nested}${child}`;
      }),
    );

  async function diesAndIsResumed(at: string, fails: boolean, strict = false): Promise<string> {
    const order = orderOf(strict);
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

  test.each(['do a', 'do c', 'do d', 'undo d', 'undo c', 'undo a'])(
    'at %s, all is undone once, last first',
    async (at) => {
      expect(await diesAndIsResumed(at, true)).toBe('RangeError: boom');
      expect(effects()).toEqual([...DONE, ...UNDONE]);
      expect(keys.size).toBe(4);
      expect(await path(workspace, 'outer')).toContain('FAILED RolledBack');
    },
  );

  test.each(['do b', 'do d', 'keep b', 'keep d'])('at %s, all is kept once', async (at) => {
    expect(await diesAndIsResumed(at, false)).toBe('bc');
    expect(effects()).toEqual([...DONE, 'keep b', 'keep a', 'keep c', 'keep d']);
    expect((await path(workspace, 'outer')).at(-1)).toBe('COMPLETED Completed');
  });

  test.each(['do c', 'do d', 'undo c'])('at %s, in a strict flow too', async (at) => {
    expect(await diesAndIsResumed(at, true, true)).toBe('RangeError: boom');
    expect(effects()).toEqual([...DONE, ...UNDONE]);
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
    const hang = task({ name: 'hang' }, (): Promise<string> => {
      begun.open();
      const { signal } = taskRun();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    });
    const order = flow({ name: 'order' }, () => transaction('t', async () => [await step('a'), await hang()]));
    const outcome = kindOf(order());
    await begun.opened;
    await cancelRun(await rootRun(workspace));
    expect(await outcome).toBe('CANCELLED');
    expect(seen).toEqual(['do a', 'undo a']);
    expect((await path(workspace, 'order')).at(-1)).toBe('CANCELLED Cancelled');
    expect(await path(workspace, 'rollback step')).toEqual(['RUNNING Running', 'COMPLETED Completed']);
  });

  test('times out, it is undone though the ledger takes no more calls, and that the hooks ran is recorded', async () => {
    const hang = task({ name: 'hang' }, () => new Promise<never>(() => undefined));
    const order = flow({ name: 'order', timeout: 150 }, () =>
      transaction('t', async () => [await step('a'), await step('b'), await hang()]),
    );
    expect(await kindOf(order())).toBe('TIMED_OUT');
    expect(seen).toEqual(['do a', 'do b', 'undo b', 'undo a']);
    // The process stays until that is so.
    while (link.held > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await hooksRan(workspace)).toEqual(['onRollback', 'onRollback']);
  });

  test('times out, and undoing it takes its time, its error waits for that with nobody to handle it', async () => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', hear);
    const slowly = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      seen.push('undone');
    };
    const late = task({ name: 'late', onRollback: slowly }, () => 'done');
    const hang = task({ name: 'hang' }, () => new Promise<never>(() => undefined));
    const order = flow({ name: 'order', timeout: 100 }, () =>
      transaction('t', async () => [await late(), await hang()]),
    );
    expect(await kindOf(order())).toBe('TIMED_OUT');
    process.off('unhandledRejection', hear);
    expect(seen).toEqual(['undone']);
    expect(unhandled).toEqual([]);
  });

  test('times out and is tried again, it goes on where it was', async () => {
    let hangs = true;
    const hang = task({ name: 'hang' }, () => {
      const { signal } = taskRun();
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
    const hang = task({ name: 'hang' }, (): Promise<string> => {
      begun.open();
      return new Promise(() => undefined);
    });
    const order = flow({ name: 'order', resume: false }, () =>
      transaction('t', async () => [await step('a'), await hang()]),
    );
    const outcome = kindOf(order());
    await begun.opened;
    const other = (await workspace.connect()).client;
    const to: State = { type: 'CRASHED', name: 'Crashed' };
    await other.session.ask({ kind: 'flow', run: await rootRun(workspace), to, report: true, execution: 1 });
    expect(await outcome).toBe('FENCED');
    expect(seen).toEqual(['do a']);
  });
});
