/** The read model's door, on a real engine: questions over NATS, as any client asks them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { AnswerTo, QueryOf, QueryType, Reply } from '../../protocol/query.ts';
import { subjects } from '../../protocol/subjects.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';

let dataDir: string;
let engine: Engine;
let session: RawSession;
const digests = new Map<number, string>();
const viewDigests = new Map<number, string>();

type Unsaid<T extends QueryType> = Omit<QueryOf<T>, 'v' | 'type'>;

async function ask<T extends QueryType>(type: T, rest: Unsaid<T>): Promise<Reply<T>> {
  const bytes = JSON.stringify({ v: 1, type, ...rest });
  const reply = await session.connection.request(subjects.query('default'), bytes, { timeout: 10_000 });
  return reply.json<Reply<T>>();
}

async function answerTo<T extends QueryType>(type: T, rest: Unsaid<T>): Promise<AnswerTo<T>> {
  const reply = await ask(type, rest);
  if ('refused' in reply) throw new Error(reply.refused.detail);
  return reply;
}

const RUNNING = { type: 'RUNNING', name: 'Running' };
const RUN_A = 'aaaaaaaaaaaaaaa1';
const RUN_B = 'aaaaaaaaaaaaaaa2';

const beginFlow = (run: string, name: string): Promise<unknown> =>
  session.ask({ kind: 'flow', run, to: RUNNING, basedOn: 0, claim: true, create: { kind: 'flow', name } });
const task = (run: string, call: string, more: object = {}): object => ({
  kind: 'task',
  run: `${run}.${call}`,
  execution: 1,
  to: RUNNING,
  create: { kind: 'task', name: call, parent: run, ...more },
});

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-questions-'));
  engine = await startEngine({
    dataDir,
    durability: 'process',
    // The session made by hand does not beat: its runs must not be taken for dead.
    settings: { heartbeatLimitMs: 3_600_000 },
    onDigest: (seq, digest) => digests.set(seq, digest),
    onViewDigest: (seq, digest) => viewDigests.set(seq, digest),
  });
  session = await proposeRaw(dataDir);
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

test('a reader that asks for a sequence reads its own writes, at once', async () => {
  await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax: 1 } });
  await beginFlow(RUN_A, 'first');
  await beginFlow(RUN_B, 'second');
  await session.ask(task(RUN_A, 'one', { limits: [{ limit: 'api', slots: 1 }] }));
  const held = await session.ask(task(RUN_A, 'two', { limits: [{ limit: 'api', slots: 1 }] }));
  expect(held.outcome).toBe('held');
  const beganMs = performance.now();
  const answer = await answerTo('LIMITS', { atLeast: held.seq });
  expect(performance.now() - beganMs).toBeLessThan(90); // Below the 100 ms at which an idle view is written.
  expect(answer.seq).toBeGreaterThanOrEqual(held.seq);
  expect(answer.active).toBe(true);
  expect(answer.limits).toEqual([
    {
      limit: 'api',
      slotsMax: 1,
      onFull: 'enqueue',
      used: 1,
      waiting: 1,
      holders: [{ run: `${RUN_A}.one`, name: 'one', slots: 1, sinceMs: expect.any(Number) as number }],
    },
  ]);
});

test('a run is found by the beginning of its id, if there is but one', async () => {
  const one = await answerTo('RUN', { run: RUN_A.slice(0, 16) });
  expect(one.found).toBe('ONE');
  const both = await answerTo('RUN', { run: 'aaaa' });
  expect(both.found === 'AMBIGUOUS' && both.candidates.map(({ run }) => run)).toEqual([RUN_A, RUN_B]);
  expect((await answerTo('RUN', { run: 'b' })).found).toBe('NONE');
  const call = await answerTo('RUN', { run: `${RUN_A}.tw` });
  expect(call.found === 'ONE' && call.run).toMatchObject({ name: 'two', kind: 'task', parent: RUN_A });
  expect(call.found === 'ONE' && call.run.state).toBeUndefined();
  expect(call.found === 'ONE' && call.run.waits?.waits).toEqual({
    type: 'SLOTS',
    limits: [{ limit: 'api', slots: 1 }],
  });
});

test('why a task waits, who holds the slot, and how the wait ended', async () => {
  const { explanation } = await answerTo('WHY', { run: RUN_A as never });
  expect(explanation?.waiting.map(({ run }) => run)).toEqual([`${RUN_A}.two`]);
  expect(explanation?.limits[0]?.holders[0]?.run).toBe(`${RUN_A}.one`);
  const done = await session.ask({
    kind: 'task',
    run: `${RUN_A}.one`,
    execution: 1,
    report: true,
    to: { type: 'COMPLETED', name: 'Completed' },
  });
  const { explanation: later } = await answerTo('WHY', { run: RUN_A as never, atLeast: done.seq });
  expect(later?.waiting).toEqual([]);
  const [held, granted] = later?.notable ?? [];
  expect(held).toMatchObject({ outcome: 'held', rule: 'take-slots' });
  expect(granted).toMatchObject({ outcome: 'accepted', run: `${RUN_A}.two` });
  expect(granted?.waitedMs).toBeGreaterThanOrEqual(0);
});

test('lists come in pages that join without a gap', async () => {
  const last = await Promise.all(Array.from({ length: 25 }, (_, n) => session.ask(task(RUN_B, `call-${String(n)}`))));
  const atLeast = Math.max(...last.map(({ seq }) => seq));
  const names: string[] = [];
  for (let after = 0; ;) {
    const page = await answerTo('CALLS', { run: RUN_B as never, after, limit: 10, atLeast });
    names.push(...page.calls.map(({ name }) => name));
    if (page.next === undefined) break;
    after = page.next;
  }
  expect(names.sort()).toEqual(Array.from({ length: 25 }, (_, n) => `call-${String(n)}`).sort());
  const first = await answerTo('RULINGS', { run: RUN_B as never, limit: 20, lines: true });
  const rest = await answerTo('RULINGS', { run: RUN_B as never, after: first.next!, limit: 20, lines: true });
  expect([...first.rulings, ...rest.rulings]).toHaveLength(26);
  expect(rest.next).toBeUndefined();
  const runs = await answerTo('RUNS', { limit: 1, name: 'f*st' });
  expect(runs.runs.map(({ run }) => run)).toEqual([RUN_A]);
  expect((await answerTo('RUNS', { name: 'f*st', kind: 'flow' })).runs).toHaveLength(1);
  expect((await answerTo('RUNS', { name: 'f*st', kind: 'task' })).runs).toEqual([]);
  const none = await answerTo('RUNS', { states: ['FAILED'] });
  expect(none.runs).toEqual([]);
});

test('a page never outgrows a message', async () => {
  const text = 'x'.repeat(14_000);
  const inline = { digest: '0'.repeat(64), size: text.length, inline: text };
  await beginFlow('ccccccccccccccc1', 'large');
  const asked = Array.from({ length: 60 }, (_, n) =>
    session.ask(task('ccccccccccccccc1', `large-${String(n)}`, { parameters: inline })),
  );
  const atLeast = Math.max(...(await Promise.all(asked)).map(({ seq }) => seq));
  let rulings = 0;
  let pages = 0;
  for (let after = { seq: 0, index: 0 }; ; pages += 1) {
    const page = await answerTo('RULINGS', {
      run: 'ccccccccccccccc1' as never,
      after,
      limit: 1000,
      lines: true,
      atLeast,
    });
    expect(JSON.stringify(page).length).toBeLessThan(700_000);
    rulings += page.rulings.length;
    if (page.next === undefined) break;
    after = page.next;
  }
  expect(rulings).toBe(61);
  expect(pages).toBeGreaterThan(0);
});

test('what is no question is refused, and the door stays open', async () => {
  for (const bytes of ['', 'rubbish', '{"v":1,"type":"RUNS","unknown":1}', '{"v":2,"type":"RUNS"}']) {
    const reply = await session.connection.request(subjects.query('default'), bytes, { timeout: 5000 });
    expect(reply.json<Reply<'RUNS'>>()).toMatchObject({ v: 1, refused: { kind: 'USAGE' } });
  }
  const status = await answerTo('STATUS', {});
  expect(status.status.durability).toEqual({ setting: 'process', sync: 'interval', proposalsAsync: false });
  expect(status.status.arbiter).toEqual({ role: 'ACTIVE', epoch: 1 });
});

test('every actor’s rulings, the counters of the rules, and the sessions are counted', async () => {
  const { rulings } = await answerTo('RULINGS_BY', { actor: 'sdk', limit: 5 });
  expect(rulings).toHaveLength(5);
  expect(rulings[0]!.seq).toBeGreaterThanOrEqual(rulings[4]!.seq);
  const { counters } = await answerTo('COUNTERS', {});
  expect(counters).toContainEqual({ outcome: 'held', rule: 'take-slots', count: 1 });
  const { rules } = await answerTo('RULES', {});
  const slots = rules.find(({ rule, kind }) => rule === 'take-slots' && kind === 'task');
  expect(slots).toMatchObject({ held: 1, rewrote: 0, rejected: 0, errors: 0, overridden: 0 });
  expect(slots?.asked).toBe((slots?.passed ?? 0) + 1);
  const { sessions } = await answerTo('SESSIONS', {});
  expect(sessions).toMatchObject([{ session: session.id, user: 'sdk' }]);
});

test('artifacts by run and key, the newest first; hooks with what they threw; variables by name', async () => {
  const valueOf = (inline: string): object => ({ digest: '0'.repeat(64), size: inline.length, inline });
  const event = (what: object): Promise<{ seq: number }> => session.ask({ kind: 'workspace', event: what });
  const artifact = { type: 'ARTIFACT_MADE', run: `${RUN_B}.call-1`, key: 'report', kind: 'markdown' };
  await event({ ...artifact, data: valueOf('["old"]') });
  await event({ ...artifact, data: valueOf('["new"]'), description: 'The report' });
  await event({ ...artifact, run: RUN_A, key: 'other', data: valueOf('["a"]') });
  const hook = { type: 'HOOK_RAN', run: RUN_B, hook: 'onFailure', function: 'notify' };
  await event(hook);
  await event({ ...hook, error: valueOf('["boom"]') });
  await event({ type: 'VARIABLE_SET', name: 'rate', value: valueOf('[60]'), tags: ['ops'] });
  const { seq: atLeast } = await event({ type: 'VARIABLE_SET', name: 'region', value: valueOf('["eu"]') });

  const all = await answerTo('ARTIFACTS', { atLeast });
  expect(all.artifacts.map(({ run, key }) => [run, key])).toEqual([
    [RUN_A, 'other'],
    [`${RUN_B}.call-1`, 'report'],
  ]);
  const { artifacts } = await answerTo('ARTIFACTS', { run: RUN_B as never, history: true });
  expect(artifacts).toMatchObject([
    { name: 'call-1', data: { inline: '["new"]' }, description: 'The report', by: 'sdk' },
    { data: { inline: '["old"]' }, outdated: true },
  ]);
  const first = await answerTo('ARTIFACTS', { key: 'report', history: true, limit: 1 });
  const rest = await answerTo('ARTIFACTS', { key: 'report', history: true, before: first.next! });
  expect([...first.artifacts, ...rest.artifacts]).toEqual(artifacts);

  const { hooks } = await answerTo('HOOKS', { run: RUN_B as never });
  expect(hooks).toMatchObject([
    { hook: 'onFailure', function: 'notify' },
    { hook: 'onFailure', error: { inline: '["boom"]' } },
  ]);
  expect(hooks[0]).not.toHaveProperty('error');
  expect((await answerTo('HOOKS', { run: RUN_B as never, failed: true })).hooks).toEqual(hooks.slice(1));

  const { variables, next } = await answerTo('VARIABLES', { limit: 1 });
  expect(variables).toMatchObject([{ variable: 'rate', value: { inline: '[60]' }, tags: ['ops'], by: 'sdk' }]);
  expect((await answerTo('VARIABLES', { after: next! })).variables).toMatchObject([{ variable: 'region' }]);
  expect((await answerTo('VARIABLES', { name: 'nothing' })).variables).toEqual([]);
  const { explanation } = await answerTo('WHY', { run: RUN_B as never });
  expect(explanation?.hooks).toEqual(hooks.slice(1));
  expect(explanation?.artifacts.map(({ key }) => key)).toEqual(['report']);
});

test('the view goes on when nats-server was killed, and its digests are the arbiter’s at every sequence', async () => {
  const pid = engine.natsPid();
  if (pid === undefined) throw new Error('there is no server');
  const back = reconnected(session);
  process.kill(pid, 'SIGKILL');
  await back;
  const other = await proposeRaw(dataDir);
  const answer = await other.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'b', slotsMax: 2 } });
  await other.close();
  const { limits, behind } = await answerTo('LIMITS', { atLeast: answer.seq });
  expect(behind).toBeUndefined();
  expect(limits.map(({ limit }) => limit)).toEqual(['api', 'b']);
  const { status } = await answerTo('STATUS', {});
  expect(status.view.behind).toBe(0);
  const compared = [...viewDigests].filter(([seq]) => digests.has(seq));
  expect(compared.length).toBeGreaterThan(10);
  for (const [seq, digest] of compared) expect([seq, digest]).toEqual([seq, digests.get(seq)]);
});

async function reconnected({ connection }: RawSession): Promise<void> {
  for await (const { type } of connection.status()) if (type === 'reconnect') return;
}
