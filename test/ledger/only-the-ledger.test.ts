/**
 * Only the ledger survives: its bytes are put into a fresh server in another folder, everything else is deleted, and an
 * engine that starts there goes on with timers, held proposals and limits as if nothing had happened.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { subjects } from '../../protocol/subjects.ts';
import type { AnswerMessage, Answer, RunView } from '../../protocol/messages.ts';
import { askArbiter } from '../support/ask-arbiter.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { connectAsEngine, giveLedger, replayedDigests, takeLedger } from './ledger-copy.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' };
const FLOW = 'aaaaaaaaaaaaaaaa';
const SCHEDULED = 'bbbbbbbbbbbbbbbb';

const folders: string[] = [];
const engines: Engine[] = [];

function folder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'assent-only-')));
  return folders.at(-1) ?? '';
}

async function start(options: Parameters<typeof startEngine>[0]): Promise<Engine> {
  const engine = await startEngine({
    ...options,
    settings: { inFlightMax: 1, heartbeatLimitMs: 60_000, ...options?.settings },
  });
  engines.push(engine);
  return engine;
}

afterEach(async () => {
  for (const engine of engines.splice(0).reverse()) await engine.stop();
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** A flow run with one of everything that outlives a process: the counters of the proposals that are still held. */
async function everythingPending(session: RawSession): Promise<{ slot: number; retry: number; holder: string }> {
  const task = (name: string, more: object = {}): object => ({
    kind: 'task',
    run: `${FLOW}.${name}`,
    execution: 1,
    to: RUNNING,
    create: { kind: 'task', name, parent: FLOW, ...more },
  });
  let asked = -1;
  const ask = (draft: object): Promise<Answer> => {
    asked += 1;
    return session.ask(draft);
  };
  await ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax: 1 } });
  await ask({ kind: 'flow', run: FLOW, basedOn: 0, claim: true, to: RUNNING, create: { kind: 'flow', name: 'all' } });
  await ask(task('holder', { limits: [{ limit: 'api', slots: 1 }] }));
  const slot = await ask(task('waiter', { limits: [{ limit: 'api', slots: 1 }] }));
  expect(slot.outcome).toBe('held');
  const slotCounter = asked;
  await ask(task('flaky', { retry: { retriesMax: 1, delaysMs: [2500], jitter: 0 } }));
  const failed = {
    kind: 'task',
    run: `${FLOW}.flaky`,
    execution: 1,
    report: true,
    to: { type: 'FAILED', name: 'Failed' },
  };
  expect((await ask(failed)).state?.name).toBe('AwaitingRetry');
  expect((await ask({ kind: 'task', run: `${FLOW}.flaky`, execution: 1, to: RUNNING })).outcome).toBe('held');
  const retryCounter = asked;
  await ask(task('slow', { timeoutMs: 3000 }));
  const definition = { kind: 'flow', name: 'later', work: { pool: 'default', queue: 'default' } };
  const to = { type: 'SCHEDULED', name: 'Scheduled', dueAtMs: Date.now() + 3000 };
  await ask({ kind: 'flow', run: SCHEDULED, basedOn: 0, to, create: definition });
  return { slot: slotCounter, retry: retryCounter, holder: `${FLOW}.holder` };
}

test('timers, held proposals and limits go on from the ledger alone', async () => {
  const before = folder();
  const digests = { active: new Map<number, string>(), projected: new Map<number, string>() };
  await start({
    dataDir: before,
    onDigest: (seq, digest) => digests.active.set(seq, digest),
    onViewDigest: (seq, digest) => digests.projected.set(seq, digest),
  });
  const session = await proposeRaw(before);
  const pending = await everythingPending(session);
  const ledger = await takeLedger(before);
  await session.close();
  await engines.splice(0)[0]?.stop();
  rmSync(before, { recursive: true });

  const after = folder();
  await giveLedger(after, ledger);
  const restarted = new Map<number, string>();
  await start({ dataDir: after, onDigest: (seq, digest) => restarted.set(seq, digest) });
  const connection = await connectAsEngine(after);
  const answers = new Map<number, Answer>();
  connection.subscribe(subjects.answer('default', session.id), {
    callback: (_, message) => {
      for (const answer of message.json<AnswerMessage>().answers) answers.set(answer.counter, answer);
    },
  });
  const viewOf = async (run: string): Promise<RunView | undefined> => {
    const reply = await askArbiter(connection, JSON.stringify({ v: 1, type: 'RUN', run }));
    return reply.json<{ run?: RunView }>().run;
  };
  // The clock: a retry that was waiting, a time-out that was running, a start that was scheduled.
  await expect.poll(async () => (await viewOf(`${FLOW}.flaky`))?.state.name, { timeout: 10_000 }).toBe('Retrying');
  await expect.poll(async () => (await viewOf(`${FLOW}.slow`))?.state.name, { timeout: 10_000 }).toBe('TimedOut');
  await expect.poll(async () => (await viewOf(SCHEDULED))?.state.type, { timeout: 10_000 }).toBe('PENDING');
  // The limit: its one slot is still taken, and goes to the one that waits as soon as it is given back.
  expect(answers.get(pending.slot)).toBeUndefined();
  const other = await proposeRaw(after);
  const end = {
    kind: 'task',
    run: pending.holder,
    execution: 1,
    report: true,
    to: { type: 'COMPLETED', name: 'Completed' },
  };
  expect((await other.ask(end)).outcome).toBe('accepted');
  await expect.poll(() => answers.get(pending.slot)?.outcome, { timeout: 5000 }).toBe('accepted');
  await other.close();
  await connection.close();

  // One history, one state: whoever folds it, at every sequence.
  const whole = await takeLedger(after);
  const replayed = await replayedDigests(whole);
  const upToCopy = [...replayed].filter(([seq]) => seq <= ledger.length);
  expect(upToCopy.length).toBeGreaterThan(8);
  expect([...digests.active].filter(([seq]) => seq <= ledger.length)).toEqual(upToCopy);
  expect([...digests.projected].filter(([seq]) => seq <= ledger.length)).toEqual(upToCopy);
  for (const [seq, digest] of restarted) expect([seq, digest]).toEqual([seq, replayed.get(seq)]);
  expect(restarted.size).toBeGreaterThan(ledger.length);
});

test('a standby folds the same state as the active arbiter at every sequence', async () => {
  const dataDir = folder();
  const active = new Map<number, string>();
  const standby = new Map<number, string>();
  const first = await start({ dataDir, onDigest: (seq, digest) => active.set(seq, digest) });
  const { url, user = '', password = '' } = first.clientAddress;
  const withSecrets = url.replace('//', `//${user}:${password}@`);
  let role = '';
  await start({
    dataDir: folder(),
    url: withSecrets,
    onDigest: (seq, digest) => standby.set(seq, digest),
    onRole: (now) => (role = now),
  });
  expect(role).toBe('STANDBY');
  const session = await proposeRaw(dataDir);
  await everythingPending(session);
  await session.close();
  const replayed = await replayedDigests(await takeLedger(dataDir));
  await expect.poll(() => standby.size, { timeout: 5000 }).toBe(replayed.size);
  expect([...standby]).toEqual([...replayed]);
  expect([...active]).toEqual([...replayed]);
});
