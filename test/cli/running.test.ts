/** `assent run`, with the engine that it starts for itself. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunDetail, RunRow } from '../../protocol/query.ts';
import { lives } from '../../engine/server/processes.ts';
import { readConnectionFile } from '../../engine/server/connection-file.ts';
import { assentOn, follow, PROJECT, type Assent } from './assent.ts';

const FLOWS = 'test/cli/flows.ts';

let dataDir: string;
let assent: Assent;
let keeper: ReturnType<Assent['start']>;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-run-'));
  assent = assentOn(dataDir);
  // One engine for all of these, so that it has not to be started for each.
  keeper = assent.start(['server', '--durability', 'process', '--grace', '2s']);
  await keeper.noted('is ready');
});
afterAll(async () => {
  expect(await assent('replay', '--facts')).toMatchObject({ code: 0 });
  keeper.child.kill('SIGTERM');
  expect((await keeper.ended).code).toBe(0);
  await rm(dataDir, { recursive: true, force: true });
});

const newest = async (): Promise<RunRow> => (await assent.json<RunRow[]>('runs', 'ls', '--limit', '1'))[0]!;

describe('assent run', () => {
  test('prints the result, and plain lines about what happened on the way', async () => {
    const { code, stdout, stderr } = await assent(
      'run',
      `${FLOWS}:crawl`,
      '--param',
      'pages=3',
      '--param',
      'note=hi there',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^the code speaks\n/);
    expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toEqual({
      texts: ['page 0', 'page 1', 'page 2'],
      note: 'hi there',
    });
    expect(stderr).toMatch(/\+0\.\d{3} {2}fetch-page \w{8} is AwaitingRetry: retry 1 of 2 in 20 ms/);
    expect(stderr).toMatch(/Completed {2}crawl \w{16}\n$/);
    expect(stderr).not.toContain('\u001b');
    const { run } = await newest();
    const logs = await assent('runs', 'logs', run);
    expect(logs.stdout).toMatch(/INFO {2}fetch-page {2}fetching page 2 \{"page":2\}/);
    expect(logs.stdout).toMatch(/WARN {2} {0,2}something was thrown \{"err":"only a text"\}/);
    const lines = (await assent('runs', 'logs', run, '-o', 'json')).stdout.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain('fetching page 1');
  });

  test('takes parameters as JSON, and refuses wrong ones before anything runs', async () => {
    const good = await assent(
      'run',
      `${FLOWS}:crawl`,
      '--params',
      '{"pages":1,"note":"all"}',
      '--param',
      'note=one',
      '-o',
      'json',
    );
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({ name: 'crawl', state: 'Completed', result: { note: 'one' } });
    expect(good.stderr).toContain('the code speaks');
    const before = await newest();
    const wrong = await assent('run', `${FLOWS}:crawl`, '--param', 'pages=many');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/2002 BAD_PARAMETERS\].+pages: /);
    expect((await assent('run', `${FLOWS}:crawl`, '--params', '[1]')).code).toBe(2);
    expect((await assent('run', `${FLOWS}:crawl`, '--param', 'pages')).code).toBe(2);
    expect((await newest()).run).toBe(before.run);
  });

  test('finds the flow: the named one, the default, the only one; and says which there are', async () => {
    expect((await assent('run', 'test/cli/only-flow.ts', '--param', 'who=Ada')).stdout).toBe('Hello Ada\n');
    expect((await assent('run', 'test/cli/only-flow.ts:the-only-one', '--params', '{}')).stdout).toBe('Hello world\n');
    const several = await assent('run', FLOWS);
    expect(several.code).toBe(3);
    expect(several.stderr).toMatch(
      /exports the flows crawl, dies, fails, slow, stubborn.*: say which, as .*flows\.ts:crawl/,
    );
    const missing = await assent('run', `${FLOWS}:nothing`);
    expect(missing.code).toBe(3);
    expect(missing.stderr).toContain("no flow 'nothing'");
    expect((await assent('run', 'no/such/file.ts')).code).toBe(3);
  });

  test('ends with 5 when the flow fails, with the code’s own error and the way to learn more', async () => {
    const { code, stdout, stderr } = await assent('run', `${FLOWS}:fails`);
    expect(code).toBe(5);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/TypeError: cannot divide by a cheese\n +at .+flows\.ts/);
    const { run } = await newest();
    expect(stderr).toContain(`assent why ${run}`);
    const inspected = await assent.json<RunDetail>('runs', 'inspect', run);
    expect(inspected.error).toMatchObject({ value: { name: 'TypeError', message: 'cannot divide by a cheese' } });
    expect((await assent('why', run)).stdout).toMatch(
      /reported that it failed: "TypeError: cannot divide by a cheese"/,
    );
  });

  test('goes on with a run whose process was killed, without repeating what was done', async () => {
    const died = await assent.start(['run', `${FLOWS}:dies`], { DIE: 'yes' }).ended;
    expect(died.code).not.toBe(0);
    expect(died.stdout).toBe('the first task runs\n');
    const { run } = await newest();
    const wrongFlow = await assent('run', `${FLOWS}:fails`, '--resume', run);
    expect(wrongFlow.code).toBe(2);
    const { code, stdout } = await assent('run', `${FLOWS}:dies`, '--resume', run.slice(0, 12));
    expect([code, stdout]).toEqual([0, '2\n']);
    expect(await newest()).toMatchObject({ run, state: { type: 'COMPLETED' } });
    const again = await assent('run', `${FLOWS}:dies`, '--resume', run);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--from')]);
  });
});

describe('Ctrl-C', () => {
  test.each([
    { signal: 'SIGINT', reason: 'Ctrl-C at the terminal' },
    { signal: 'SIGTERM', reason: 'its process was told to end (SIGTERM)' },
  ] as const)('or $signal cancels the run with a reason and waits for its end', async ({ signal, reason }) => {
    const running = assent.start(['run', `${FLOWS}:slow`]);
    await running.noted('slow');
    running.child.kill(signal);
    // A supervisor may send it to the command and to all above it, each of which passes it on.
    if (signal === 'SIGTERM') running.child.kill(signal);
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/Cancelling \w{16}; Ctrl-C again leaves at once\./);
    expect(await newest()).toMatchObject({ name: 'slow', state: { type: 'CANCELLED' } });
    expect((await assent('why', (await newest()).run)).stdout).toContain(`the reason given: "${reason}"`);
  });

  test('twice leaves at once, and the engine ends the run when its grace is over', async () => {
    const running = assent.start(['run', `${FLOWS}:stubborn`]);
    await running.said('at work');
    running.child.kill('SIGINT');
    await running.noted('Cancelling');
    const { run } = await newest();
    const watching = assent.start(['runs', 'watch', run]);
    await watching.noted('Cancelling');
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stderr).toContain(`Left. ${run} is being cancelled`);
    expect((await watching.ended).code).toBe(6);
  });
});

describe.skipIf(spawnSync('script', ['--version']).error !== undefined)('on a terminal', () => {
  test('progress is redrawn in place, below what the code prints', async () => {
    const command = `${process.execPath} ${resolve(PROJECT, 'bin/assent.js')} run ${FLOWS}:crawl --param pages=2`;
    const slow = command.replace('crawl --param pages=2', 'slow');
    const env = { ...process.env, ASSENT_DATA: dataDir, NO_COLOR: '1', TERM: 'xterm' };
    const terminal = (line: string): ReturnType<typeof follow> =>
      follow(spawn('script', ['-qec', line, '/dev/null'], { cwd: PROJECT, env, stdio: ['pipe', 'pipe', 'pipe'] }));
    const quick = await terminal(command).ended;
    expect(quick.code).toBe(0);
    expect(quick.stdout).toContain('the code speaks\r\n');
    const running = terminal(slow);
    await running.said('1 running');
    await running.said('\u001b[2A\u001b[0J');
    running.child.stdin?.write('\u0003');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/Cancelled {2}slow \w{16}\r\n/);
  });
});

test('an engine that was started for one command ends when nobody needs it any more', async () => {
  const own = await mkdtemp(join(tmpdir(), 'assent-own-'));
  const alone = assentOn(own);
  const doctor = await alone('doctor');
  expect(doctor.code).toBe(0);
  expect(doctor.stdout).toMatch(/^warn {2}engine +none runs/m);
  expect(await readConnectionFile(own)).toBeUndefined();
  expect((await alone('limits', 'set', 'api', '2')).code).toBe(0);
  const file = await readConnectionFile(own);
  expect((await alone.json<{ limit: string }[]>('limits', 'ls')).map(({ limit }) => limit)).toEqual(['api']);
  expect((await readConnectionFile(own))?.pid).toBe(file?.pid);
  const deadlineMs = performance.now() + 15_000;
  while (file !== undefined && (await lives(file.pid, file.birth))) {
    expect(performance.now()).toBeLessThan(deadlineMs);
    await new Promise((look) => setTimeout(look, 50));
  }
  await rm(own, { recursive: true, force: true });
});
