/** Waits that outlive their processes: real ones, killed, with a real engine that they start themselves. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import type { RunView } from '../../protocol/messages.ts';
import { currentClient } from '../../sdk/client/connect.ts';
import { isAlive } from '../../sdk/client/target.ts';
import { disconnect, emitEvent, resumeRun, startRun } from '../../sdk/index.ts';
import { trial } from './scripts/waiting-flows.ts';

let folder: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-waiting-'));
  // This process is somebody who looks, answers and starts things.
  process.env['ASSENT_DATA'] = join(folder, 'data');
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await disconnect();
  delete process.env['ASSENT_DATA'];
  const text = await readFile(join(folder, 'data', 'engine.json'), 'utf8').catch(() => '{}');
  const { pid = 0 } = JSON.parse(text) as { pid?: number };
  while (pid > 0 && isAlive(pid)) await pause(50);
  await rm(folder, { recursive: true, force: true });
});

type Script = {
  readonly child: ChildProcess;
  /** Resolves with the rest of the first line that begins so. */
  said(start: string): Promise<string>;
  /** Resolves with what its flow gave. */
  readonly gave: Promise<string>;
};

function run(which: string, given = '', env: Record<string, string> = {}): Script {
  const script = join(import.meta.dirname, 'scripts', 'waiting.ts');
  const child = spawn(process.execPath, [script, join(folder, 'effects.txt'), which, given], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const lines: string[] = [];
  const waiting: { start: string; tell: (rest: string) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const { start, tell } of waiting) if (line.startsWith(start)) tell(line.slice(start.length + 1));
  });
  const said = (start: string): Promise<string> =>
    new Promise((tell) => {
      const known = lines.find((line) => line.startsWith(start));
      if (known === undefined) waiting.push({ start, tell });
      else tell(known.slice(start.length + 1));
    });
  return { child, said, gave: said('GAVE') };
}

async function kill({ child }: Script): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

const effects = async (): Promise<string[]> => (await readFile(join(folder, 'effects.txt'), 'utf8')).trim().split('\n');

/** The run when it is paused, in an execution after `execution`. */
async function paused(run: string, execution = 0): Promise<RunView> {
  const client = await currentClient();
  for (;;) {
    const view = await client.runView(run as RunId);
    if (view?.state.type === 'PAUSED' && view.execution > execution) return view;
    await pause(20);
  }
}

test('killed while it sleeps, a script sleeps on when it is started again, and not less', async () => {
  const first = run('nap');
  const asleepMs = Number(await first.said('ASLEEP'));
  await kill(first);
  const awakeMs = Number(await run('nap').gave);
  // The sleep began a little before it was said that it had.
  expect(awakeMs - asleepMs).toBeGreaterThan(2500);
  expect(await effects()).toEqual(['asleep', 'awake']);
});

test('killed while it is paused, a script asks again, and goes on with the answer', async () => {
  const first = run('approval');
  const id = await first.said('RUN');
  const { execution } = await paused(id);
  await kill(first);
  const second = run('approval');
  expect(await paused(id, execution)).toMatchObject({ state: { key: 'approval' } });
  await resumeRun(id, { by: 'Ada' });
  expect(await second.gave).toBe('Ada');
  expect(await effects()).toEqual(['asked', 'answered']);
});

test('killed after it was resumed, before it heard of it, a script goes on with the answer', async () => {
  const first = run('approval');
  const id = await first.said('RUN');
  await paused(id);
  first.child.kill('SIGSTOP');
  await resumeRun(id, { by: 'Ada' });
  await kill(first);
  expect(await run('approval').gave).toBe('Ada');
  expect(await effects()).toEqual(['asked', 'answered']);
});

test('a worker lets go of a run that sleeps; it is killed, and another goes on with it', async () => {
  const first = run('worker');
  await first.said('READY');
  const started = await startRun(trial);
  await first.said('SUSPENDED');
  await kill(first);
  const second = run('worker');
  expect(await started.result()).toBe('over');
  const pids = [first, second].map(({ child }) => String(child.pid));
  expect(await effects()).toEqual([`begun ${String(pids[0])}`, `over ${String(pids[1])}`]);
});

test('two scripts send each other messages; one of them is killed in the middle and started again', async () => {
  const ping = run('ping');
  const id = await ping.said('RUN');
  const [, signal] = (await once(run('pong', id, { DIE_AT: '2' }).child, 'exit')) as [unknown, string];
  expect(signal).toBe('SIGKILL');
  const pong = run('pong', id);
  expect(await ping.gave).toBe('0! 1! 2! 3! 4!');
  expect(await pong.gave).toBe('played');
});

test('an event is heard by two scripts', async () => {
  const both = [run('listens', 'one'), run('listens', 'two')];
  await Promise.all(both.map((script) => script.said('LISTENING')));
  await emitEvent('launch', { at: new Date('2027-01-01T00:00:00Z') });
  expect(await Promise.all(both.map((script) => script.gave))).toEqual(['2027', '2027']);
});
