/** What strangers put on the wire: bytes that are no proposals, lies, floods. All of it is refused or ignored. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConnectionFile } from '../../engine/server/connection-file.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { subjects } from '../../protocol/subjects.ts';
import { askArbiter } from '../support/ask-arbiter.ts';
import { proposeRaw, rawSession, type RawSession } from '../support/raw-session.ts';
import { connectAsEngine } from '../ledger/ledger-copy.ts';
import { brokenRuns, ledgerOf, readLedger, ruledTwice, unreproduced, type Ruled } from './ledger-check.ts';

const RUN = 'aaaaaaaaaaaaaaaa';
const RUNNING = { type: 'RUNNING', name: 'Running' };
const limitSet = { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'any', slotsMax: 1 } };
const batchOf = (...proposals: unknown[]): string => JSON.stringify({ v: 1, proposals });

let dataDir: string;
let engine: Engine;
const epochs = new Set<number>();
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-hostile-'));
  engine = await startEngine({ dataDir, onRole: (role, epoch) => role === 'ACTIVE' && epochs.add(epoch) });
});
afterAll(async () => {
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function rulings(): Promise<readonly Ruled[]> {
  const connection = await connectAsEngine(dataDir);
  const ledger = await readLedger(ledgerOf(connection));
  await connection.close();
  expect([...ruledTwice(ledger.rulings), ...brokenRuns(ledger.rulings)]).toEqual([]);
  expect(await unreproduced(ledger)).toEqual([]);
  return ledger.rulings;
}

async function withSession<T>(act: (session: RawSession) => Promise<T>): Promise<T> {
  const session = await proposeRaw(dataDir);
  try {
    return await act(session);
  } finally {
    await session.close();
  }
}

/** Publishes it in the name of a session, and shows that the same session is served all the same. */
async function thenServed(bytes: Uint8Array | string): Promise<readonly Ruled[]> {
  const before = (await rulings()).length;
  await withSession(async (session) => {
    session.publish(bytes);
    expect((await session.ask(limitSet)).outcome).toBe('accepted');
  });
  return (await rulings()).slice(before);
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('bytes that are no batch stand on the ledger as refused, with why', () => {
  test.each<{ what: string; bytes: Uint8Array | string }>([
    { what: 'nothing', bytes: '' },
    { what: 'noise', bytes: randomBytes(500) },
    { what: 'text that is not UTF-8', bytes: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]) },
    { what: 'null', bytes: 'null' },
    { what: 'a number', bytes: '1e999' },
    { what: 'an empty object', bytes: '{}' },
    { what: 'no proposals', bytes: batchOf() },
    {
      what: 'too many proposals',
      bytes: batchOf(...Array.from({ length: LIMITS.batchProposalsMax + 1 }, () => limitSet)),
    },
    { what: 'another version', bytes: JSON.stringify({ v: 2, proposals: [limitSet] }) },
    { what: 'an envelope that says more', bytes: JSON.stringify({ v: 1, proposals: [limitSet], by: 'engine' }) },
    { what: 'a megabyte', bytes: 'x'.repeat(1_000_000) },
    { what: 'something very deep', bytes: `{"v":1,"proposals":[{"to":${nested(20_000)}}]}` },
    { what: 'a prototype', bytes: '{"v":1,"proposals":[{"__proto__":{"counter":0},"kind":"workspace"}]}' },
  ])('$what', async ({ bytes }) => {
    const [refused, ...others] = await thenServed(bytes);
    expect(refused?.ruling).toMatchObject({ outcome: 'rejected', trail: [{ rule: 'arbiter', code: 'MALFORMED' }] });
    expect(others).toHaveLength(1);
  });
});

describe('a proposal that is none, with a counter, is answered', () => {
  const flow = { kind: 'flow', run: RUN, to: RUNNING };
  test.each<{ what: string; draft: object }>([
    { what: 'an unknown field', draft: { ...limitSet, admin: true } },
    { what: 'an actor of its own choice', draft: { ...limitSet, by: 'engine' } },
    { what: 'an epoch', draft: { ...limitSet, epoch: 1 } },
    {
      what: 'an event that only the engine makes',
      draft: { kind: 'workspace', event: { type: 'SESSION_CLOSED', session: 'x', silentSinceMs: 0 } },
    },
    { what: 'an unknown state', draft: { ...flow, to: { type: 'DONE', name: 'Done' } } },
    { what: 'an id with a space', draft: { ...flow, run: 'aaaaaaaa aaaaaaa' } },
    { what: 'a very long id', draft: { ...flow, run: `${RUN}${'.x'.repeat(1000)}` } },
    {
      what: 'a limit of minus one slots',
      draft: { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'any', slotsMax: -1 } },
    },
    { what: 'a name that is too long', draft: { ...flow, to: { type: 'RUNNING', name: 'x'.repeat(500) } } },
    { what: 'a time that is none', draft: { ...flow, to: { type: 'SCHEDULED', name: 'Later', dueAtMs: 1.5 } } },
    {
      what: 'a definition that is not the id’s',
      draft: { ...flow, create: { kind: 'flow', name: 'x', parent: 'bbbbbbbbbbbbbbbb' } },
    },
    { what: 'a task of no flow', draft: { ...flow, kind: 'task', create: { kind: 'task', name: 'x' } } },
    { what: 'a run that nobody knows', draft: { ...flow, run: 'zzzzzzzzzzzzzzzz' } },
  ])('$what', async ({ draft }) => {
    const answer = await withSession(async (session) => {
      await session.ask(limitSet);
      return session.ask(draft);
    });
    expect(answer.outcome).toBe('rejected');
    expect(['MALFORMED', 'RUN_UNKNOWN']).toContain(answer.code);
  });
});

test('whoever asks in the name of an execution that is not his is fenced', async () => {
  await withSession(async (owner) => {
    const create = { kind: 'flow', name: 'owned' };
    const claimed = await owner.ask({ kind: 'flow', run: RUN, to: RUNNING, basedOn: 0, claim: true, create });
    expect(claimed.execution).toBe(1);
    await withSession(async (stranger) => {
      const end = { kind: 'flow', run: RUN, to: { type: 'COMPLETED', name: 'Completed' }, report: true };
      for (const execution of [0, 2, Number.MAX_SAFE_INTEGER]) {
        expect((await stranger.ask({ ...end, execution })).code).toBe('FENCED');
      }
      expect((await stranger.ask(end)).code).toBe('FENCED');
      const task = { kind: 'task', run: `${RUN}.x`, to: RUNNING, create: { kind: 'task', name: 'x', parent: RUN } };
      expect((await stranger.ask(task)).code).toBe('FENCED');
    });
    const ended = await owner.ask({
      kind: 'flow',
      run: RUN,
      to: { type: 'COMPLETED', name: 'Completed' },
      report: true,
      execution: 1,
    });
    expect(ended.outcome).toBe('accepted');
  });
});

test('counters that go backwards are answered from the record; one that comes too early waits for those before it', async () => {
  await withSession(async (session) => {
    const first = await session.ask(limitSet);
    await session.ask(limitSet);
    session.publish(batchOf({ ...limitSet, counter: 0 }));
    const again = await session.next(0);
    expect([again.seq, again.index, again.outcome]).toEqual([first.seq, first.index, 'accepted']);
    const count = (await rulings()).length;
    for (const counter of [4, 1_000_000, Number.MAX_SAFE_INTEGER]) {
      session.publish(batchOf({ ...limitSet, counter }));
    }
    session.publish(batchOf({ ...limitSet, counter: 2 }));
    expect((await session.next(2)).outcome).toBe('accepted');
    expect(await rulings()).toHaveLength(count + 1);
    session.publish(batchOf({ ...limitSet, counter: 3 }, { ...limitSet, counter: 4 }));
    expect((await session.next(4)).outcome).toBe('accepted');
  });
});

test('a session that claims answers it never had harms itself alone', async () => {
  await withSession(async (session) => {
    await session.ask(limitSet);
    const counter = 1_000_000;
    session.publish(batchOf({ ...limitSet, counter, done: counter }));
    expect((await session.next(counter)).outcome).toBe('accepted');
  });
  await withSession(async (session) => {
    expect((await session.ask(limitSet)).outcome).toBe('accepted');
  });
});

test('a session that was never opened is told so, and nothing is kept of it', async () => {
  await withSession(async (session) => {
    session.publish(batchOf({ ...limitSet, counter: 7, done: 7 }));
    expect((await session.next(7)).code).toBe('SESSION_EXPIRED');
    expect((await session.ask(limitSet)).outcome).toBe('accepted');
  });
});

test('a session of another user is another session, whatever its name', async () => {
  const file = await readConnectionFile(dataDir);
  const { user, password } = file!.credentials.cli;
  const cli = await connect({ servers: file!.url, user, pass: password, inboxPrefix: '_INBOX.cli' });
  await withSession(async (session) => {
    await session.ask(limitSet);
    cli.publish(
      subjects.propose('default', 'cli', session.id),
      batchOf({ ...limitSet, counter: 0 }, { ...limitSet, counter: 1 }),
    );
    await cli.flush();
    expect((await session.ask(limitSet)).outcome).toBe('accepted');
  });
  await cli.close();
  expect((await rulings()).some(({ ruling }) => ruling.proposal.by === 'cli' && ruling.outcome === 'accepted')).toBe(
    false,
  );
});

test('the server itself refuses what is said in another’s name, or to the ledger, and what is too large for it', async () => {
  const before = (await rulings()).length;
  await withSession(async ({ connection, id }) => {
    const refused: string[] = [];
    const watch = (async (): Promise<void> => {
      for await (const status of connection.status()) if (status.type === 'error') refused.push(status.error.message);
    })();
    connection.publish(subjects.propose('default', 'engine', id), batchOf({ ...limitSet, counter: 0 }));
    connection.publish(subjects.ledger('default'), 'not a segment');
    await connection.flush();
    await expect.poll(() => refused.length).toBe(2);
    expect(() => {
      connection.publish(subjects.propose('default', 'sdk', id), Buffer.alloc(64 * 1024 * 1024));
    }).toThrow();
    void watch;
  });
  expect(await rulings()).toHaveLength(before);
});

test('questions and beats that are none are answered with the problem, or not at all', async () => {
  await withSession(async ({ connection, id }) => {
    for (const question of [
      '',
      'null',
      '{"v":1,"type":"EVERYTHING"}',
      '{"v":1,"type":"RUN","run":"*"}',
      nested(20_000),
    ]) {
      const reply = await askArbiter(connection, question);
      expect(reply.json()).toHaveProperty('problem');
    }
    // An answer with the engine's rights to a subject of the asker's choice would be a forged segment.
    connection.publish(subjects.ask('default'), '{"v":1,"type":"HELLO"}', { reply: subjects.ledger('default') });
    for (const beat of ['', '{}', randomBytes(100)]) connection.publish(subjects.heartbeat('default', id), beat);
    await connection.flush();
  });
  await rulings();
});

test('a flood of nonsense keeps nobody from being served, and the engine is still in its first epoch', async () => {
  const connection = await connectAsEngine(dataDir);
  const flood = await rawSession(connection, 'default', 'sdk');
  for (let count = 0; count < 2000; count += 1) flood.publish(randomBytes(200));
  await withSession(async (session) => {
    expect((await session.ask(limitSet)).outcome).toBe('accepted');
  });
  await connection.close();
  await rulings();
  expect([...epochs]).toEqual([1]);
});
