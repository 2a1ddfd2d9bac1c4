/** Flows and tasks against the real arbiter and the real rules, in memory. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { AssentError, flow, flowRun, task, taskRun } from '../../sdk/index.ts';
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

test('a flow resolves with what its function returns, and its tasks ran once each', async () => {
  let calls = 0;
  const double = task({ name: 'double' }, (n: number) => {
    calls += 1;
    return n * 2;
  });
  const sum = flow({ name: 'sum' }, async ({ numbers }: { numbers: number[] }) => {
    const doubled = await Promise.all(numbers.map((n) => double(n)));
    return doubled.reduce((a, b) => a + b, 0);
  });
  expect(await sum({ numbers: [1, 2, 3] })).toBe(12);
  expect(calls).toBe(3);
  expect(link.held).toBe(0);
});

test('equal calls are told apart by their order, and each runs', async () => {
  const seen: string[] = [];
  const ping = task({ name: 'ping' }, () => {
    seen.push(taskRun().id);
  });
  await flow({ name: 'pings' }, () => Promise.all([ping(), ping(), ping()]))();
  expect(new Set(seen).size).toBe(3);
});

test('a failed attempt is tried again as often as the task allows, and the caller sees the success alone', async () => {
  const attempts: number[] = [];
  const flaky = task({ name: 'flaky', retries: 3, retryDelay: 5 }, () => {
    attempts.push(taskRun().attempt);
    if (attempts.length < 3) throw new Error('not yet');
    return 'at last';
  });
  expect(await flow({ name: 'patient' }, () => flaky())()).toBe('at last');
  expect(attempts).toEqual([1, 2, 3]);
});

test('an error that retryIf calls final is not retried, and is the very error that was thrown', async () => {
  const final = new RangeError('out of range');
  let attempts = 0;
  const strict = task({ name: 'strict', retries: 5, retryIf: (error) => !(error instanceof RangeError) }, () => {
    attempts += 1;
    throw final;
  });
  await expect(flow({ name: 'strict-flow' }, () => strict())()).rejects.toBe(final);
  expect(attempts).toBe(1);
});

test('a flow that is retried runs its function again, and its completed tasks do not run again', async () => {
  let tasks = 0;
  const once = task({ name: 'once' }, () => (tasks += 1));
  const attempts: number[] = [];
  const stubborn = flow({ name: 'stubborn', retries: 2, retryDelay: 5 }, async () => {
    const value = await once();
    attempts.push(flowRun().attempt);
    if (attempts.length < 3) throw new Error('again');
    return value;
  });
  expect(await stubborn()).toBe(1);
  expect(attempts).toEqual([1, 2, 3]);
  expect(tasks).toBe(1);
});

test('a task that failed for good in one attempt of its flow runs again in the next', async () => {
  let runs = 0;
  const shaky = task({ name: 'shaky' }, () => {
    runs += 1;
    if (runs === 1) throw new Error('first');
    return runs;
  });
  expect(await flow({ name: 'again', retries: 1 }, () => shaky())()).toBe(2);
});

test('a subflow has tasks of its own, and is retried by itself', async () => {
  let inner = 0;
  const count = task({ name: 'count' }, () => (inner += 1));
  let attempts = 0;
  const child = flow({ name: 'child', retries: 1 }, async ({ by }: { by: number }) => {
    const counted = await count();
    attempts += 1;
    if (attempts === 1) throw new Error('once more');
    return counted * by;
  });
  const parent = flow({ name: 'parent' }, async () => [await child({ by: 10 }), await child({ by: 100 })]);
  expect(await parent()).toEqual([10, 200]);
  expect(attempts).toBe(3);
});

test('siblings that still run when a subflow fails do not stand in the way of its next attempt', async () => {
  const attempts: number[] = [];
  const slow = task({ name: 'slow' }, async () => {
    const { signal } = taskRun();
    await new Promise<void>((resolve) => {
      if (attempts.length > 0) resolve();
      else
        signal.addEventListener('abort', () => {
          resolve();
        });
    });
    signal.throwIfAborted();
    return 'slow';
  });
  const fails = task({ name: 'fails' }, () => {
    if (attempts.length === 0) throw new Error('first');
    return 'fast';
  });
  const child = flow({ name: 'child', retries: 1 }, async () => {
    try {
      return await Promise.all([slow(), fails()]);
    } finally {
      attempts.push(flowRun().attempt);
    }
  });
  expect(await flow({ name: 'parent' }, () => child())()).toEqual(['slow', 'fast']);
  expect(attempts).toEqual([1, 2]);
});

test('an attempt that is ruled timed out is over, though its function never settles', async () => {
  let aborted: unknown;
  const endless = task({ name: 'endless', timeout: 30 }, () => {
    taskRun().signal.addEventListener('abort', () => {
      aborted = taskRun().signal.reason;
    });
    return new Promise(() => undefined);
  });
  const error = await flow({ name: 'bounded' }, () => endless())().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AssentError);
  expect((error as AssentError).kind).toBe('TIMED_OUT');
  expect((aborted as AssentError).kind).toBe('TIMED_OUT');
});

test('a timed-out attempt is retried like any failure', async () => {
  let attempts = 0;
  const slowOnce = task({ name: 'slow-once', timeout: 40, retries: 1 }, () => {
    attempts += 1;
    return attempts === 1 ? new Promise<string>(() => undefined) : 'in time';
  });
  expect(await flow({ name: 'second-chance' }, () => slowOnce())()).toBe('in time');
});

test('a flow that is timed out rejects, and its tasks are told to stop', async () => {
  let stopped = false;
  const endless = task({ name: 'endless' }, () => {
    taskRun().signal.addEventListener('abort', () => (stopped = true));
    return new Promise(() => undefined);
  });
  const error = await flow({ name: 'short', timeout: 40 }, () => endless())().catch((caught: unknown) => caught);
  expect((error as AssentError).kind).toBe('TIMED_OUT');
  expect(stopped).toBe(true);
});

test('the fields of bad parameters are named before any run starts', async () => {
  const typed = flow({ name: 'typed', parameters: z.object({ n: z.number(), who: z.string() }) }, ({ n }) => n);
  const error = await typed({ n: 'x' as unknown as number, who: 3 as unknown as string }).catch(
    (caught: unknown) => caught,
  );
  expect((error as AssentError).kind).toBe('BAD_PARAMETERS');
  expect((error as AssentError).message).toMatch(/n: .*who: /);
  expect(await workspace.rulings()).toHaveLength(0);
});

test('the function sees what the schema gives: defaults filled in', async () => {
  const greet = flow({ name: 'greet', parameters: z.object({ who: z.string().default('world') }) }, ({ who }) => who);
  expect(await greet()).toBe('world');
  expect(await greet({ who: 'Ada' })).toBe('Ada');
});

test('a result that cannot be recorded fails its task for good, and says where', async () => {
  let runs = 0;
  const odd = task({ name: 'odd', retries: 3 }, () => {
    runs += 1;
    return { a: [{ b: () => 1 }] };
  });
  const error = await flow({ name: 'odd-flow' }, () => odd())().catch((caught: unknown) => caught);
  expect((error as AssentError).kind).toBe('VALUE_NOT_SERIALIZABLE');
  expect((error as AssentError).message).toContain('.a[0].b');
  expect(runs).toBe(1);
});

test('a large result goes to the object store, and comes back from there', async () => {
  const large = 'x'.repeat(100_000);
  const make = task({ name: 'make' }, () => large);
  let attempts = 0;
  const result = await flow({ name: 'large', retries: 1 }, async () => {
    const made = await make();
    attempts += 1;
    if (attempts === 1) throw new Error('again');
    return made;
  })();
  expect(result).toBe(large);
  expect(link.blobs.size).toBe(1);
});

test('without early completion, the flow sees a result only when it is ruled on', async () => {
  await workspace.stop();
  workspace = await memoryWorkspace({ completesEarly: false });
  ({ client, link } = await workspace.connect());
  useClient(client);
  const make = task({ name: 'make' }, () => 1);
  const seen = await flow({ name: 'careful' }, async () => {
    await make();
    return (await workspace.rulings()).filter(
      ({ proposal }) => proposal.kind === 'task' && proposal.to.type === 'COMPLETED',
    ).length;
  })();
  expect(seen).toBe(1);
});

test('the loser of a race is told to stop, and does not keep the flow from ending', async () => {
  let stopped = false;
  const endless = task({ name: 'endless' }, () => {
    taskRun().signal.addEventListener('abort', () => (stopped = true));
    return new Promise(() => undefined);
  });
  const quick = task({ name: 'quick' }, () => 'won');
  expect(await flow({ name: 'race' }, () => Promise.race([endless(), quick()]))()).toBe('won');
  expect(stopped).toBe(true);
});

test('a task called outside of a flow is the plain function', async () => {
  const double = task({ name: 'double' }, (n: number) => n * 2);
  expect(await double(4)).toBe(8);
  expect(await workspace.rulings()).toHaveLength(0);
});
