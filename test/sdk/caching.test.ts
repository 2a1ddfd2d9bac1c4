/** Results that are kept for equal calls: what the key is made of, and who computes it. In memory, and in processes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import {
  type CachePolicy,
  DEFAULT,
  flow,
  FLOW_PARAMETERS,
  INPUTS,
  NO_CACHE,
  RUN_ID,
  secret,
  task,
  TASK_SOURCE,
  type CacheContext,
  type TaskOptions,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { ScriptFolder } from './script-process.ts';

const context: CacheContext = {
  task: 'train',
  source: '(n) => n',
  inputs: [{ rows: 1, verbose: true }, 2],
  flowRunId: 'run',
  flowName: 'nightly',
  flowParameters: { day: 1 },
};

describe('a cache policy', () => {
  const changes: Record<string, Partial<CacheContext>> = {
    inputs: { inputs: [{ rows: 9, verbose: true }, 2] },
    source: { source: '(n) => n + 1' },
    parameters: { flowParameters: { day: 2 } },
    run: { flowRunId: 'another' },
    task: { task: 'other' },
  };
  const policies: [string, CachePolicy, readonly string[]][] = [
    ['INPUTS', INPUTS, ['inputs']],
    ['TASK_SOURCE', TASK_SOURCE, ['source']],
    ['FLOW_PARAMETERS', FLOW_PARAMETERS, ['parameters']],
    ['RUN_ID', RUN_ID, ['run']],
    ['DEFAULT', DEFAULT, ['inputs', 'source', 'run']],
    ['INPUTS plus FLOW_PARAMETERS', INPUTS.plus(FLOW_PARAMETERS), ['inputs', 'parameters']],
    ['INPUTS plus NO_CACHE', INPUTS.plus(NO_CACHE), ['inputs']],
    ['a function plus TASK_SOURCE', TASK_SOURCE.plus(({ task: name }) => name), ['source', 'task']],
    ['INPUTS without the first', INPUTS.minus(0), []],
    ['INPUTS without rows', INPUTS.minus('rows'), []],
    ['INPUTS without verbose', INPUTS.minus('verbose'), ['inputs']],
    ['RUN_ID without what it does not look at', RUN_ID.minus('rows'), ['run']],
  ];
  test.each(policies)('%s tells apart what it looks at, and nothing else', (_, policy, looksAt) => {
    const key = policy.keyOf(context);
    expect(key).toBeDefined();
    const told = Object.keys(changes).filter((what) => policy.keyOf({ ...context, ...changes[what] }) !== key);
    expect(told).toEqual(looksAt);
  });

  test('has no key where there is nothing to make one of', () => {
    expect(NO_CACHE.keyOf(context)).toBeUndefined();
    expect(INPUTS.keyOf({ ...context, inputs: [] })).toBeUndefined();
    // Two secrets of which nothing is recorded may be those of two customers.
    expect(INPUTS.keyOf({ ...context, inputs: [{ key: secret.literal('of Ada') }] })).toBeUndefined();
    expect(FLOW_PARAMETERS.keyOf({ ...context, flowParameters: { key: secret.literal('of Ada') } })).toBeUndefined();
    expect(INPUTS.keyOf({ ...context, inputs: [secret.env('KEY')] })).toBeDefined();
    expect(NO_CACHE.plus(() => undefined).keyOf(context)).toBeUndefined();
  });

  test('has none either for inputs whose contents cannot be seen, and says so', () => {
    const problems: string[] = [];
    const inputs = [{ rows: 1, log: () => undefined }];
    expect(INPUTS.plus(RUN_ID).keyOf({ ...context, inputs }, (problem) => problems.push(problem))).toBeUndefined();
    expect(INPUTS.minus('log').keyOf({ ...context, inputs })).toBeDefined();
    expect(problems).toHaveLength(1);
  });
});

describe('a kept result', () => {
  let workspace: MemoryWorkspace;
  let link: MemoryLink;
  let computed = 0;

  beforeEach(async () => {
    workspace = await memoryWorkspace();
    const connected = await workspace.connect();
    ({ link } = connected);
    useClient(connected.client);
    computed = 0;
  });

  afterEach(async () => {
    useClient(undefined);
    await workspace.stop();
  });

  /** Calls the task in a flow run of its own. */
  const call = (options: TaskOptions<[input: unknown]>, input: unknown = 1): Promise<number> => {
    const compute = task({ name: 'compute', ...options }, (_: unknown) => (computed += 1));
    return flow({ name: 'nightly', resume: false }, () => compute(input))();
  };

  test('is used by equal calls of other runs, and by no others', async () => {
    expect([await call({ cachePolicy: INPUTS }), await call({ cachePolicy: INPUTS })]).toEqual([1, 1]);
    expect(await call({ cachePolicy: INPUTS }, 2)).toBe(2);
    expect(await call({ cachePolicy: INPUTS.plus(RUN_ID) })).toBe(3);
    expect(await call({ cachePolicy: ({ inputs }) => `mine ${String(inputs[0])}` })).toBe(4);
    expect(await call({ cachePolicy: ({ inputs }) => `mine ${String(inputs[0])}` })).toBe(4);
    expect(await call({ cachePolicy: NO_CACHE })).toBe(5);
  });

  test('of DEFAULT is used within its flow run, and of FLOW_PARAMETERS by runs with the same ones', async () => {
    const twice = task({ name: 'twice', cachePolicy: DEFAULT }, (_: number) => (computed += 1));
    const nightly = flow({ name: 'nightly', resume: false }, async () => [await twice(1), await twice(1)]);
    expect([await nightly(), await nightly()]).toEqual([
      [1, 1],
      [2, 2],
    ]);
    const daily = task({ name: 'daily', cachePolicy: FLOW_PARAMETERS }, () => (computed += 1));
    const byDay = flow({ name: 'by-day', resume: false }, (_: { day: number }) => daily());
    expect([await byDay({ day: 1 }), await byDay({ day: 2 }), await byDay({ day: 1 })]).toEqual([3, 4, 3]);
  });

  test('is not used any more when its time is over', async () => {
    const short = { cachePolicy: INPUTS, cacheExpiration: 30 } as const;
    expect([await call(short), await call(short)]).toEqual([1, 1]);
    const untilMs = performance.now() + 60;
    while (performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await call(short)).toBe(2);
  });

  test('is made anew where the task, or ASSENT_REFRESH_CACHE, says so', async () => {
    expect([await call({ cachePolicy: INPUTS }), await call({ cachePolicy: INPUTS, refreshCache: true })]).toEqual([
      1, 2,
    ]);
    expect(await call({ cachePolicy: INPUTS })).toBe(2);
    process.env['ASSENT_REFRESH_CACHE'] = '1';
    try {
      expect(await call({ cachePolicy: INPUTS })).toBe(3);
      expect(await call({ cachePolicy: INPUTS, refreshCache: false })).toBe(3);
    } finally {
      delete process.env['ASSENT_REFRESH_CACHE'];
    }
    expect(await call({ cachePolicy: INPUTS })).toBe(3);
  });

  test('is not kept of a call that cannot be told from others, or whose key fails: that is logged, and it runs', async () => {
    const log = (): void => undefined;
    expect([await call({ cachePolicy: INPUTS }, log), await call({ cachePolicy: INPUTS }, log)]).toEqual([1, 2]);
    const bad = (): never => {
      throw new RangeError('of the key');
    };
    expect(await call({ cachePolicy: RUN_ID.plus(bad) })).toBe(3);
    const logged = link.logged.map(({ lines }) => lines).join('');
    expect(logged).toContain("the result of task 'compute' is not kept: its inputs cannot be told from others");
    expect(logged).toContain('of the key');
  });

  test('that is being computed is waited for by default, and not with read-committed isolation', async () => {
    for (const [cacheIsolation, times] of [
      ['serializable', 1],
      ['read-committed', 3],
    ] as const) {
      let begun = 0;
      const { promise: on, resolve: goOn } = Promise.withResolvers<undefined>();
      const slow = task(
        { name: `slow ${cacheIsolation}`, cachePolicy: TASK_SOURCE.plus(({ task: name }) => name), cacheIsolation },
        async () => {
          begun += 1;
          await on;
          return begun;
        },
      );
      const nightly = flow({ name: 'nightly', resume: false }, () => slow());
      const runs = [nightly(), nightly(), nightly()];
      const isSettled = async (): Promise<boolean> => {
        const rulings = await workspace.rulings();
        const of = rulings.filter(
          ({ proposal: p }) => p.kind === 'task' && p.create?.name === `slow ${cacheIsolation}`,
        );
        return of.length >= 3;
      };
      while (!(await isSettled())) await new Promise((resolve) => setImmediate(resolve));
      goOn(undefined);
      await Promise.all(runs);
      expect(begun).toBe(times);
    }
  });

  test('is not made of a failure: whoever waited computes it', async () => {
    let fails = true;
    const shaky = task({ name: 'shaky', cacheKey: 'k' }, () => {
      computed += 1;
      if (fails) {
        fails = false;
        throw new Error('first');
      }
      return computed;
    });
    const nightly = flow({ name: 'nightly', resume: false }, () => shaky());
    const ends = await Promise.allSettled([nightly(), nightly()]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(computed).toBe(2);
  });
});

describe('two processes with the same key at the same time', () => {
  let scripts: ScriptFolder;
  beforeEach(async () => {
    scripts = await ScriptFolder.make();
  });
  afterEach(async () => {
    await scripts.remove();
  });

  test('compute it once', async () => {
    const first = scripts.run('features.ts');
    await first.line('COMPUTING');
    const second = scripts.run('features.ts');
    await second.line('ASKING');
    first.child.stdin?.write('go on\n');
    expect((await first.ended).out).toContain('FEATURES 42');
    expect((await second.ended).out).toBe('ASKING\nFEATURES 42');
    expect(await scripts.effects()).toEqual(['computed']);
  });

  test('compute it in the second, if the first is killed at it', async () => {
    const first = scripts.run('features.ts');
    await first.line('COMPUTING');
    const second = scripts.run('features.ts');
    await second.line('ASKING');
    first.child.kill('SIGKILL');
    await second.line('COMPUTING');
    second.child.stdin?.write('go on\n');
    expect((await second.ended).out).toBe('ASKING\nCOMPUTING\nFEATURES 42');
    expect(await scripts.effects()).toEqual(['computed']);
  }, 60_000);
});
