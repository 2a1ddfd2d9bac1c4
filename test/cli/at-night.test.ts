/** What somebody sees who is woken by a run: which of many calls failed, who has it, what it sleeps for, what holds it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'devalue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { runFor } from '../../protocol/background-runs.ts';
import type { RunId } from '../../protocol/ids.ts';
import { mailboxOf } from '../../protocol/proposals.ts';
import type { Explanation, RunDetail } from '../../protocol/query.ts';
import { inlineValue } from '../../engine/cli/values.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let dataDir: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;

const CRAWL = 'nnnnnnnnnnnnnnn1' as RunId;
const SLEEPS = 'nnnnnnnnnnnnnnn2' as RunId;
const CLAIMED = 'nnnnnnnnnnnnnnn3' as RunId;
const SPREAD = 'nnnnnnnnnnnnnnn4' as RunId;
const AGAIN = 'nnnnnnnnnnnnnnn5' as RunId;
const PAUSED = 'nnnnnnnnnnnnnnn6' as RunId;
const HOLDS = 'nnnnnnnnnnnnnnn7' as RunId;
const RUNNING = { type: 'RUNNING', name: 'Running' };
const SERVED = { create: { kind: 'flow', name: 'crawl', work: { pool: 'night', queue: 'slow' } } };
const FAILED = { report: true, to: { type: 'FAILED', name: 'Failed', message: 'HTTP 500' } };

const flow = (run: string, more: object = {}): object => ({
  kind: 'flow',
  run,
  to: RUNNING,
  basedOn: 0,
  claim: true,
  create: { kind: 'flow', name: 'crawl' },
  ...more,
});
const call = (run: string, id: string, more: object): object => ({
  kind: 'task',
  run: `${run}.${id}`,
  execution: 1,
  ...more,
});
const create = (parent: string, name: string): object => ({ create: { kind: 'task', name, parent } });
const said = async (...args: string[]): Promise<string> => {
  const { stdout, stderr, code } = await assent(...args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-night-'));
  // The session made by hand does not beat: its runs must not be taken for dead.
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3_600_000 } });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
});

afterAll(async () => {
  expect(await assent('replay', '--facts')).toMatchObject({ code: 0, stderr: '' });
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('of many calls, the one that failed', () => {
  const given = { url: 'https://example.org/3', tries: 2 };

  beforeAll(async () => {
    await session.ask(flow(CRAWL));
    for (const id of ['fetch-1', 'fetch-2', 'fetch-3', 'fetch-4']) {
      await session.ask(call(CRAWL, id, { to: RUNNING, ...create(CRAWL, 'fetch') }));
    }
    const COMPLETED = { report: true, to: { type: 'COMPLETED', name: 'Completed' } };
    await session.ask(call(CRAWL, 'fetch-1', COMPLETED));
    await session.ask(call(CRAWL, 'fetch-2', { ...FAILED, inputs: { value: inlineValue([given, 3]) } }));
    const long = inlineValue(['x'.repeat(2000)]);
    await session.ask(call(CRAWL, 'fetch-3', { ...FAILED, inputs: { value: long, preview: "'xxx…" } }));
    await session.ask(call(CRAWL, 'fetch-4', { ...FAILED, inputs: { note: 'They cannot be recorded.' } }));
  });

  test('says what it was given in the list of its flow run, and in why', async () => {
    const list = await said('runs', 'inspect', CRAWL);
    expect(list).toMatch(/ {2}fetch +fetch-1 +Completed .*\n {2}fetch +fetch-2 +Failed +.* HTTP 500\n/);
    expect(list).toContain('HTTP 500\n    given {"url":"https://example.org/3","tries":2}, 3\n');
    expect(list).toContain("HTTP 500\n    given 'xxx…\n");
    expect(list).toContain('HTTP 500\n    They cannot be recorded.\n');
    const why = await said('why', CRAWL);
    expect(why).toMatch(/fetch-2: Failed\n {4}given \{"url":"https:\/\/example.org\/3","tries":2\}, 3\n/);
  });

  test('and of itself, whole', async () => {
    expect(await said('why', `${CRAWL}.fetch-2`)).toContain(
      'It was given {"url":"https://example.org/3","tries":2}, 3\n',
    );
    expect(await said('runs', 'inspect', `${CRAWL}.fetch-2`)).toMatch(/ {2}inputs\n {4}\[\n {6}\{\n {8}"url": "https/);
    expect(await said('runs', 'inspect', `${CRAWL}.fetch-3`)).toContain(`"${'x'.repeat(2000)}"`);
  });

  test('as JSON, with its inputs open; in a list only what is short', async () => {
    type Shown = { readonly parameters?: { readonly value: unknown }; readonly inputs?: object };
    const { calls } = await assent.json<{ calls: readonly Shown[] }>('runs', 'inspect', CRAWL);
    expect(calls.map(({ parameters, inputs }) => [parameters?.value, inputs])).toEqual([
      [undefined, undefined],
      [[given, 3], undefined],
      [undefined, { preview: "'xxx…" }],
      [undefined, { note: 'They cannot be recorded.' }],
    ]);
    const { failed } = await assent.json<{ failed: readonly { run: Shown }[] }>('why', CRAWL);
    expect(failed[0]?.run.parameters?.value).toEqual([given, 3]);
    const one = await assent.json<Shown>('runs', 'inspect', `${CRAWL}.fetch-3`);
    expect(one).toMatchObject({ parameters: { value: ['x'.repeat(2000)] }, inputs: { preview: "'xxx…" } });
  });
});

describe('a run that sleeps', () => {
  const dueAtMs = Date.now() + 7_200_000;
  const sleeping = { type: 'SCHEDULED', name: 'Sleeping', dueAtMs };

  test('is said to sleep, and by which of its calls', async () => {
    await session.ask(flow(SLEEPS, SERVED));
    await session.ask(call(SLEEPS, 'sleep-1', { to: sleeping, basedOn: 0, ...create(SLEEPS, 'sleep') }));
    const text = await said('why', SLEEPS);
    expect(text).toMatch(/1 call of it sleeps until .*, in 1 h 59 min \(sleep-1\)\.\n/);
    expect(text).not.toContain('further attempt');
    // It is made again by the process that goes on: that this is refused is nobody's worry.
    await session.ask(call(SLEEPS, 'sleep-1', { to: sleeping, basedOn: 0, ...create(SLEEPS, 'sleep') }));
    expect(await said('why', SLEEPS)).not.toContain('STALE');
    const { notable } = await assent.json<Explanation>('why', SLEEPS);
    expect(notable).toMatchObject([{ code: 'STALE', basedOn: 0 }]);
  });

  test('and that its process let go of it, when it did', async () => {
    const to = { type: 'PAUSED', name: 'Sleeping', suspended: true, wakeAtMs: dueAtMs };
    await session.ask({ kind: 'flow', run: SLEEPS, execution: 1, to });
    const text = await said('why', SLEEPS);
    expect(text).toMatch(/: Sleeping, .*\n {2}It sleeps until .*, in 1 h 59 min \(sleep-1\)\.\n/);
    expect(text).toMatch(/Its process let go of it at .*; then, whichever worker is free goes on with it\.\n/);
    expect(text).not.toContain('paused');
  });
});

test('a claim that a limit holds is a worker’s, and is said to be held by that limit', async () => {
  await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  const limits = [{ limit: 'db', slots: 1 }];
  await session.ask(flow(HOLDS, { create: { kind: 'flow', name: 'import', limits } }));
  const work = { pool: 'night', queue: 'slow' };
  const pending = { type: 'PENDING', name: 'Pending' };
  await session.ask({
    kind: 'flow',
    run: CLAIMED,
    basedOn: 0,
    to: pending,
    create: { kind: 'flow', name: 'import', work, limits },
  });
  expect((await session.ask({ kind: 'flow', run: CLAIMED, basedOn: 1, to: RUNNING, claim: true })).outcome).toBe(
    'held',
  );
  const text = await said('why', CLAIMED);
  expect(text).toContain(
    "A worker of pool 'night', queue 'slow' has asked for it; take-slots holds that: it waits for a slot of 'db'.\n",
  );
  expect(text).not.toContain('none has claimed it');
});

test('a call that workers do names the run that does it, and that one the call', async () => {
  await session.ask(flow(SPREAD));
  const crunch = `${SPREAD}.crunch-1` as RunId;
  await session.ask(call(SPREAD, 'crunch-1', { to: RUNNING, ...create(SPREAD, 'crunch') }));
  const does = runFor(crunch, 0);
  const definition = { kind: 'task', name: 'crunch', startedBy: crunch, work: { pool: 'night', queue: 'slow' } };
  const parameters = { digest: 'a'.repeat(64), size: 3, inline: stringify([7]) };
  const pending = { type: 'PENDING', name: 'Pending' };
  await session.ask({ kind: 'task', run: does, basedOn: 0, to: pending, create: { ...definition, parameters } });
  await session.ask({ kind: 'task', run: does, basedOn: 1, to: RUNNING, claim: true });
  expect(await said('why', crunch)).toContain(`Its work is done by run ${does} (Running): assent why ${does}\n`);
  expect(await said('why', does)).toContain(`It does the work of the call ${crunch}.\n`);
  expect(await said('runs', 'inspect', crunch)).toMatch(new RegExp(`work done by +run ${does} \\(Running\\)\n`));
  const own = await said('runs', 'inspect', does);
  expect(own).toMatch(/kind +task run in the background\n/);
  expect(own).toMatch(new RegExp(`does work of +${crunch.replace('.', '\\.')}\n`));
  expect(await said('runs', 'inspect', SPREAD)).toContain(`    done by run ${does}\n`);
  // What it is given is recorded there, so that its failure here needs not say it.
  await session.ask(call(SPREAD, 'crunch-1', FAILED));
  expect(await said('runs', 'inspect', SPREAD)).toMatch(/HTTP 500\n {4}given 7\n {4}done by run/);
  const { started } = await assent.json<RunDetail>('runs', 'inspect', crunch);
  expect(started).toMatchObject([{ run: does }]);
});

test('what waits is refused, and held for the same reason, again and again: that is said once', async () => {
  const work = { pool: 'night', queue: 'slow' };
  const pending = { type: 'PENDING', name: 'Pending' };
  const limits = [{ limit: 'db', slots: 1 }];
  await session.ask({
    kind: 'flow',
    run: AGAIN,
    basedOn: 0,
    to: pending,
    create: { kind: 'flow', name: 'import', work, limits },
  });
  await session.ask({ kind: 'flow', run: AGAIN, basedOn: 0, to: RUNNING, claim: true });
  await session.ask({ kind: 'flow', run: AGAIN, basedOn: 1, to: RUNNING, claim: true });
  const text = await said('why', AGAIN);
  expect(text).not.toContain('STALE');
  expect(text.match(/asked for Running; HELD/g)).toHaveLength(1);
});

describe('a message to a run that is paused', () => {
  test('is said to lie there until it is resumed, and how that is done', async () => {
    await session.ask(flow(PAUSED));
    await session.ask({ kind: 'flow', run: PAUSED, execution: 1, to: { type: 'PAUSED', name: 'Paused', key: 'ok' } });
    expect(await said('runs', 'send', PAUSED, 'ok', '1')).toBe(
      `'ok' is sent to ${PAUSED}, and lies there until the run receives it.\n` +
        `The run is paused, and goes on when it is resumed, not for a message: assent runs resume ${PAUSED}\n`,
    );
  });

  test('or for something else, what that is', async () => {
    expect(await said('runs', 'send', SLEEPS, 'ok', '1')).toMatch(
      /lies there until the run receives it\. Now it sleeps until .*\.\n/,
    );
  });

  test('or, where it waits for this one, that it goes on', async () => {
    const run = 'nnnnnnnnnnnnnnn8' as RunId;
    await session.ask(flow(run, SERVED));
    const mailbox = mailboxOf(run, 'address');
    const receives = { receives: { type: 'MESSAGE', mailbox } };
    const waiting = call(run, 'receive-1', {
      to: RUNNING,
      create: { kind: 'task', name: 'receive', parent: run, ...receives },
    });
    expect(await session.ask(waiting)).toMatchObject({ outcome: 'held' });
    const to = { type: 'PAUSED', name: 'Waiting', suspended: true, wakeOn: [mailbox] };
    expect(await session.ask({ kind: 'flow', run, execution: 1, to })).toMatchObject({ outcome: 'accepted' });
    expect(await said('runs', 'send', run, 'other', '1')).toContain("Now it waits for the message 'address'.\n");
    expect(await said('runs', 'send', run, 'address', '1')).toContain(
      'which waits for it: a worker goes on with it.\n',
    );
  });
});
