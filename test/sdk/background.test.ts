/** Tasks in the background, by workers: what they are started with, how they end, and what survives. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import {
  cancelRun,
  disconnect,
  flow,
  flowRun,
  removeLimit,
  serve,
  setLimit,
  signal,
  task,
  taskRun,
  workers,
  type HookContext,
  type Worker,
} from '../../sdk/index.ts';

let dataDir: string;
let engine: Engine;
const children = new Set<ChildProcess>();
const serving = new Set<Worker>();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-background-'));
  process.env['ASSENT_DATA'] = dataDir;
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 2000 } });
});

afterEach(async () => {
  await Promise.all([...serving].map((worker) => worker.stop()));
  serving.clear();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await disconnect();
  await engine.stop();
  delete process.env['ASSENT_DATA'];
  await rm(dataDir, { recursive: true, force: true });
});

async function served(...all: Parameters<typeof serve>): Promise<Worker> {
  const worker = await serve(...all);
  serving.add(worker);
  return worker;
}

const linesIn = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);

describe('a task that is started in the background', () => {
  test('is retried as its options say, and knows itself; its flow run is itself', async () => {
    const stubborn = task({ name: 'stubborn', retries: 2, retryDelay: 10 }, (word: string) => {
      const { attempt, id, idempotencyKey, flowRunId } = taskRun();
      if (attempt < 3) throw new Error('not yet');
      return { word, attempt, id, idempotencyKey, flowRunId };
    });
    await served([stubborn]);
    const run = await stubborn.delay('hm');
    const { id } = run;
    expect(await run.result()).toEqual({ word: 'hm', attempt: 3, id, idempotencyKey: id, flowRunId: id });
  });

  test('fails with its own error when its retries are used up, and is timed out when it takes too long', async () => {
    const failing = task({ name: 'failing', retries: 1 }, () => {
      throw new RangeError(`attempt ${String(taskRun().attempt)}`);
    });
    const slow = task({ name: 'slow', timeout: '300ms' }, () => pause(60_000, undefined, { signal: signal() }));
    await served([failing, slow]);
    const [one, two] = await Promise.all([failing.delay(), slow.delay()]);
    await expect(one.result()).rejects.toThrow(new RangeError('attempt 2'));
    await expect(two.result()).rejects.toMatchObject({ kind: 'TIMED_OUT' });
  });

  test('is cancelled at work: its signal is aborted', async () => {
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const reasons: unknown[] = [];
    const waiting = task({ name: 'waiting' }, async () => {
      begun();
      await pause(60_000, undefined, { signal: signal() }).catch(() => undefined);
      reasons.push((signal().reason as { kind?: string }).kind);
    });
    await served([waiting]);
    const run = await waiting.delay();
    await beginning;
    await run.cancel('no more');
    await expect(run.result()).rejects.toMatchObject({ kind: 'CANCELLED' });
    expect(reasons).toEqual(['CANCELLED']);
  });

  test('is started once by a flow, however often the flow is executed; by two calls, twice', async () => {
    const quick = task({ name: 'quick' }, (n: number) => n);
    await served([quick], { queue: 'once' });
    const ids: string[][] = [];
    const starter = flow({ name: 'starter', retries: 1, resume: false }, async () => {
      const here = quick.with({ runner: workers({ queue: 'once' }) });
      const runs = await Promise.all([here.delay(1), here.delay(1), here.delay(2)]);
      ids.push(runs.map(({ id }) => id));
      if (ids.length === 1) throw new Error('once more');
      return Promise.all(runs.map((run) => run.result()));
    });
    expect(await starter()).toEqual([1, 1, 2]);
    expect(ids[0]).toEqual(ids[1]);
    expect(new Set(ids[0]).size).toBe(3);
  });

  test('that shares a cache key with one at work waits for it, and is answered with its result', async () => {
    let computed = 0;
    const features = task({ name: 'features', cacheKey: (n: number) => `features-${String(n)}` }, async (n: number) => {
      computed += 1;
      await pause(200);
      return n * computed;
    });
    await served([features]);
    const runs = await Promise.all([features.delay(3), features.delay(3), features.delay(3)]);
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([3, 3, 3]);
    expect(computed).toBe(1);
  });
});

test('two flow runs that compute the same at once compute it once', async () => {
  let computed = 0;
  const features = task({ name: 'shared', cacheKey: 'shared-features' }, async () => {
    computed += 1;
    await pause(200);
    return `computed ${String(computed)}`;
  });
  const train = flow({ name: 'train', resume: false }, () => features());
  expect(await Promise.all([train(), train(), train()])).toEqual(['computed 1', 'computed 1', 'computed 1']);
});

describe('a hook of a run that ended in nobody’s hands', () => {
  test('is called by a worker, with what the run was started with and how it ended', async () => {
    const heard: HookContext[] = [];
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => (tell = resolve));
    const onCancellation = (context: HookContext): void => {
      heard.push(context);
      tell();
    };
    const never = task({ name: 'never', onCancellation, runner: workers({ queue: 'hooks' }) }, (n: number) => n);
    const run = await never.delay(7);
    await cancelRun(run.id, 'not needed');
    const events: string[] = [];
    await served([never], { queue: 'hooks', onRun: ({ type, detail = '' }) => events.push(`${type} ${detail}`) });
    await told;
    expect(heard).toMatchObject([
      { kind: 'task', name: 'never', runId: run.id, inputs: [7], state: { type: 'CANCELLED', name: 'Cancelled' } },
    ]);
    expect((heard[0]?.state.error as { kind?: string }).kind).toBe('CANCELLED');
    while (events.length === 0) await pause(10);
    expect(events).toEqual(['HOOK onCancellation']);
  });

  test('is not called by a worker when the worker itself saw the end', async () => {
    const calls: string[] = [];
    const seen = task({ name: 'seen', onCompletion: ({ state }) => calls.push(state.name) }, () => 1);
    await served([seen]);
    await (await seen.delay()).result();
    await Promise.all([...serving].map((worker) => worker.stop()));
    expect(calls).toEqual(['Completed']);
  });
});

type Script = { readonly child: ChildProcess; line(start: string): Promise<string> };

function script(path: string, ...args: readonly string[]): Script {
  const child = spawn(process.execPath, [join(import.meta.dirname, path), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const lines: string[] = [];
  const looks = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const look of [...looks]) look();
  });
  return {
    child,
    line: (start) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.find((line) => line.startsWith(start));
          if (found !== undefined) resolve(found);
        };
        looks.add(look);
        look();
      }),
  };
}

describe('a flow whose tasks run in workers', () => {
  test('that is killed meets their work again when it is started again: nothing is done twice', async () => {
    const file = join(dataDir, 'attached.txt');
    await script('../contract/task-worker.ts', 'attached', '3').line('READY');
    const first = script('scripts/spread.ts', file, 'attached');
    const run = await first.line('RUN');
    while (linesIn(file).filter((line) => line.startsWith('begin')).length < 3) await pause(10);
    first.child.kill('SIGKILL');
    await once(first.child, 'close');
    const second = script('scripts/spread.ts', file, 'attached');
    expect(await second.line('SUM')).toBe('SUM 6');
    expect(await second.line('RUN')).toBe(run);
    expect(linesIn(file).filter((line) => line.startsWith('begin'))).toHaveLength(3);
  });

  test('that is cancelled cancels their work, also what no worker has taken yet', async () => {
    const lines: string[] = [];
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const long = task({ name: 'long', limits: ['one-at-a-time'] }, async (n: number) => {
      begun();
      await pause(60_000, undefined, { signal: signal() }).catch(() => undefined);
      lines.push(`${String(n)}: ${(signal().reason as { kind: string }).kind}`);
    });
    await setLimit('one-at-a-time', 1);
    await served([long], { queue: 'stopped', slots: 2 });
    let id = '';
    const stopped = flow({ name: 'stopped', resume: false, taskRunner: workers({ queue: 'stopped' }) }, async () => {
      id = flowRun().id;
      await long.map([1, 2, 3, 4]).results();
    });
    const running = stopped();
    await beginning;
    await cancelRun(id, 'enough');
    await expect(running).rejects.toMatchObject({ kind: 'CANCELLED' });
    await Promise.all([...serving].map((worker) => worker.stop()));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/: CANCELLED$/);
    await removeLimit('one-at-a-time');
  });

  test('that fails and is tried again has the failed work done anew, and the completed work not', async () => {
    const file = join(dataDir, 'anew.txt');
    const good = task({ name: 'good' }, () => {
      appendFileSync(file, 'good\n');
    });
    const bad = task({ name: 'bad' }, (attempt: number) => {
      appendFileSync(file, `bad ${String(attempt)}\n`);
      if (linesIn(file).filter((line) => line.startsWith('bad')).length === 1) throw new Error('the first time');
    });
    await served([good, bad], { queue: 'anew' });
    const runner = workers({ queue: 'anew' });
    const tried = flow({ name: 'tried', retries: 1, resume: false, taskRunner: runner }, async () => {
      await good();
      await bad(0);
      return flowRun().attempt;
    });
    expect(await tried()).toBe(2);
    expect(linesIn(file)).toEqual(['good', 'bad 0', 'bad 0']);
  });
});

test('a script that calls its flow at the top may have its tasks in threads: the flow runs once', async () => {
  const file = join(dataDir, 'threaded.txt');
  const threaded = script('scripts/threaded.ts', file);
  const closed = once(threaded.child, 'close');
  expect(await threaded.line('[')).toBe('[true,true,true]');
  const [code] = (await closed) as [number];
  expect(code).toBe(0);
  expect(linesIn(file).sort()).toEqual(['flow', 'heard 3', 'other', 'task 1', 'task 2', 'task 3']);
});
