/**
 * An arbiter on logs in memory, in virtual time: what it must do at each turn of its life, one thing at a time. The
 * simulation (test/simulation) does them all at once.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import type { Position } from '../../protocol/rulings.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { Killed } from '../support/memory-arbiter.ts';
import { runId, segmentOf } from '../support/worlds.ts';
import { replayProblems } from '../support/replayed.ts';
import { SmallWorld } from './small-world.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const FLOW = runId('flow');
const start = { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } } as const;

let world: SmallWorld;
beforeEach(() => {
  world = new SmallWorld();
});
afterEach(async () => {
  if (!world.isBroken) expect(await replayProblems(world.ledger)).toEqual([]);
});

describe('an answer', () => {
  test('comes when the ruling is settled, and not before', async () => {
    world.begin();
    await world.pass(100);
    world.latencyMs = 500;
    world.propose('one', { ...start, counter: 0 });
    await world.pass(1100);
    expect((await world.rulings()).map(({ outcome }) => outcome)).toEqual(['accepted']);
    expect(world.answers('one')).toEqual([]);
    await world.pass(500);
    expect(world.answers('one')).toEqual([[0, 'accepted']]);
  });

  test('comes from the record to whoever asks again, and nothing is ruled twice', async () => {
    world.begin();
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    expect(world.answers('one')).toEqual([
      [0, 'accepted'],
      [0, 'accepted'],
    ]);
    expect(await world.rulings()).toHaveLength(1);
  });

  test('is not given for what may have been lost, until it is known', async () => {
    world.begin();
    await world.pass(100);
    world.fate = 'STORE_BUT_UNKNOWN';
    world.propose('one', { ...start, counter: 0 });
    await world.pass(1000);
    expect(world.answers('one')).toEqual([]);
    world.fate = 'STORE';
    await world.pass(3000);
    // It was stored; the next incarnation knows it, and the asker need only ask again.
    expect(world.answers('one')).toEqual([]);
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    expect(world.answers('one')).toEqual([[0, 'accepted']]);
    expect(await world.rulings()).toHaveLength(1);
  });

  test('from the record waits while the run that it is about is not settled', async () => {
    world.begin();
    world.propose('one', { ...start, counter: 0 }, { ...start, counter: 1 });
    await world.pass(100);
    expect(world.answers('one')).toEqual([
      [0, 'accepted'],
      [1, 'rejected'],
    ]);
    world.latencyMs = 300;
    const to = { type: 'COMPLETED', name: 'Completed' };
    world.propose('one', { kind: 'flow', run: FLOW, to, report: true, execution: 1, counter: 2 });
    world.propose('one', { ...start, counter: 1 });
    await world.pass(700);
    const states = world.told.flatMap(({ message }) =>
      message.answers.map(({ counter, state }) => [counter, state?.type]),
    );
    // The refusal tells the state that the run is in: it must not be one that could still be undone.
    expect(states).not.toContainEqual([1, 'COMPLETED']);
  });
});

describe('the position in PROPOSALS', () => {
  test('is where a successor goes on', async () => {
    const first = world.begin();
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    first.process.kill();
    world.propose('one', { kind: 'flow', run: FLOW, to: { type: 'CANCELLING', name: 'C' }, counter: 1 });
    world.begin('B');
    await world.pass(100);
    expect((await world.rulings()).map(({ proposal }) => proposal.id)).toEqual(['one:0', 'one:1']);
  });

  test('is found again from the first message when the stream has lost its tail', async () => {
    const arbiter = world.begin();
    world.propose('one', { ...start, counter: 0 });
    world.propose('one', { kind: 'flow', run: FLOW, to: { type: 'PAUSED', name: 'P' }, execution: 1, counter: 1 });
    await world.pass(100);
    world.proposals.rewindTo(1);
    // In the place of what was lost, and was ruled on, another one is stored.
    world.propose('two', { ...start, run: runId('other'), counter: 0 });
    arbiter.arbiter.reconnected();
    await world.pass(100);
    expect((await world.rulings()).map(({ proposal }) => proposal.id)).toEqual(['one:0', 'one:1', 'two:0']);
  });
});

describe('the ledger', () => {
  test('that went back to an earlier copy is folded anew, and the next epoch says what was lost', async () => {
    const arbiter = world.begin();
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    world.ledger.rewindTo(1);
    arbiter.arbiter.reconnected();
    await world.pass(100);
    expect(world.lines.join('\n')).toContain('LEDGER_REWOUND');
    const entries = segmentOf((await world.ledger.get(2))!.bytes).lines.map(decodeEntry);
    expect(entries).toMatchObject([{ type: 'EPOCH', epoch: 2, rewound: { seq: 2, lastFound: 1 } }]);
    // PROPOSALS still had it: it was ruled on again, and only that ruling counts.
    expect(await world.rulings()).toHaveLength(1);
  });

  test('that is broken is not written any more', async () => {
    const first = world.begin();
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    first.process.kill();
    const { bytes } = (await world.ledger.get(2))!;
    world.isBroken = true;
    world.ledger.overwrite(2, bytes.with(30, (bytes[30] ?? 0) ^ 1));
    const second = world.begin('B');
    await world.pass(5000);
    expect(second.arbiter.role).toBe('BROKEN');
    expect(world.lines.join('\n')).toContain('sequence 2');
    expect((await world.ledger.bounds()).last).toBe(2);
  });
});

describe('two arbiters', () => {
  test('are one that is active and one that stands by, until the first is silent', async () => {
    const a = world.begin('A', { alone: false });
    await world.pass(1500);
    const b = world.begin('B', { alone: false });
    await world.pass(3000);
    expect([a, b].map(({ arbiter }) => arbiter.role)).toEqual(['ACTIVE', 'STANDBY']);
    world.propose('one', { ...start, counter: 0 });
    await world.pass(200);
    a.process.kill();
    await world.pass(3000);
    expect(b.arbiter.role).toBe('ACTIVE');
    world.propose('one', { ...start, counter: 0 });
    await world.pass(100);
    expect(await world.rulings()).toHaveLength(1);
  });

  test('of which the stale one goes on: what it writes is void, and it answers nobody for it', async () => {
    const a = world.begin('A', { alone: false });
    await world.pass(1500);
    const b = world.begin('B', { alone: false });
    await world.pass(1500);
    // What `a` appends now stays on its way while `b` takes over, one segment for each proposal.
    a.delayedUntilMs = world.kernel.nowMs + 4000;
    for (const other of world.arbiters) other.hearLease = () => undefined;
    for (const name of ['one', 'two', 'three']) {
      world.propose(name, { ...start, run: runId(name), counter: 0 });
      await world.pass(5);
    }
    await world.pass(2500);
    expect(b.arbiter.role).toBe('ACTIVE');
    await world.pass(5000);
    world.propose('four', { ...start, run: runId('four'), counter: 0 });
    await world.pass(2500);
    expect([a, b].map(({ arbiter }) => arbiter.counters.voidSegments)).toContain(1);
    const ruled = [...b.arbiter.workspace.runs.entries()].map(([, { name, version }]) => [name, version]);
    expect(ruled).toEqual([1, 2, 3, 4].map(() => ['f', 1]));
    expect(world.told.map(({ message }) => message.epoch)).not.toContain(1);
    expect(world.answers('three')).toEqual([[0, 'accepted']]);
  });
});

describe('time', () => {
  test('goes on when the wall clock is set and the connection is lost', async () => {
    const arbiter = world.begin();
    const to = { type: 'SCHEDULED', name: 'S', dueAtMs: 10_000 };
    world.propose('one', { kind: 'flow', run: FLOW, to, create: { kind: 'flow', name: 'f' }, counter: 0 });
    world.propose('one', { ...start, counter: 1 });
    await world.pass(500);
    world.wallOffsetMs = 3_600_000;
    arbiter.arbiter.reconnected();
    await world.pass(5000);
    expect(world.answers('one')).toEqual([
      [0, 'accepted'],
      [1, 'held'],
    ]);
    await world.pass(6000);
    expect(world.answers('one')).toContainEqual([1, 'accepted']);
  });
});

describe('a session', () => {
  const held = { ...start, create: { kind: 'flow', name: 'f', limits: [{ limit: 'db', slots: 1 }] }, counter: 1 };
  const noSlots = { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 0 }, counter: 0 };

  test('that is silent for long is closed, and what it waits for is withdrawn', async () => {
    const { arbiter } = world.begin();
    world.propose('one', noSlots, held);
    await world.pass(300_000);
    expect((await world.rulings()).at(-1)?.proposal).toMatchObject({
      event: { type: 'SESSION_CLOSED', session: 'one' },
    });
    expect(arbiter.workspace.held.size).toBe(0);
    world.propose('one', { ...start, counter: 2 });
    await world.pass(100);
    expect(world.told.at(-1)?.message.answers).toMatchObject([{ outcome: 'rejected', code: 'SESSION_EXPIRED' }]);
  });

  test('that waits for long, and asks again, is not closed', async () => {
    const { arbiter } = world.begin();
    world.propose('one', noSlots, held);
    for (let i = 0; i < 10; i += 1) {
      await world.pass(30_000);
      world.propose('one', held);
    }
    expect(arbiter.workspace.held.size).toBe(1);
  });
});

describe('a proposal that ends whoever judges it', () => {
  test('is refused unjudged at the third time', async () => {
    const killed: (Position | undefined)[] = [];
    const poison = { kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'poison' }, counter: 1 };
    const again = (endedAt?: Position): void => {
      world.begin('A', {
        ...(endedAt === undefined ? {} : { endedAt }),
        onKilled: (at) => {
          killed.push(at);
          again(at);
        },
      });
    };
    world.judging = ({ index }) => {
      if (index === 1) throw new Killed();
    };
    world.propose('one', { ...start, counter: 0 }, poison, { ...start, run: runId('after'), counter: 2 });
    again();
    await world.pass(1000);
    expect(killed).toEqual([
      { seq: 1, index: 1 },
      { seq: 1, index: 1 },
    ]);
    expect((await world.rulings()).map(({ proposal, outcome }) => [proposal.id, outcome])).toEqual([
      ['one:0', 'accepted'],
      ['one:1', 'rejected'],
      ['one:2', 'accepted'],
    ]);
  });
});

describe('what a flow run leaves behind when it ends', () => {
  test('is ended one by one, in bounded segments, also by a successor', async () => {
    const first = world.begin();
    const calls = Array.from({ length: 200 }, (_, i): object => ({
      kind: 'task',
      run: `${FLOW}.t${String(i)}` as RunId,
      to: RUNNING,
      execution: 1,
      create: { kind: 'task', name: 't', parent: FLOW },
      counter: i + 1,
    }));
    world.propose('one', { ...start, counter: 0 }, ...calls);
    await world.pass(200);
    world.latencyMs = 50;
    world.propose('one', {
      kind: 'flow',
      run: FLOW,
      to: { type: 'COMPLETED', name: 'C' },
      report: true,
      execution: 1,
      counter: 201,
    });
    await world.pass(120);
    first.process.kill();
    const { arbiter } = world.begin('B');
    await world.pass(2000);
    const open = [...arbiter.workspace.runs.entries()].filter(([, { state }]) => state.type === 'RUNNING');
    expect(open).toEqual([]);
    expect([...arbiter.workspace.cascades.entries()]).toEqual([]);
    const ends = (await world.rulings()).filter(({ proposal }) => proposal.id.startsWith('cascade/'));
    expect(new Set(ends.map(({ proposal }) => proposal.id)).size).toBe(200);
    expect(ends).toHaveLength(200);
  });
});

describe('a hint to workers', () => {
  const pending = {
    kind: 'flow',
    run: FLOW,
    to: { type: 'PENDING', name: 'Pending' },
    create: { kind: 'flow', name: 'f', work: { pool: 'p', queue: 'q' } },
    counter: 0,
  };

  test('is given once the run is ready, and again by a successor if it was not stored', async () => {
    world.stored = () => new Promise(() => undefined);
    const first = world.begin();
    world.propose('one', pending);
    await world.pass(100);
    expect(world.hints).toEqual([{ run: FLOW, version: 1, name: 'f', pool: 'p', queue: 'q' }]);
    world.propose('one', { ...start, run: runId('other'), counter: 1 });
    await world.pass(100);
    first.process.kill();
    world.begin('B');
    await world.pass(100);
    expect(world.hints).toHaveLength(2);
    expect(world.hints[1]).toEqual(world.hints[0]);
  });

  test('is not given again by a successor if it was', async () => {
    const first = world.begin();
    world.propose('one', pending);
    await world.pass(100);
    // The mark is recorded with the next segment.
    world.propose('one', { ...start, run: runId('other'), counter: 1 });
    await world.pass(100);
    first.process.kill();
    world.begin('B');
    await world.pass(100);
    expect(world.hints).toHaveLength(1);
  });

  test('is given again, under a new version, when no worker claims the run', async () => {
    world.begin();
    world.propose('one', pending);
    await world.pass(61_000);
    expect(world.hints.map(({ version }) => version)).toEqual([1, 2]);
  });
});

test('a segment fits into a message of 1 MiB even unpacked, whatever the door let in', async () => {
  world.begin();
  await world.pass(100);
  const names = Array.from({ length: 24 }, (_, i) => runId(`flow${String(i)}`));
  const retry = { retriesMax: 1, delaysMs: Array.from({ length: 1000 }, () => 1234.5678901234567), jitter: 1 };
  const create = { kind: 'flow', name: 'f', retry };
  const starts = names.map((run, counter) => ({ kind: 'flow', run, to: RUNNING, claim: true, create, counter }));
  // The longest text that may stand inline, in the characters that take the most room.
  const error = { digest: 'a'.repeat(64), size: 1, inline: '\u0001'.repeat(16 * 1024) };
  const to = { type: 'FAILED', name: 'Failed', error };
  const ends = names.map((run, i) => ({
    kind: 'flow',
    run,
    to,
    report: true,
    execution: 1,
    counter: names.length + i,
  }));
  world.propose('one', ...starts);
  for (let at = 0; at < ends.length; at += 6) world.propose('one', ...ends.slice(at, at + 6));
  await world.pass(1000);
  expect(world.answers('one')).toHaveLength(2 * names.length);
  for await (const { bytes } of world.ledger.read(1)) {
    expect(Buffer.byteLength(segmentOf(bytes).lines.join('\n'))).toBeLessThan(1024 * 1024);
  }
});
