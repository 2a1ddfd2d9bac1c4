/** The package as a user gets it: packed, installed into an empty project, used by a plain script and the command line. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../..', import.meta.url).pathname;
let project = '';

const SCRIPT = `
import { flow, task } from 'assent';

const flaky = task({ retries: 2, retryDelay: '50ms' }, async function flaky(n) {
  flaky.calls = (flaky.calls ?? 0) + 1;
  if (flaky.calls === 1) throw new TypeError('the first call fails');
  return { n, at: new Date(0), big: 2n ** 70n };
});

const main = flow({ name: 'from-a-tarball' }, async ({ n }) => flaky(n));
const result = await main({ n: 42 });
console.log(JSON.stringify({ n: result.n, isDate: result.at instanceof Date, big: String(result.big) }));
`;

/** Without fast-check, which is asked for only by those who want it. */
const TESTED = `
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { flow } from 'assent';
import { failed, given, running, runInVirtualTime } from 'assent/testing';

given(running()).propose(failed('boom')).with({ retry: { retriesMax: 1 } }).expectRewritten({ name: 'AwaitingRetry' });
assert.throws(() => given(running()).propose(failed('boom')).expectHeld(), /was to be held, but it was accepted/);
const week = flow({ name: 'week' }, async () => {
  await setTimeout(7 * 86_400_000);
  return 'over';
});
const run = await runInVirtualTime(week);
console.log(run.value(), run.tookMs / 86_400_000);
`;

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'assent-e2e-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', project], {
    cwd: ROOT,
  });
  const tarball = join(project, stdout.trim().split('\n').at(-1) ?? '');
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'a-user', private: true, type: 'module' }));
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: project });
  writeFileSync(join(project, 'flow.js'), SCRIPT);
  writeFileSync(join(project, 'tested.js'), TESTED);
}, 120_000);

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

test('a plain script runs a flow, retries, and ends by itself', async () => {
  const { stdout } = await run(process.execPath, ['flow.js'], { cwd: project, timeout: 60_000 });
  expect(JSON.parse(stdout)).toEqual({ n: 42, isDate: true, big: String(2n ** 70n) });
});

test('rules and flows are tested with nothing but the package', async () => {
  const { stdout } = await run(process.execPath, ['tested.js'], { cwd: project, timeout: 60_000 });
  expect(stdout).toBe('over 7\n');
});

test('its types are checked with everything else, by the strictest of users', async () => {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    module: 'nodenext',
    target: 'esnext',
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
  writeFileSync(
    join(project, 'typed.ts'),
    `import { task } from 'assent';
    import type { Rule } from 'assent/rules';
    export const half = task({ name: 'half' }, (n: number) => n / 2);
    export type All = [typeof half, Rule];`,
  );
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', project], { timeout: 60_000 }).catch(
    (error: unknown) => error as { stdout: string },
  );
  expect(stdout).toBe('');
}, 90_000);

test('the command line of the package says why', async () => {
  const assent = join(project, 'node_modules/.bin/assent');
  const env = { ...process.env, PATH: `${process.execPath.replace(/\/[^/]+$/, '')}:${process.env['PATH'] ?? ''}` };
  const options = { cwd: project, env, timeout: 60_000 };
  const runs = await run(assent, ['runs', 'ls', '-o', 'json'], options);
  const id = /"(?:id|run)":\s*"([a-z0-9]{16})"/.exec(runs.stdout)?.[1];
  expect(id).toBeDefined();
  const why = await run(assent, ['why', id ?? ''], options);
  expect(why.stdout).toContain('retry-failed-task');
  expect(why.stdout).toContain('the first call fails');
});
