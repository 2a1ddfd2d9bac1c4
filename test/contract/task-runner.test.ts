/** The runners' contract on each of them, with a real engine, real threads and real worker processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { concurrent, disconnect, flow, threads, workers, type TaskRunner } from '../../sdk/index.ts';
import { assentOn } from '../cli/assent.ts';
import { linesIn, noted, testRunnerContract, type RunnerUnderTest } from './task-runner.contract.ts';
import * as tasks from './task-runner.tasks.ts';

let dataDir: string;
let engine: Engine;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-runners-'));
  process.env['ASSENT_DATA'] = dataDir;
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3000 } });
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await disconnect();
  await engine.stop();
  delete process.env['ASSENT_DATA'];
  await rm(dataDir, { recursive: true, force: true });
});

/** Resolves when it serves. */
async function startWorker(queue: string, slots = 10): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'task-worker.ts');
  const child = spawn(process.execPath, [script, queue, String(slots)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  await once(child.stdout, 'data');
  return child;
}

const logOf = async (run: string): Promise<string> => (await assentOn(dataDir)('runs', 'logs', run)).stdout;
const underTest = (runner: RunnerUnderTest['runner']): RunnerUnderTest => ({ runner, logOf });

describe('in the process', () => {
  const given = underTest((limit) => concurrent(limit === undefined ? {} : { limit }));
  testRunnerContract('the process', () => given);
});

describe('in threads', () => {
  const one = threads({ maxThreads: 4, grace: '3s' });
  const given = underTest((limit) => (limit === undefined ? one : threads({ maxThreads: limit })));
  testRunnerContract('threads', () => given);

  const inThreads = <T>(act: () => Promise<T>, runner: TaskRunner = one): Promise<T> =>
    flow({ name: 'threaded', resume: false, taskRunner: runner }, act)() as Promise<T>;

  test('one that never looks up is ended with its thread when its time is over, and others go on', async () => {
    const file = join(dataDir, 'endless.txt');
    const single = threads({ maxThreads: 1, grace: '100ms' });
    // The thread has loaded its file before the time runs.
    await inThreads(() => tasks.echo('first'), single);
    await expect(inThreads(() => tasks.endless(file), single)).rejects.toMatchObject({ kind: 'TIMED_OUT' });
    expect(linesIn(file)).toEqual(['begun']);
    expect(await inThreads(() => tasks.echo('next'), single)).toBe('next');
  });

  test('one that ends its thread fails with THREAD_ENDED, and others go on', async () => {
    await expect(inThreads(() => tasks.exits())).rejects.toThrow(
      /The thread of task 'exits' ended: .*exited with code: \d+/,
    );
    expect(await inThreads(() => tasks.echo('next'))).toBe('next');
  });

  test('what cannot be sent there is said to be so, with its place', async () => {
    const failing = inThreads(() => tasks.echo({ deep: [() => undefined] }));
    await expect(failing).rejects.toMatchObject({
      kind: 'VALUE_NOT_SERIALIZABLE',
      detail: expect.stringContaining('deep[0]') as string,
    });
  });

  test('one that is defined in a function cannot be found there, and says so', async () => {
    const hidden = tasks.echo.with({ name: 'hidden' });
    expect(await inThreads(() => hidden('seen'))).toBe('seen');
    const local = tasks.definedLater();
    await expect(inThreads(() => local())).rejects.toMatchObject({ kind: 'TASK_NOT_FOUND' });
  });
});

describe('in workers', () => {
  beforeAll(async () => {
    await Promise.all([startWorker('contract'), startWorker('contract')]);
  });
  const given = underTest((limit) => workers({ queue: 'contract', ...(limit === undefined ? {} : { limit }) }));
  testRunnerContract('workers', () => given);

  const spread = (file: string, queue: string, ms: number): Promise<number[]> =>
    flow({ name: 'spread', resume: false, taskRunner: workers({ queue }) }, () =>
      tasks.works.map([1, 2, 3, 4, 5, 6], file, ms).results(),
    )();

  test('a map is spread over them', async () => {
    const file = join(dataDir, 'spread.txt');
    await Promise.all([startWorker('spread', 2), startWorker('spread', 2)]);
    expect(await spread(file, 'spread', 300)).toEqual([1, 2, 3, 4, 5, 6]);
    const pids = linesIn(file).map((line) => line.split(' ')[2]);
    expect(new Set(pids).size).toBe(2);
    expect(linesIn(file)).toHaveLength(12);
  });

  test('of a worker that is killed in the middle, another does the work, and none that has completed is done twice', async () => {
    const file = join(dataDir, 'killed.txt');
    const doomed = await startWorker('killed', 3);
    const running = spread(file, 'killed', 600);
    // The first three are done, the next three are at work.
    await noted(file, /^end 3 /);
    while (linesIn(file).filter((line) => line.startsWith('begin')).length < 6) await noted(file, /^begin 6 /);
    doomed.kill('SIGKILL');
    await startWorker('killed', 3);
    expect(await running).toEqual([1, 2, 3, 4, 5, 6]);
    const ended = linesIn(file).filter((line) => line.startsWith('end'));
    expect(ended.map((line) => line.split(' ')[1]).sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});
