/** Plain scripts with a real engine, which they start themselves: nothing else runs when a test begins. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from '../../sdk/client/target.ts';

let folder: string;
const children = new Set<ChildProcess>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-script-'));
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await engineGone();
  await rm(folder, { recursive: true, force: true });
});

type Script = {
  readonly child: ChildProcess;
  /** Resolves when it prints a line that begins so. */
  line(start: string): Promise<string>;
  /** Resolves with all that it printed, and its exit code. */
  readonly ended: Promise<{ out: string; code: number | null }>;
};

function run(script: string, env: Record<string, string> = {}): Script {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'scripts', script), join(folder, 'effects.txt')], {
    cwd: folder,
    env: { ...process.env, ASSENT_DATA: join(folder, 'data'), ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.add(child);
  const lines: string[] = [];
  const waiting: { start: string; tell: (line: string) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const { start, tell } of waiting) if (line.startsWith(start)) tell(line);
  });
  return {
    child,
    line: (start) =>
      new Promise((tell) => {
        const known = lines.find((line) => line.startsWith(start));
        if (known === undefined) waiting.push({ start, tell });
        else tell(known);
      }),
    ended: once(child, 'close').then(([code]) => ({ out: lines.join('\n'), code: code as number | null })),
  };
}

const enginePid = async (): Promise<number> => {
  const text = await readFile(join(folder, 'data', 'engine.json'), 'utf8').catch(() => '{}');
  return (JSON.parse(text) as { pid?: number }).pid ?? 0;
};

/** An engine that nobody needs exits by itself. */
async function engineGone(which?: number): Promise<void> {
  const pid = which ?? (await enginePid());
  while (pid > 0 && isAlive(pid)) await pause(50);
}

const effects = async (): Promise<string[]> => (await readFile(join(folder, 'effects.txt'), 'utf8')).trim().split('\n');

test('a script with no engine about starts one, prints its result, exits, and the engine exits after it', async () => {
  const { out, code } = await run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 1 });
  expect(code).toBe(0);
  await engineGone();
  expect(existsSync(join(folder, 'data', 'engine.json'))).toBe(false);
});

test('scripts that start at once share one engine', async () => {
  const outs = await Promise.all(
    [run('letters.ts'), run('letters.ts'), run('letters.ts')].map((script) => script.ended),
  );
  for (const { out, code } of outs) expect([JSON.parse(out), code]).toEqual([{ done: 'ABCDE', attempt: 1 }, 0]);
});

test('a script that was killed in the middle goes on where it was when it is started again', async () => {
  await run('letters.ts', { DIE_AT: 'd' }).ended;
  expect(await effects()).toEqual(['a', 'b', 'c']);
  const { out } = await run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 2 });
  expect(await effects()).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('it does so at once, even if its engine went with it', async () => {
  await run('letters.ts', { DIE_AT: 'c' }).ended;
  await engineGone();
  const beganMs = performance.now();
  const { out } = await run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 2 });
  // Not after the ten seconds of silence by which an arbiter alone would know.
  expect(performance.now() - beganMs).toBeLessThan(8000);
});

test('ASSENT_FRESH begins anew', async () => {
  await run('letters.ts', { DIE_AT: 'd' }).ended;
  const { out } = await run('letters.ts', { ASSENT_FRESH: '1' }).ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 1 });
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a script whose engine ends by %s starts another and goes on',
  async (signal) => {
    const script = run('slow.ts');
    await script.line('MIDDLE');
    const engine = await enginePid();
    process.kill(engine, signal);
    await engineGone(engine);
    script.child.stdin?.write('go on\n');
    expect(await script.ended).toMatchObject({ out: 'MIDDLE\nSUM 21', code: 0 });
    expect(await effects()).toEqual(['1', '2', '3', '4', '5', '6']);
  },
);

test('an engine that cannot start is a clear error with the end of its log', async () => {
  await writeFile(join(folder, 'not-nats'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  const child = run('letters.ts', { ASSENT_NATS_SERVER: join(folder, 'not-nats') });
  const { code } = await child.ended;
  expect(code).toBe(1);
  expect(await readFile(join(folder, 'data', 'engine.log'), 'utf8')).toContain('not-nats');
});

test('runs that were started elsewhere are executed by a worker, and their results and errors come back', async () => {
  const driver = run('driver.ts');
  const worker = run('worker.ts');
  await worker.line('READY');
  const { out } = await driver.ended;
  expect(out.split('\n')).toEqual([
    JSON.stringify([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n * n, (n + 1) * (n + 1)])),
    'thirteen brings bad luck',
  ]);
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ out: 'READY\nSTOPPED', code: 0 });
});
