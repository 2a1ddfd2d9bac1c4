/** `assent worker`: a process that serves what files export, from the built package. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../engine/cli/exit-codes.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import { disconnect, startRun } from '../../sdk/index.ts';
import { assentOn, type Assent, type Running } from './assent.ts';
import { greet, nap, naps, shout, stumble } from './worker-flows.ts';

const FILE = 'test/cli/worker-flows.ts';
let dataDir: string;
let engine: Engine;
let assent: Assent;
const running = new Set<Running>();

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-worker-'));
  process.env['ASSENT_DATA'] = dataDir;
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 2000 } });
  assent = assentOn(dataDir);
});

afterEach(() => {
  for (const { child } of running) child.kill('SIGKILL');
  running.clear();
});

afterAll(async () => {
  await disconnect();
  await engine.stop();
  delete process.env['ASSENT_DATA'];
  await rm(dataDir, { recursive: true, force: true });
});

type Inspected = { readonly attempt: number; readonly resumes: number; readonly calls: readonly { attempt: number }[] };

async function worker(...more: readonly string[]): Promise<Running> {
  const started = assent.start(['worker', FILE, ...more]);
  running.add(started);
  await started.noted('Ctrl-C ends it');
  return started;
}

describe('a worker', () => {
  test('says what it serves and what it does, and does it', async () => {
    const serving = await worker('--slots', '3');
    const flowRun = await startRun(greet, { who: 'ada' });
    const taskRun = await shout.delay('bea');
    const failing = await stumble.delay();
    expect([await flowRun.result(), await taskRun.result()]).toEqual(['HELLO ADA', 'BEA']);
    await expect(failing.result()).rejects.toThrow('over its feet');
    await serving.noted('failed after');
    const ids = async (...args: readonly string[]): Promise<string[]> =>
      (await assent.json<{ run: string }[]>('runs', 'ls', ...args)).map(({ run }) => run);
    expect(await ids()).toEqual([flowRun.id]);
    expect(await ids('--tasks')).toEqual([failing.id, taskRun.id]);
    expect(await ids('--all')).toEqual([failing.id, taskRun.id, flowRun.id]);
    expect((await assent('runs', 'ls', '--all')).stdout).toMatch(/^RUN +KIND +NAME .*\n\w+ +task +stumble +Failed/);
    expect((await assent('why', taskRun.id)).stdout).toContain(
      `task run in the background ${taskRun.id} (shout): Completed`,
    );
    serving.child.kill('SIGINT');
    const { stderr, stdout, code } = await serving.ended;
    expect([code, stdout]).toEqual([EXIT.ok, '']);
    expect(stderr).toContain(
      "Serving queue 'default' of pool 'default', 3 runs at once: flows greet, naps; tasks nap, shout, stumble. Ctrl-C ends it.",
    );
    expect(stderr).toMatch(new RegExp(`flow greet “of ada” ${flowRun.id} begins\n`));
    expect(stderr).toMatch(new RegExp(`flow greet “of ada” ${flowRun.id} done in `));
    expect(stderr).toMatch(new RegExp(`task shout ${taskRun.id} done in `));
    expect(stderr).toMatch(new RegExp(`task stumble ${failing.id} begins, attempt 2\n`));
    expect(stderr).toMatch(new RegExp(`task stumble ${failing.id} failed after .+: TypeError: over its feet\n`));
  });

  test('with -o json says it in lines of JSON', async () => {
    const serving = await worker('-o', 'json', '--queue', 'documents');
    await serving.said('SERVING');
    serving.child.kill('SIGTERM');
    const { stdout, code } = await serving.ended;
    expect(code).toBe(EXIT.ok);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'SERVING', queue: 'documents', flows: ['greet', 'naps'] });
  });

  test('that is told to end finishes what it has', async () => {
    const serving = await worker();
    const run = await nap.delay(1000);
    await serving.noted(`task nap ${run.id} begins`);
    serving.child.kill('SIGINT');
    await serving.noted('Finishing 1 run, taking no more; Ctrl-C again leaves at once.');
    expect((await serving.ended).code).toBe(EXIT.ok);
    expect(await run.result()).toBe(1000);
  });

  test('that is told to end gives back what is not done within its grace, between two tasks', async () => {
    const first = await worker('--grace', '0s');
    const run = await startRun(naps);
    await first.noted(`flow naps ${run.id} begins`);
    first.child.kill('SIGTERM');
    await first.noted('Flow runs that are not done in 0s go on in another worker, when their tasks at work are done.');
    const { code, stderr } = await first.ended;
    expect([code, stderr]).toEqual([EXIT.ok, expect.stringContaining(`flow naps ${run.id} is Suspended after`)]);
    await worker();
    expect(await run.result()).toBe('rested');
    const { stdout } = await assent('runs', 'inspect', run.id, '-o', 'json');
    const { attempt, resumes, calls } = JSON.parse(stdout) as Inspected;
    expect([attempt, resumes, ...calls.map((call) => call.attempt)]).toEqual([1, 0, 1, 1, 1, 1]);
  });

  test('that is told twice leaves at once, and the run goes on in the next', async () => {
    const first = await worker();
    const run = await nap.delay(1500);
    await first.noted(`task nap ${run.id} begins`);
    first.child.kill('SIGINT');
    await first.noted('Finishing');
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(EXIT.interrupted);
    const second = await worker();
    expect(await run.result()).toBe(1500);
    await second.noted(`task nap ${run.id} begins, attempt 2`);
  });
});

describe('a worker does not begin', () => {
  test.each([
    { what: 'without a file', args: ['worker'], code: EXIT.usage, says: 'missing required argument' },
    { what: 'with a file that is not there', args: ['worker', 'nowhere.ts'], code: EXIT.notFound, says: 'no file' },
    {
      what: 'with a file that exports nothing to serve',
      args: ['worker', 'test/cli/assent.ts'],
      code: EXIT.notFound,
      says: 'exports neither a flow nor a task',
    },
    { what: 'with no slots', args: ['worker', FILE, '--slots', '0'], code: EXIT.usage, says: 'whole number' },
    {
      what: 'with a grace of no time',
      args: ['worker', FILE, '--grace', 'soon'],
      code: EXIT.usage,
      says: '--grace is',
    },
    { what: 'in a queue of no name', args: ['worker', FILE, '--queue', 'a b'], code: EXIT.usage, says: '--queue has' },
  ])('$what', async ({ args, code, says }) => {
    const ended = await assent(...args);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toContain(says);
  });

  test('when it is only asked for help, which says who starts runs for it', async () => {
    const { stdout, code } = await assent('worker', '--help');
    expect(code).toBe(EXIT.ok);
    for (const word of ['startRun(flow)', 'task.delay(…)', 'workers()', 'Ctrl-C', '--queue'])
      expect(stdout).toContain(word);
  });
});
