/** Futures as inputs in odd places, and calls outside of flows. In memory, with the real arbiter. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { AssentError, flow, serve, startRun, task } from '../../sdk/index.ts';
import { definedAt, originOf } from '../../sdk/task-origins.ts';
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

const double = task({ name: 'double' }, (n: number) => n * 2);
const fail = task({ name: 'fail' }, (message: string): string => {
  throw new RangeError(message);
});

test('a failure outside of a flow that nobody handles is the process’s, as of any promise', async () => {
  const heard: string[] = [];
  const hear = (error: unknown): void => {
    heard.push(String(error));
  };
  const lost = task({ name: 'lost' }, (name: string): string => {
    throw new RangeError(name);
  });
  const lostFlow = flow({ name: 'lost-flow' }, ({ of }: { of: string }): string => {
    throw new RangeError(of);
  });
  const returned = (): Promise<string> => lost('returned');
  process.on('unhandledRejection', hear);
  try {
    void lost('of a task');
    await lostFlow.submit({ of: 'handled' }).catch(() => undefined);
    await expect(returned()).rejects.toThrow('returned');
    await Promise.allSettled([lost('one'), lost('two'), double.submit(lost.submit('passed on') as never)]);
    void lostFlow.submit({ of: 'of a flow' });
    await expect.poll(() => heard).toEqual(['RangeError: of a task', 'RangeError: of a flow']);
  } finally {
    process.off('unhandledRejection', hear);
  }
});

test('a flow that is submitted outside of a flow waits for what it is given', async () => {
  const next = flow({ name: 'next' }, ({ n }: { n: number }) => n + 1);
  expect(await next.submit({ n: double.submit(2) })).toBe(5);
  await expect(next.submit({ n: fail.submit('x') as never })).rejects.toMatchObject({ kind: 'NOT_READY' });
});

test('a future may be in what leads back to itself, and in several places', async () => {
  type Node = { value: unknown; self?: Node; also?: { value: unknown }[] };
  const isWhole = task({ name: 'is-whole' }, (node: Node) => [
    node.value,
    node.self === node,
    node.also?.[0] === node.also?.[1],
    node.also?.[0]?.value,
  ]);
  const loops = flow({ name: 'loops' }, () => {
    const four = double.submit(2);
    const node: Node = { value: four };
    node.self = node;
    const part = { value: four };
    node.also = [part, part];
    return isWhole(node);
  });
  expect(await loops()).toEqual([4, true, true, 4]);
});

test('of several that are missing the first by place is the cause', async () => {
  const late = task({ name: 'late' }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    throw new RangeError(`after ${String(ms)}`);
  });
  const add = task({ name: 'add' }, (a: number, b: number) => a + b);
  const sums = flow({ name: 'sums' }, () => add.submit(late.submit(20), late.submit(1)));
  await expect(sums()).rejects.toMatchObject({ kind: 'NOT_READY', cause: { message: 'after 20' } });
});

test('a task that is defined by each run is not kept by the process: only threads look for it', async () => {
  const fn = (): number => 1;
  task({ name: 'of-this-run' }, fn);
  const origin = originOf(fn);
  expect(origin?.name).toBe('of-this-run');
  if (origin !== undefined) expect(await definedAt(origin, Promise.resolve())).toBeUndefined();
});

test.each([{ slots: 0 }, { slots: Number.NaN }, { slots: 1.5 }, { pool: 'a.b' }, { queue: '' }])(
  'a worker is not begun with %j',
  async (options) => {
    await expect(serve([double], options)).rejects.toMatchObject({ kind: 'BAD_OPTION' });
  },
);

test('a run whose parameters cannot be recorded is not asked after', async () => {
  const { client } = await workspace.connect();
  useClient(client);
  const asked: unknown[] = [];
  client.runView = (run) => {
    asked.push(run);
    return Promise.resolve(undefined);
  };
  const odd = flow({ name: 'odd' }, ({ act }: { act: () => number }) => act());
  await expect(startRun(odd, { act: () => 1 })).rejects.toBeInstanceOf(AssentError);
  client.session.heardEpoch(1000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked).toEqual([]);
});

test('a run that a flow starts is started once, however often the flow is executed; equal starts are several', async () => {
  const child = flow({ name: 'child' }, ({ n }: { n: number }) => n);
  const ids: string[][] = [];
  const starts = flow({ name: 'starts', retries: 1 }, async () => {
    const runs = [await startRun(child, { n: 1 }), await startRun(child, { n: 1 }), await startRun(child, { n: 2 })];
    ids.push(runs.map(({ id }) => id));
    if (ids.length === 1) throw new Error('again');
  });
  await starts();
  expect(ids[1]).toEqual(ids[0]);
  expect(new Set(ids[0]).size).toBe(3);
  expect(workspace.hints.map(({ name }) => name)).toEqual(['child', 'child', 'child']);
});

test('what is started in the background waits for what it has to wait for', async () => {
  const waits = double.with({ waitFor: [fail.submit('x')] });
  await expect(waits.delay(1)).rejects.toMatchObject({ kind: 'NOT_READY' });
  expect(workspace.hints).toEqual([]);
});

test('a promise that is no future is refused, wherever it stands among the inputs', async () => {
  const take = task({ name: 'take' }, (...all: unknown[]) => all.length);
  const half = flow({ name: 'half' }, (all: { n: unknown }) => all);
  const later = (): Promise<number> => Promise.resolve(2);
  const refused = flow({ name: 'refused' }, async () =>
    Promise.all(
      [take(later()), take(1, { deep: [later()] }), take.submit(double.submit(1), later()), half({ n: later() })].map(
        (call) => call.then(String, String),
      ),
    ),
  );
  const why = 'it is a promise; await it, or pass on the future that `submit()` gives.';
  const texts = ['take', 'take', 'take'].map((name, at) => {
    const place = ['[0]', '[1].deep[0]', '[1]'][at] ?? '';
    return expect.stringContaining(`The inputs of task '${name}' cannot be recorded at ${place}: ${why}`) as string;
  });
  const ofFlow = expect.stringContaining(`The parameters of flow 'half' cannot be recorded at .n: ${why}`) as string;
  expect(await refused()).toEqual([...texts, ofFlow]);
});
