/** Plain scripts with a real engine, which they start themselves: nothing else runs when a test begins. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptFolder } from './script-process.ts';

let scripts: ScriptFolder;

beforeEach(async () => {
  scripts = await ScriptFolder.make();
});

afterEach(() => scripts.remove());

test('a script with no engine about starts one, prints its result, exits, and the engine exits after it', async () => {
  const { out, code } = await scripts.run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 1 });
  expect(code).toBe(0);
  await scripts.engineGone();
  expect(existsSync(join(scripts.folder, 'data', 'engine.json'))).toBe(false);
});

test('scripts that start at once share one engine', async () => {
  const outs = await Promise.all(
    [scripts.run('letters.ts'), scripts.run('letters.ts'), scripts.run('letters.ts')].map((script) => script.ended),
  );
  for (const { out, code } of outs) expect([JSON.parse(out), code]).toEqual([{ done: 'ABCDE', attempt: 1 }, 0]);
});

test('a script that was killed in the middle goes on where it was when it is started again', async () => {
  await scripts.run('letters.ts', { DIE_AT: 'd' }).ended;
  expect(await scripts.effects()).toEqual(['a', 'b', 'c']);
  const { out } = await scripts.run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 2 });
  expect(await scripts.effects()).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('it does so at once, even if its engine went with it', async () => {
  await scripts.run('letters.ts', { DIE_AT: 'c' }).ended;
  await scripts.engineGone();
  const beganMs = performance.now();
  const { out } = await scripts.run('letters.ts').ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 2 });
  // Not after the ten seconds of silence by which an arbiter alone would know.
  expect(performance.now() - beganMs).toBeLessThan(8000);
});

test('ASSENT_FRESH begins anew', async () => {
  await scripts.run('letters.ts', { DIE_AT: 'd' }).ended;
  const { out } = await scripts.run('letters.ts', { ASSENT_FRESH: '1' }).ended;
  expect(JSON.parse(out)).toEqual({ done: 'ABCDE', attempt: 1 });
});

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'a script whose engine ends by %s starts another and goes on',
  async (signal) => {
    const script = scripts.run('slow.ts');
    await script.line('MIDDLE');
    const engine = await scripts.enginePid();
    process.kill(engine, signal);
    await scripts.engineGone(engine);
    script.child.stdin?.write('go on\n');
    expect(await script.ended).toMatchObject({ out: 'MIDDLE\nSUM 21', code: 0 });
    expect(await scripts.effects()).toEqual(['1', '2', '3', '4', '5', '6']);
  },
);

test('an engine that cannot start is a clear error with the end of its log', async () => {
  await writeFile(join(scripts.folder, 'not-nats'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  const child = scripts.run('letters.ts', { ASSENT_NATS_SERVER: join(scripts.folder, 'not-nats') });
  const { code } = await child.ended;
  expect(code).toBe(1);
  expect(await readFile(join(scripts.folder, 'data', 'engine.log'), 'utf8')).toContain('not-nats');
});

test('runs that were started elsewhere are executed by a worker, and their results and errors come back', async () => {
  const driver = scripts.run('driver.ts');
  const worker = scripts.run('worker.ts');
  await worker.line('READY');
  const { out } = await driver.ended;
  expect(out.split('\n')).toEqual([
    JSON.stringify([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n * n, (n + 1) * (n + 1)])),
    'thirteen brings bad luck',
  ]);
  worker.child.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ out: 'READY\nSTOPPED', code: 0 });
});
