import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './markdown.ts';

type Ended = { readonly code: number; readonly lines: readonly string[] };

/** Runs `.ci/run` in a folder of its own, where `npm run check` prints `output` and ends with `code`. */
function ciRun(output: string, code: number): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'assent-ci-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  mkdirSync(join(folder, '.ci'));
  cpSync(join(ROOT, '.ci/run'), join(folder, '.ci/run'));
  writeFileSync(join(folder, 'output'), output);
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\n[ "$1" = ci ] && exit 0\ncat output\nexit ${String(code)}\n`);
  chmodSync(join(folder, 'npm'), 0o755);
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    execFile(join(folder, '.ci/run'), { env }, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code), lines: stdout.trimEnd().split('\n') });
    });
  });
}

test('the last line of CI is the count of vitest, and its exit code that of the check', async () => {
  const green = await ciRun(' Test Files  3 passed (3)\n      Tests  12 passed | 2 skipped (14)\n', 0);
  expect([green.code, green.lines.at(-1)]).toEqual([0, '12 passed, 0 failed']);
  const red = await ciRun('\x1b[2m      Tests \x1b[22m \x1b[31m1 failed\x1b[39m | \x1b[32m11 passed\x1b[39m (12)\n', 1);
  expect([red.code, red.lines.at(-1)]).toEqual([1, '11 passed, 1 failed']);
});

test('a check that fails before or beside the tests is not green', async () => {
  const before = await ciRun('/a.ts 1:1 error\n', 2);
  expect([before.code, ...before.lines.slice(-2)]).toEqual([
    2,
    'npm run check failed with exit code 2, but not in a test: see above.',
    '0 passed, 0 failed',
  ]);
  const beside = await ciRun('      Tests  5 passed (5)\n     Errors  1 error\n', 1);
  expect([beside.code, beside.lines.at(-1)]).toEqual([1, '5 passed, 0 failed']);
});
