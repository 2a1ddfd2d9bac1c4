/** What is settled, and what is undone (P1 to P3). */
import { beforeEach, describe, expect, test } from 'vitest';
import { Scribe, type Settled } from '../../engine/arbiter/scribe.ts';
import { stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import type { AppendOutcome, Log } from '../../engine/log/port.ts';
import type { EpochMs } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Entry } from '../../protocol/rulings.ts';
import { decodeSegment } from '../../protocol/segment.ts';

/** A ledger whose answers the test gives, in any order. */
class Ledger implements Pick<Log, 'append'> {
  readonly appends: { bytes: Uint8Array; expectedLast: number; answer: (outcome: AppendOutcome) => Promise<void> }[] =
    [];

  append(bytes: Uint8Array, expectedLast: number): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const answer = async (outcome: AppendOutcome): Promise<void> => {
        resolve(outcome);
        await new Promise(setImmediate);
      };
      this.appends.push({ bytes, expectedLast, answer });
    });
  }

  answer(index: number, outcome: AppendOutcome): Promise<void> {
    return this.appends[index]!.answer(outcome);
  }
}

const POSITION = { seq: 0, id: '' };
let time = 0;
const entry = (): Entry => ({ type: 'CLOCK_STEPPED', atMs: (time += 1) as EpochMs, wallMs: 0 as EpochMs });
let ledger: Ledger;
let workspace: Workspace;
let settled: Settled<string>[];
let failed: AppendOutcome[];
let scribe: Scribe<string>;

beforeEach(() => {
  ledger = new Ledger();
  workspace = new Workspace();
  settled = [];
  failed = [];
  scribe = new Scribe<string>({
    ledger: ledger as unknown as Log,
    workspace,
    epoch: 1,
    writer: 'w',
    last: 10,
    settled: (segment) => settled.push(segment),
    failed: (outcome) => failed.push(outcome),
  });
});

function publish(effect: string): void {
  scribe.write(entry());
  scribe.then([effect]);
  scribe.publish(POSITION, 0);
}
const effects = (): string[] => settled.flatMap((segment) => segment.effects);
const OK = (seq: number): AppendOutcome => ({ type: 'OK', seq });

describe('a segment', () => {
  test('names the one before it, also while that is in flight, and expects its sequence', () => {
    publish('a');
    publish('b');
    const [first, second] = ledger.appends.map(({ bytes }) => decodeSegment(bytes));
    if (first?.ok !== true || second?.ok !== true) throw new Error('no segments');
    expect(ledger.appends.map(({ expectedLast }) => expectedLast)).toEqual([10, 11]);
    expect(second.segment.header.parent).toEqual({ seq: 11, hash: first.segment.hash });
    expect([first, second].map(({ segment }) => segment.header.number)).toEqual([1, 2]);
  });

  test('of nothing is not written', () => {
    scribe.publish(POSITION, 0);
    expect(ledger.appends).toEqual([]);
  });

  test('has room for so many entries, and so many are in flight', () => {
    for (let i = 0; i < LIMITS.segmentEntriesMax; i += 1) {
      expect(scribe.isFull).toBe(false);
      scribe.write(entry());
    }
    expect(scribe.isFull).toBe(true);
    scribe.publish(POSITION, 0);
    for (let i = 1; i < LIMITS.segmentsInFlightMax; i += 1) {
      expect(scribe.hasRoom).toBe(true);
      publish('more');
    }
    expect(scribe.hasRoom).toBe(false);
  });
});

describe('settled', () => {
  test('is what has an OK with the expected sequence', async () => {
    publish('a');
    await ledger.answer(0, OK(11));
    expect(effects()).toEqual(['a']);
  });

  test('is nothing before all that came before it, however the answers come', async () => {
    for (const effect of ['a', 'b', 'c']) publish(effect);
    await ledger.answer(2, OK(13));
    await ledger.answer(1, OK(12));
    expect(effects()).toEqual([]);
    await ledger.answer(0, OK(11));
    expect(effects()).toEqual(['a', 'b', 'c']);
  });

  test.each<AppendOutcome>([OK(13), { type: 'CONFLICT' }, { type: 'UNKNOWN', detail: 'time-out' }])(
    'is nothing any more after an answer like %o',
    async (outcome) => {
      for (const effect of ['a', 'b', 'c']) publish(effect);
      await ledger.answer(0, OK(11));
      await ledger.answer(1, outcome);
      expect(failed).toHaveLength(1);
      scribe.abandon();
      await ledger.answer(2, OK(13));
      expect(effects()).toEqual(['a']);
      expect(failed).toHaveLength(1);
      publish('d');
      expect(ledger.appends).toHaveLength(3);
    },
  );
});

describe('what is abandoned', () => {
  test('is undone down to what was settled', async () => {
    publish('a');
    const one = stateDigest(workspace);
    publish('b');
    scribe.write(entry());
    await ledger.answer(0, OK(11));
    expect(scribe.abandon()).toBe(1);
    expect(stateDigest(workspace)).toBe(one);
    expect(workspace.meta.head.seq).toBe(11);
  });

  test('is undone altogether when nothing was settled', () => {
    const before = stateDigest(workspace);
    publish('a');
    publish('b');
    expect(scribe.abandon()).toBe(2);
    expect(stateDigest(workspace)).toBe(before);
  });
});
