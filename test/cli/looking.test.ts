/** The commands that look and ask, on a history made by hand: a retry, a refusal, a wait for a slot. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { Explanation, LimitRow, RulingRow, RunDetail, RunRow } from '../../protocol/query.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let dataDir: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;

const DONE = 'kkkkkkkkkkkkkkk1';
const LIVE = 'kkkkkkkkkkkkkkk2';
const RUNNING = { type: 'RUNNING', name: 'Running' };
const ESCAPE = '\u001b';

const flow = (run: string, name: string): object => ({
  kind: 'flow',
  run,
  to: RUNNING,
  basedOn: 0,
  claim: true,
  create: { kind: 'flow', name },
});
const call = (run: string, id: string, more: object): object => ({
  kind: 'task',
  run: `${run}.${id}`,
  execution: 1,
  ...more,
});
const create = (parent: string, name: string, more: object = {}): object => ({
  create: { kind: 'task', name, parent, ...more },
});
const COMPLETED = { report: true, to: { type: 'COMPLETED', name: 'Completed' } };

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-cli-'));
  // The session made by hand does not beat: its runs must not be taken for dead.
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3_600_000 } });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
  await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax: 1 } });
  await session.ask(flow(DONE, 'nightly'));
  const retry = { retry: { retriesMax: 2, delaysMs: [600], jitter: 0 } };
  await session.ask(call(DONE, 'fetch-1', { to: RUNNING, ...create(DONE, 'fetch', retry) }));
  const failed = { report: true, to: { type: 'FAILED', name: 'Failed', message: 'HTTP 500' } };
  await session.ask(call(DONE, 'fetch-1', failed));
  const again = await session.ask(call(DONE, 'fetch-1', { to: RUNNING }));
  if (again.outcome === 'held') await session.next(again.counter);
  await session.ask(call(DONE, 'fetch-1', COMPLETED));
  // Another execution's wish: fenced.
  await session.ask({ ...call(DONE, 'stray-1', { to: RUNNING, ...create(DONE, 'stray') }), execution: 9 });
  await session.ask({ kind: 'flow', run: DONE, execution: 1, ...COMPLETED });
  await session.ask(flow(LIVE, 'import'));
  const limited = { limits: [{ limit: 'api', slots: 1 }] };
  await session.ask(call(LIVE, 'load-1', { to: RUNNING, ...create(LIVE, 'load', limited) }));
  await session.ask(call(LIVE, 'load-2', { to: RUNNING, ...create(LIVE, 'load', limited) }));
});

afterAll(async () => {
  expect(await assent('replay', '--facts')).toMatchObject({ code: 0, stderr: '' });
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('runs', () => {
  test('ls lists the newest first, filtered by state and name', async () => {
    const all = await assent.json<RunRow[]>('runs', 'ls');
    expect(all.map(({ run }) => run)).toEqual([LIVE, DONE]);
    const ended = await assent.json<RunRow[]>('runs', 'ls', '--state', 'completed,failed');
    expect(ended.map(({ run }) => run)).toEqual([DONE]);
    const { stdout, code } = await assent('runs', 'ls', '--name', 'imp*');
    expect(code).toBe(0);
    expect(stdout.split('\n')[1]).toMatch(/^kkkkkkkkkkkkkkk2 {2}import {2}Running/);
    expect((await assent('runs', 'ls', '--state', 'sleeping')).code).toBe(2);
  });

  test('inspect shows a run by the beginning of its id, and lists the candidates when there are several', async () => {
    const { run, calls } = await assent.json<RunDetail & { calls: RunRow[] }>('runs', 'inspect', DONE);
    expect(run).toBe(DONE);
    expect(calls.map(({ name, state }) => [name, state?.name])).toEqual([
      ['fetch', 'Completed'],
      ['stray', undefined],
    ]);
    const ambiguous = await assent('runs', 'inspect', 'kkkk');
    expect(ambiguous.code).toBe(2);
    expect(ambiguous.stderr).toContain('2007 RUN_AMBIGUOUS');
    expect(ambiguous.stderr).toMatch(
      /kkkkkkkkkkkkkkk1 {2}nightly {2}Completed\n {2}kkkkkkkkkkkkkkk2 {2}import {2}Running/,
    );
    const none = await assent('runs', 'inspect', 'zzz');
    expect(none.code).toBe(3);
    expect(none.stderr).toContain('2006 RUN_NOT_FOUND');
    expect(none.stdout).toBe('');
  });

  test('cancel of a run that has ended is refused by a rule, and the refusal is on record', async () => {
    const { code, stdout, stderr } = await assent('runs', 'cancel', DONE, '--reason', 'too late');
    expect(code).toBe(4);
    expect(stdout).toContain('REFUSED (ALREADY_ENDED)');
    expect(stderr).toContain(`assent why ${DONE}`);
    expect((await assent('why', DONE)).stdout).toContain('reason "too late"; REFUSED by keep-terminal-states');
  });
});

describe('events', () => {
  test('shows each ruling on a line, with refusals and waits marked', async () => {
    const { stdout, code } = await assent('events', DONE);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^TIME +RUN +ASKED BY +FROM → TO +OUTCOME +WHY$/);
    expect(lines[1]).toMatch(/^\+0\.000 +nightly +sdk +– → Running +accepted$/);
    expect(stdout).toMatch(
      /fetch fetch-1 +sdk +Running → AwaitingRetry +rewritten +retry-failed-task: retry 1 of 2 in 600 ms/,
    );
    expect(stdout).toMatch(/fetch fetch-1 +sdk +AwaitingRetry → Running +HELD +wait-for-due-time/);
    expect(stdout).toMatch(/stray stray-1 +sdk +– → Running +REJECTED +FENCED, fence-stale-executions/);
    expect((await assent('events', DONE, '--limit', '2')).stdout.trimEnd().split('\n')).toHaveLength(3);
  });

  test('as JSON is one document with every ruling as it is stored', async () => {
    const rows = await assent.json<(RulingRow & { ruling: Ruling })[]>('events', DONE);
    expect(rows[0]).toMatchObject({
      run: DONE,
      outcome: 'accepted',
      to: 'Running',
      ruling: { type: 'RULING', version: 1 },
    });
    expect(rows.map(({ outcome }) => outcome)).toContain('held');
  });
});

describe('why', () => {
  test('names the rule that retried a task and the rule that refused one', async () => {
    const { stdout, code } = await assent('why', DONE);
    expect(code).toBe(0);
    expect(stdout).toMatch(/flow run kkkkkkkkkkkkkkk1 \(nightly\): Completed after/);
    expect(stdout).toMatch(
      /reported Failed: "HTTP 500"; retry-failed-task made it AwaitingRetry: retry 1 of 2 in 600 ms\n/,
    );
    expect(stdout).toMatch(/REFUSED by fence-stale-executions \(FENCED\): execution 1 is current/);
    const task = await assent('why', `${DONE}.fetch`);
    expect(task.stdout).toMatch(/^task run kkkkkkkkkkkkkkk1\.fetch-1 \(fetch\): Completed/);
  });

  test('says what a run waits for, and who holds the slot', async () => {
    const { stdout } = await assent('why', LIVE);
    expect(stdout).toMatch(/load load-2 waits for .+ now for a slot of 'api'\./);
    expect(stdout).toContain(`Limit 'api': 1 of 1 slot is taken; 1 proposal waits for it.\n`);
    expect(stdout).toMatch(new RegExp(`held by load ${LIVE}\\.load-1, since `));
    const explanation = await assent.json<Explanation>('why', LIVE);
    expect(explanation.waiting.map(({ run }) => run)).toEqual([`${LIVE}.load-2`]);
  });
});

describe('limits', () => {
  test('are set, listed with their holders, and removed', async () => {
    expect((await assent('limits', 'set', 'disk', '3')).stdout).toBe("Limit 'disk' has 3 slots.\n");
    const limits = await assent.json<LimitRow[]>('limits', 'ls');
    expect(limits.map(({ limit, slotsMax, used }) => [limit, slotsMax, used])).toEqual([
      ['api', 1, 1],
      ['disk', 3, 0],
    ]);
    expect((await assent('limits', 'rm', 'disk')).code).toBe(0);
    expect((await assent('limits', 'ls')).stdout).not.toContain('disk');
    expect((await assent('limits', 'set', 'disk', 'many')).code).toBe(2);
  });
});

describe('watch', () => {
  test('follows the rulings as they happen, ends with the run, and its exit code says how', async () => {
    const watching = assent.start(['runs', 'watch', LIVE]);
    const asJson = assent.start(['runs', 'watch', LIVE, '-o', 'json']);
    await watching.noted('import');
    await session.ask(call(LIVE, 'load-1', COMPLETED));
    await watching.said('load-2');
    const cancelled = await assent('runs', 'cancel', LIVE, '--reason', 'wrong input');
    expect(cancelled.code).toBe(0);
    await watching.said('"wrong input"');
    const report = { type: 'CANCELLED', name: 'Cancelled' };
    await session.ask({ kind: 'flow', run: LIVE, execution: 1, report: true, to: report });
    const { code, stdout } = await watching.ended;
    expect(code).toBe(6);
    expect(stdout).toMatch(/import kkkkkkkkkkkkkkk2 is Cancelled after/);
    const lines = (await asJson.ended).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(lines.at(-1)).toMatchObject({ type: 'END', state: { type: 'CANCELLED' } });
    expect((await assent('runs', 'watch', DONE)).code).toBe(0);
  });

  test('and why names who cancelled it and the reason', async () => {
    const { stdout } = await assent('why', LIVE);
    expect(stdout).toMatch(/\S+ at the command line asked to cancel it at .+; the reason given: "wrong input"\./);
  });
});

describe('output', () => {
  test('has colours only where they are wanted, and never in JSON', async () => {
    const coloured = assentOn(dataDir, { FORCE_COLOR: '1' });
    const plain = assentOn(dataDir, { NO_COLOR: '1' });
    const [with_, without, piped] = await Promise.all([
      coloured('events', DONE),
      plain('events', DONE),
      assent('events', DONE),
    ]);
    expect(with_.stdout).toContain(ESCAPE);
    expect(without.stdout).not.toContain(ESCAPE);
    expect(piped.stdout).not.toContain(ESCAPE);
    expect(stripVTControlCharacters(with_.stdout)).toBe(without.stdout);
    for (const args of [
      ['runs', 'ls'],
      ['why', DONE],
      ['events', DONE],
      ['limits', 'ls'],
      ['runs', 'inspect', DONE],
    ]) {
      const { stdout } = await coloured(...args, '-o', 'json');
      expect(stdout).not.toContain(ESCAPE);
      JSON.parse(stdout);
    }
  });

  test('of the doctor is well when all is well', async () => {
    const { stdout, code } = await assent('doctor');
    expect(code).toBe(0);
    for (const what of [
      'node',
      'disk',
      'engine',
      'server',
      'durability',
      'arbiter',
      'ledger',
      'view',
      'clock',
      'lock',
    ]) {
      expect(stdout).toMatch(new RegExp(`^(ok  |warn) {2}${what} `, 'm'));
    }
    expect(stdout).toMatch(/^warn {2}durability +process: .+not a power cut/m);
    expect(stdout).not.toMatch(/^fail/m);
    const findings = await assent.json<{ level: string }[]>('doctor');
    expect(findings.length).toBeGreaterThan(10);
  });
});
