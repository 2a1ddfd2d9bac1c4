/**
 * An arbiter on logs in memory, in virtual time: what it must do at each turn of its life, one thing at a time. The
 * simulation (test/simulation) does them all at once.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { memoryLog, type AppendFate, type MemoryLog } from '../../engine/log/memory.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { AnswerMessage, ProposalDraft } from '../../protocol/messages.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { subjects } from '../../protocol/subjects.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { ArbiterProcess, Kernel, type ArbiterProcessOptions } from '../support/memory-arbiter.ts';
import { chanceOf } from '../support/worlds-random.ts';
import { runId, segmentOf } from '../support/worlds.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const FLOW = runId('flow');
const start = { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } } as const;

let kernel: Kernel;
let ledger: MemoryLog;
let proposals: MemoryLog;
let told: { session: string; message: AnswerMessage }[];
let lines: string[];
let fate: AppendFate;
let latencyMs: number;
let judging: ((at: Position) => void) | undefined;

beforeEach(() => {
  kernel = new Kernel(chanceOf(1));
  fate = 'STORE';
  latencyMs = 1;
  judging = undefined;
  ledger = memoryLog('ledger', { fate: () => fate });
  proposals = memoryLog('proposals');
  told = [];
  lines = [];
});

function begin(name = 'A', more: Partial<ArbiterProcessOptions> & { alone?: boolean } = {}): ArbiterProcess {
  const { alone = true, ...options } = more;
  const arbiter: ArbiterProcess = new ArbiterProcess({
    name,
    kernel,
    around: {
      ledger,
      proposals,
      answer: (session, message) => told.push({ session, message }),
      dispatch: () => undefined,
      beat: (from, lease) => {
        for (const other of everybody) if (other !== from) other.hearLease(lease);
      },
      latencyMs: () => latencyMs,
      unreachable: () => false,
      judging: (at) => judging?.(at),
      folded: () => undefined,
      say: (line) => lines.push(line),
    },
    settings: { alone, sessionLimitMs: 100_000 },
    wallOffsetMs: () => wallOffsetMs,
    ...options,
  });
  everybody.push(arbiter);
  arbiter.arbiter.start();
  return arbiter;
}
let everybody: ArbiterProcess[] = [];
let wallOffsetMs = 0;
beforeEach(() => {
  everybody = [];
  wallOffsetMs = 0;
});

/** As one batch; returns its place in PROPOSALS. */
const propose = (session: string, ...drafts: object[]): number =>
  proposals.storeForeign(
    encodeBatch({ v: 1, proposals: drafts as ProposalDraft[] }),
    subjects.propose('w', 'sdk', session),
  );
const pass = (ms: number): Promise<void> => kernel.live(kernel.nowMs + ms);
const answers = (session: string): unknown[] =>
  told
    .filter((one) => one.session === session)
    .flatMap(({ message }) => message.answers.map(({ counter, outcome }) => [counter, outcome]));

async function rulings(): Promise<Ruling[]> {
  const found: Ruling[] = [];
  for await (const { bytes } of ledger.read(1)) {
    for (const line of segmentOf(bytes).lines) {
      const entry = decodeEntry(line);
      if (entry.type === 'RULING') found.push(entry);
    }
  }
  return found;
}

describe('an answer', () => {
  test('comes when the ruling is settled, and not before', async () => {
    begin();
    await pass(100);
    latencyMs = 500;
    propose('one', { ...start, counter: 0 });
    await pass(1100);
    expect((await rulings()).map(({ outcome }) => outcome)).toEqual(['accepted']);
    expect(answers('one')).toEqual([]);
    await pass(500);
    expect(answers('one')).toEqual([[0, 'accepted']]);
  });

  test('comes from the record to whoever asks again, and nothing is ruled twice', async () => {
    begin();
    propose('one', { ...start, counter: 0 });
    await pass(100);
    propose('one', { ...start, counter: 0 });
    await pass(100);
    expect(answers('one')).toEqual([
      [0, 'accepted'],
      [0, 'accepted'],
    ]);
    expect(await rulings()).toHaveLength(1);
  });

  test('is not given for what may have been lost, until it is known', async () => {
    begin();
    await pass(100);
    fate = 'STORE_BUT_UNKNOWN';
    propose('one', { ...start, counter: 0 });
    await pass(1000);
    expect(answers('one')).toEqual([]);
    fate = 'STORE';
    await pass(3000);
    // It was stored; the next incarnation knows it, and the asker need only ask again.
    expect(answers('one')).toEqual([]);
    propose('one', { ...start, counter: 0 });
    await pass(100);
    expect(answers('one')).toEqual([[0, 'accepted']]);
    expect(await rulings()).toHaveLength(1);
  });

  test('from the record waits while the run that it is about is not settled', async () => {
    begin();
    propose('one', { ...start, counter: 0 }, { ...start, counter: 1 });
    await pass(100);
    expect(answers('one')).toEqual([
      [0, 'accepted'],
      [1, 'rejected'],
    ]);
    latencyMs = 300;
    const to = { type: 'COMPLETED', name: 'Completed' };
    propose('one', { kind: 'flow', run: FLOW, to, report: true, execution: 1, counter: 2 });
    propose('one', { ...start, counter: 1 });
    await pass(700);
    const states = told.flatMap(({ message }) => message.answers.map(({ counter, state }) => [counter, state?.type]));
    // The refusal tells the state that the run is in: it must not be one that could still be undone.
    expect(states).not.toContainEqual([1, 'COMPLETED']);
  });
});

describe('the position in PROPOSALS', () => {
  test('is where a successor goes on', async () => {
    const first = begin();
    propose('one', { ...start, counter: 0 });
    await pass(100);
    first.process.kill();
    propose('one', { kind: 'flow', run: FLOW, to: { type: 'CANCELLING', name: 'C' }, counter: 1 });
    begin('B');
    await pass(100);
    expect((await rulings()).map(({ proposal }) => proposal.id)).toEqual(['one:0', 'one:1']);
  });

  test('is found again from the first message when the stream has lost its tail', async () => {
    const arbiter = begin();
    propose('one', { ...start, counter: 0 });
    propose('one', { kind: 'flow', run: FLOW, to: { type: 'PAUSED', name: 'P' }, execution: 1, counter: 1 });
    await pass(100);
    proposals.rewindTo(1);
    // In the place of what was lost, and was ruled on, another one is stored.
    propose('two', { ...start, run: runId('other'), counter: 0 });
    arbiter.arbiter.reconnected();
    await pass(100);
    expect((await rulings()).map(({ proposal }) => proposal.id)).toEqual(['one:0', 'one:1', 'two:0']);
  });
});

describe('the ledger', () => {
  test('that went back to an earlier copy is folded anew, and the next epoch says what was lost', async () => {
    const arbiter = begin();
    propose('one', { ...start, counter: 0 });
    await pass(100);
    ledger.rewindTo(1);
    arbiter.arbiter.reconnected();
    await pass(100);
    expect(lines.join('\n')).toContain('LEDGER_REWOUND');
    const entries = segmentOf((await ledger.get(2))!.bytes).lines.map(decodeEntry);
    expect(entries).toMatchObject([{ type: 'EPOCH', epoch: 2, rewound: { seq: 2, lastFound: 1 } }]);
    // PROPOSALS still had it: it was ruled on again, and only that ruling counts.
    expect(await rulings()).toHaveLength(1);
  });

  test('that is broken is not written any more', async () => {
    const first = begin();
    propose('one', { ...start, counter: 0 });
    await pass(100);
    first.process.kill();
    const { bytes } = (await ledger.get(2))!;
    ledger.overwrite(2, bytes.with(30, (bytes[30] ?? 0) ^ 1));
    const second = begin('B');
    await pass(5000);
    expect(second.arbiter.role).toBe('BROKEN');
    expect(lines.join('\n')).toContain('sequence 2');
    expect((await ledger.bounds()).last).toBe(2);
  });
});

describe('two arbiters', () => {
  test('are one that is active and one that stands by, until the first is silent', async () => {
    const a = begin('A', { alone: false });
    await pass(1500);
    const b = begin('B', { alone: false });
    await pass(3000);
    expect([a, b].map(({ arbiter }) => arbiter.role)).toEqual(['ACTIVE', 'STANDBY']);
    propose('one', { ...start, counter: 0 });
    await pass(200);
    a.process.kill();
    await pass(3000);
    expect(b.arbiter.role).toBe('ACTIVE');
    propose('one', { ...start, counter: 0 });
    await pass(100);
    expect(await rulings()).toHaveLength(1);
  });

  test('of which the stale one goes on: what it writes is void, and it answers nobody for it', async () => {
    const a = begin('A', { alone: false });
    await pass(1500);
    const b = begin('B', { alone: false });
    await pass(1500);
    // What `a` appends now stays on its way while `b` takes over, one segment for each proposal.
    a.delayedUntilMs = kernel.nowMs + 4000;
    for (const other of everybody) other.hearLease = () => undefined;
    for (const name of ['one', 'two', 'three']) {
      propose(name, { ...start, run: runId(name), counter: 0 });
      await pass(5);
    }
    await pass(2500);
    expect(b.arbiter.role).toBe('ACTIVE');
    await pass(5000);
    propose('four', { ...start, run: runId('four'), counter: 0 });
    await pass(2500);
    expect([a, b].map(({ arbiter }) => arbiter.counters.voidSegments)).toContain(1);
    const ruled = [...b.arbiter.workspace.runs.entries()].map(([, { name, version }]) => [name, version]);
    expect(ruled).toEqual([1, 2, 3, 4].map(() => ['f', 1]));
    expect(told.map(({ message }) => message.epoch)).not.toContain(1);
    expect(answers('three')).toEqual([[0, 'accepted']]);
  });
});

describe('time', () => {
  test('goes on when the wall clock is set and the connection is lost', async () => {
    const arbiter = begin();
    const to = { type: 'SCHEDULED', name: 'S', dueAtMs: 10_000 };
    propose('one', { kind: 'flow', run: FLOW, to, create: { kind: 'flow', name: 'f' }, counter: 0 });
    propose('one', { ...start, counter: 1 });
    await pass(500);
    wallOffsetMs = 3_600_000;
    arbiter.arbiter.reconnected();
    await pass(5000);
    expect(answers('one')).toEqual([
      [0, 'accepted'],
      [1, 'held'],
    ]);
    await pass(6000);
    expect(answers('one')).toContainEqual([1, 'accepted']);
  });
});

describe('a session', () => {
  const held = { ...start, create: { kind: 'flow', name: 'f', limits: [{ limit: 'db', slots: 1 }] }, counter: 1 };
  const noSlots = { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 0 }, counter: 0 };

  test('that is silent for long is closed, and what it waits for is withdrawn', async () => {
    const { arbiter } = begin();
    propose('one', noSlots, held);
    await pass(300_000);
    expect((await rulings()).at(-1)?.proposal).toMatchObject({ event: { type: 'SESSION_CLOSED', session: 'one' } });
    expect(arbiter.workspace.held.size).toBe(0);
    propose('one', { ...start, counter: 2 });
    await pass(100);
    expect(told.at(-1)?.message.answers).toMatchObject([{ outcome: 'rejected', code: 'SESSION_EXPIRED' }]);
  });

  test('that waits for long, and asks again, is not closed', async () => {
    const { arbiter } = begin();
    propose('one', noSlots, held);
    for (let i = 0; i < 10; i += 1) {
      await pass(30_000);
      propose('one', held);
    }
    expect(arbiter.workspace.held.size).toBe(1);
  });
});

describe('a proposal that ends whoever judges it', () => {
  test('is refused unjudged at the third time', async () => {
    const killed: (Position | undefined)[] = [];
    const poison = { kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'poison' }, counter: 1 };
    const again = (endedAt?: Position): void => {
      begin('A', {
        ...(endedAt === undefined ? {} : { endedAt }),
        onKilled: (at) => {
          killed.push(at);
          again(at);
        },
      });
    };
    const { Killed } = await import('../support/memory-arbiter.ts');
    judging = ({ index }) => {
      if (index === 1) throw new Killed();
    };
    propose('one', { ...start, counter: 0 }, poison, { ...start, run: runId('after'), counter: 2 });
    again();
    await pass(1000);
    expect(killed).toEqual([
      { seq: 1, index: 1 },
      { seq: 1, index: 1 },
    ]);
    expect((await rulings()).map(({ proposal, outcome }) => [proposal.id, outcome])).toEqual([
      ['one:0', 'accepted'],
      ['one:1', 'rejected'],
      ['one:2', 'accepted'],
    ]);
  });
});

describe('what a flow run leaves behind when it ends', () => {
  test('is ended one by one, in bounded segments, also by a successor', async () => {
    const first = begin();
    const calls = Array.from({ length: 200 }, (_, i): object => ({
      kind: 'task',
      run: `${FLOW}.t${String(i)}` as RunId,
      to: RUNNING,
      execution: 1,
      create: { kind: 'task', name: 't', parent: FLOW },
      counter: i + 1,
    }));
    propose('one', { ...start, counter: 0 }, ...calls);
    await pass(200);
    latencyMs = 50;
    propose('one', {
      kind: 'flow',
      run: FLOW,
      to: { type: 'COMPLETED', name: 'C' },
      report: true,
      execution: 1,
      counter: 201,
    });
    await pass(120);
    first.process.kill();
    const { arbiter } = begin('B');
    await pass(2000);
    const open = [...arbiter.workspace.runs.entries()].filter(([, { state }]) => state.type === 'RUNNING');
    expect(open).toEqual([]);
    expect([...arbiter.workspace.cascades.entries()]).toEqual([]);
    const ends = (await rulings()).filter(({ proposal }) => proposal.id.startsWith('cascade/'));
    expect(new Set(ends.map(({ proposal }) => proposal.id)).size).toBe(200);
    expect(ends).toHaveLength(200);
  });
});
