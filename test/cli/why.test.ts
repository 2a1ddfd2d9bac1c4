/** `assent why` and `assent rules`, on waits, pauses and refusals made by hand: each sentence names a rule, a time or a run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../engine/cli/exit-codes.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { Explanation, LimitRow, RuleRow } from '../../protocol/query.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let dataDir: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;

const FLOW = 'wwwwwwwwwwwwwww1';
const PAUSED = 'wwwwwwwwwwwwwww2';
const SERVED = 'wwwwwwwwwwwwwww3';
const LATER = 'wwwwwwwwwwwwwww4';
const DONE = 'wwwwwwwwwwwwwww5';
const RUNNING = { type: 'RUNNING', name: 'Running' };
const COMPLETED = { report: true, to: { type: 'COMPLETED', name: 'Completed' } };
const CLOCK = String.raw`(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d`;

const flow = (run: string, more: object = {}, to: object = RUNNING): object => ({
  kind: 'flow',
  run,
  to,
  basedOn: 0,
  ...(to === RUNNING ? { claim: true } : {}),
  create: { kind: 'flow', name: 'nightly', ...more },
});
const task = (call: string, more: object = {}): object => ({
  kind: 'task',
  run: `${FLOW}.${call}`,
  execution: 1,
  to: RUNNING,
  create: { kind: 'task', name: call.slice(0, call.lastIndexOf('-')), parent: FLOW, ...more },
});
const limit = (name: string, slotsMax: number, more: object = {}): object => ({
  kind: 'workspace',
  event: { type: 'LIMIT_SET', limit: name, slotsMax, ...more },
});
const wants = (name: string, more: object = {}): object => ({ limits: [{ limit: name, slots: 1, ...more }] });
const why = async (run: string): Promise<string> => {
  const { stdout, stderr, code } = await assent('why', run);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-why-'));
  // The session made by hand does not beat: its runs must not be taken for dead.
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3_600_000 } });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
  await session.ask(flow(FLOW));
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('what waits for a result that another run computes', () => {
  test('is told which run that is; the engine’s own limit is not named, and not listed', async () => {
    const cache = { cache: { key: 'features-2026', once: true } };
    await session.ask(task('crunch-1', cache));
    await session.ask(task('crunch-2', cache));
    const text = await why(`${FLOW}.crunch-2`);
    expect(text).toMatch(/crunch crunch-2 waits for .+ now for the same result, which another run is computing\.\n/);
    expect(text).toContain(
      'HELD by take-slots: another run is computing the same result, 0 wait for it before this one.',
    );
    expect(text).toContain(
      'It is judged again when it is the first that waits, and that run has ended or awaits a retry; take-slots lets it',
    );
    expect(text).toMatch(
      new RegExp(String.raw`Run ${FLOW}\.crunch-1 of crunch is computing the same result, since ${CLOCK}\.\n`),
    );
    expect(text).not.toContain('cache-key');
    expect((await assent('limits', 'ls')).stdout).toBe('No limits are set.\n');
    const refused = await assent('limits', 'set', 'cache-key', '3');
    expect([refused.code, refused.stdout]).toEqual([EXIT.rejected, expect.stringContaining('the engine’s own')]);
    await session.ask({ kind: 'task', run: `${FLOW}.crunch-1`, execution: 1, ...COMPLETED });
    expect(await why(`${FLOW}.crunch-2`)).toContain('Cached');
  });
});

describe('what waits for a slot', () => {
  test('is told who holds it since when, its place, the rule, and when it is judged again', async () => {
    await session.ask(limit('db', 1));
    await session.ask(task('load-1', wants('db')));
    await session.ask(task('load-2', wants('db')));
    await session.ask(task('urgent-1', { ...wants('db'), priority: 5 }));
    const text = await why(`${FLOW}.load-2`);
    expect(text).toMatch(/load load-2 waits for .+ now for a slot of 'db', 2nd of 2 in the queue of 'db'\.\n/);
    expect(text).toContain(`HELD by take-slots: 1 of 1 slots of 'db' are taken, 0 wait before it.`);
    expect(text).toContain(
      "It is judged again when it is first in the queue of 'db' and a slot is given back, or the limit is changed; take-slots lets it pass then, if nothing has changed.",
    );
    expect(text).toContain("Limit 'db': 1 of 1 slot is taken; 2 proposals wait for it.");
    expect(text).toMatch(new RegExp(String.raw`held by load ${FLOW}\.load-1, since ${CLOCK}\n`));
    expect(await why(`${FLOW}.urgent-1`)).toContain("with priority 5, 1st of 2 in the queue of 'db'");
    const { waiting } = await assent.json<Explanation>('why', `${FLOW}.load-2`);
    expect(waiting).toMatchObject([
      {
        rule: 'take-slots',
        again: { type: 'WHEN_FREE', limits: ['db'] },
        queue: [{ limit: 'db', place: 2, length: 2 }],
      },
    ]);
  });

  test('of a limit by key, waits for those of its own key only', async () => {
    await session.ask(limit('tenant', 1));
    await session.ask(task('red-1', wants('tenant', { by: 'red' })));
    await session.ask(task('blue-1', wants('tenant', { by: 'blue' })));
    await session.ask(task('blue-2', wants('tenant', { by: 'blue' })));
    const text = await why(`${FLOW}.blue-2`);
    expect(text).toContain("for a slot of 'tenant' for 'blue'.");
    expect(text).toContain("Limit 'tenant' for 'blue': 1 of 1 slot is taken; 1 proposal waits for it.");
    expect(text).toContain(`held by blue ${FLOW}.blue-1`);
    expect(text).not.toContain('red-1');
  });

  test('of a rate limit, is told the time', async () => {
    await session.ask(limit('emails', 1, { slotsPerSecond: 0.01 }));
    await session.ask(task('mail-1', wants('emails')));
    await session.ask(task('mail-2', wants('emails')));
    const text = await why(`${FLOW}.mail-2`);
    expect(text).toMatch(new RegExp(`It is judged again at ${CLOCK}, in 1 min .+; take-slots lets it pass then`));
    expect(text).toContain("Limit 'emails': 1 of 1 slot is taken, 36 an hour of them come back;");
  });

  test('of a limit that cancels those that run, is told whom', async () => {
    await session.ask(limit('leader', 1, { onFull: 'cancel-running' }));
    await session.ask(flow('wwwwwwwwwwwwwwa1', wants('leader')));
    await session.ask(flow('wwwwwwwwwwwwwwa2', wants('leader')));
    const text = await why('wwwwwwwwwwwwwwa2');
    expect(text).toContain('To make room, 1 run is cancelled: wwwwwwwwwwwwwwa1.');
    const other = await why('wwwwwwwwwwwwwwa1');
    expect(other).toMatch(
      new RegExp(String.raw`The engine \(others needed its slots\) asked to cancel it at ${CLOCK}; the reason given`),
    );
  });

  test('limits ls shows keys, rates and what happens when they are full', async () => {
    const rows = await assent.json<LimitRow[]>('limits', 'ls');
    expect(rows.find(({ limit: name, by }) => name === 'tenant' && by === 'blue')).toMatchObject({
      slotsMax: 1,
      used: 1,
      waiting: 1,
      onFull: 'enqueue',
    });
    const { stdout } = await assent('limits', 'ls');
    expect(stdout).toMatch(/^emails +1, 36 an hour +1 +1 +wait/m);
    expect(stdout).toMatch(/^leader +1 +1 +1 +cancel running/m);
    expect(stdout).toMatch(/^tenant for blue +1 +1 +1 +wait +blue wwwwwwwwwwwwwww1\.blue-1$/m);
  });
});

describe('what stands still without a slot to wait for', () => {
  test('a pause: who, which, until when, and what waits for its end', async () => {
    await session.ask(flow(PAUSED));
    const timeoutAtMs = Date.now() + 3_600_000;
    const to = { type: 'PAUSED', name: 'Paused', key: 'approval', timeoutAtMs, message: 'ask Ada' };
    await session.ask({ kind: 'flow', run: PAUSED, execution: 1, to });
    const text = await why(PAUSED);
    expect(text).toMatch(
      new RegExp(String.raw`It was paused at the pause 'approval' by its process at ${CLOCK}: "ask Ada"\.`),
    );
    expect(text).toMatch(
      new RegExp(
        `It goes on when somebody resumes it \\(assent runs resume ${PAUSED}\\); if nobody does by ${CLOCK}, in (1 h|59 min .+), it fails\\.`,
      ),
    );
    await session.ask({
      kind: 'task',
      run: `${PAUSED}.next-1`,
      execution: 1,
      to: RUNNING,
      create: { kind: 'task', name: 'next', parent: PAUSED },
    });
    expect(await why(PAUSED)).toMatch(
      new RegExp(
        String.raw`next next-1 waits for .+ now for its flow run to run\.\n {4}HELD by stopped-flow-starts-no-task: .+\.\n {4}It is judged again when flow run ${PAUSED} runs again, or ends; stopped-flow-starts-no-task lets it pass then`,
      ),
    );
    const { run } = await assent.json<Explanation>('why', PAUSED);
    expect(run.state).toMatchObject({ key: 'approval', timeoutAtMs });
  });

  test('a start in the future, and a worker that does not come', async () => {
    const work = { work: { pool: 'night', queue: 'slow' } };
    const scheduled = (dueAtMs: number): object => ({ type: 'SCHEDULED', name: 'Scheduled', dueAtMs });
    await session.ask(flow(LATER, work, scheduled(Date.now() + 7_200_000)));
    expect(await why(LATER)).toMatch(new RegExp(`Its start is due in (2 h|1 h 59 min), at ${CLOCK}\\.`));
    await session.ask(flow(SERVED, work, { type: 'PENDING', name: 'Pending' }));
    expect(await why(SERVED)).toMatch(
      /It waits for a worker of pool 'night', queue 'slow', for .+ now: none has claimed it\./,
    );
  });
});

describe('what the rules said', () => {
  test('a refused cancel names who, when, the rule, its code and its reason', async () => {
    await session.ask(flow(DONE));
    await session.ask({ kind: 'flow', run: DONE, execution: 1, ...COMPLETED });
    expect((await assent('runs', 'cancel', DONE, '--reason', 'too late')).code).toBe(4);
    const text = await why(DONE);
    expect(text).toMatch(
      new RegExp(
        String.raw`.+ at the command line asked to cancel it at ${CLOCK}; the reason given: "too late"\. It was refused by keep-terminal-states \(ALREADY_ENDED\): .+\.`,
      ),
    );
    const { refused } = await assent.json<Explanation>('why', DONE);
    expect(refused).toMatchObject([{ code: 'ALREADY_ENDED', rule: 'keep-terminal-states', reason: 'too late' }]);
  });

  test('a forced state names who forced it, why, and the rule that was overridden', async () => {
    const forced = await assent('runs', 'set-state', DONE, 'scheduled', '--force', '--reason', 'its data was wrong');
    expect([forced.code, forced.stderr]).toEqual([0, '']);
    const text = await why(DONE);
    expect(text).toMatch(
      new RegExp(
        String.raw`.+ at the command line forced it to Scheduled at ${CLOCK}; the reason given: "its data was wrong"\.`,
      ),
    );
    expect(text).toMatch(/^ {2}keep-terminal-states would have refused it \(NO_WORKER\): .+\.$/m);
    expect(text).toMatch(/It had ended as Completed; [^;]+ at the command line opened it again as Scheduled at/);
    const { path } = await assent.json<Explanation>('why', DONE);
    expect(path.at(-1)?.overrides).toMatchObject({ outcome: 'rejected', rule: 'keep-terminal-states' });
  });

  test('one retry is one, and time zero is the same for the run, its calls and its events', async () => {
    const retry = { retry: { retriesMax: 1, delaysMs: [1], jitter: 0 } };
    const failed = { report: true, to: { type: 'FAILED', name: 'Failed', message: 'HTTP 500' } };
    const { create: _, ...again } = task('fetch-1') as { create: object };
    await session.ask(task('fetch-1', retry));
    await session.ask({ ...again, ...failed });
    const asked = await session.ask(again);
    if (asked.outcome === 'held') await session.next(asked.counter);
    await session.ask({ ...again, ...failed });
    const text = await why(`${FLOW}.fetch-1`);
    expect(text).toContain('retry-failed-task: its one retry is used');
    const since = /\+(\d+\.\d+) .+made it AwaitingRetry/.exec(text)?.[1] ?? '';
    const { stdout } = await assent('events', FLOW);
    expect(stdout).toMatch(new RegExp(`^\\+${since} +fetch fetch-1 +sdk +Running → AwaitingRetry`, 'm'));
  });

  test('a kept result names the run that computed it', async () => {
    const cache = { cache: { key: 'weather', ttlMs: 60_000 } };
    await session.ask(task('sum-1', cache));
    const { create: _, ...first } = task('sum-1') as { create: object };
    await session.ask({ ...first, ...COMPLETED });
    await session.ask(task('sum-2', cache));
    expect(await why(`${FLOW}.sum-2`)).toContain(
      `Its process asked for Running; retrieve-cached-result made it Cached: run ${FLOW}.sum-1 has computed it.`,
    );
  });

  test('and how often, by rule and kind', async () => {
    const { stdout } = await assent('rules');
    expect(stdout).toMatch(/^RULE +ASKED +PASSED +REWROTE +REJECTED +HELD +OVERRIDDEN +MEAN TIME$/m);
    expect(stdout).toMatch(/^take-slots +\d+ +\d+ +– +– +\d+ +– +\d+\.\d µs$/m);
    const rows = await assent.json<RuleRow[]>('rules', '--kind', 'flow');
    expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(['flow']));
    const ended = rows.find(({ rule }) => rule === 'keep-terminal-states');
    expect(ended).toMatchObject({ rejected: 1, errors: 0 });
    expect(
      rows.every(
        ({ asked, passed, rewrote, rejected, held, errors }) => asked === passed + rewrote + rejected + held + errors,
      ),
    ).toBe(true);
    expect((await assent('rules', '--kind', 'spoon')).code).toBe(2);
  });
});

describe('limits', () => {
  test('are set with a rate and with what happens when they are full', async () => {
    const set = await assent('limits', 'set', 'sms', '10', '--per-second', '2', '--on-full', 'cancel-new');
    expect(set.stdout).toBe(
      "Limit 'sms' has 10 slots; 2 a second come back; when it is full, it will cancel new runs.\n",
    );
    const rows = await assent.json<LimitRow[]>('limits', 'ls');
    expect(rows.find(({ limit: name }) => name === 'sms')).toMatchObject({
      slotsMax: 10,
      slotsPerSecond: 2,
      onFull: 'cancel-new',
    });
    expect((await assent('limits', 'set', 'sms', '10', '--per-second', '-1')).code).toBe(2);
    expect((await assent('limits', 'set', 'sms', '10', '--on-full', 'panic')).code).toBe(2);
  });

  test('that are not set cannot be removed', async () => {
    const { code, stderr, stdout } = await assent('limits', 'rm', 'nosuch');
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain("LIMIT_NOT_FOUND] No limit 'nosuch' is set; there are 'db', ");
  });
});
