/** Which stored segments count (C1 to C4). */
import { describe, expect, test } from 'vitest';
import { Chain, chainOver, standingAt, stillStands, type Head } from '../../engine/fold/chain.ts';
import { memoryLog, type MemoryLog } from '../../engine/log/memory.ts';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { encodeSegment } from '../../protocol/segment.ts';

type Written = { readonly bytes: Uint8Array; readonly head: Head };

/** A writer's segment, for the place `seq`, after `parent`. */
function written(writer: string, number: number, parent: Head, seq: number): Written {
  const header = { epoch: 1, writer, number, parent, position: { seq: 0, id: '' }, effects: 0 };
  const { bytes, hash } = encodeSegment(header, [`{"type":"CLOCK_STEPPED","by":"${writer}"}`]);
  return { bytes, head: { seq, hash } };
}

const GENESIS: Head = { seq: 0, hash: '' };

/** What a reader makes of a whole log: which segments count, and where it is broken. */
async function verdicts(log: MemoryLog): Promise<string[]> {
  const chain = chainOver(log, GENESIS);
  const found: string[] = [];
  try {
    for await (const message of log.read(1)) found.push((await chain.take(message)).type);
  } catch (error) {
    expect(error).toBeInstanceOf(AssentError);
    expect((error as AssentError).kind).toBe('LEDGER_BROKEN');
    found.push(/sequence (\d+)/.exec((error as AssentError).message)?.[1] ?? 'BROKEN');
  }
  return found;
}

function logOf(...segments: readonly Written[]): MemoryLog {
  const log = memoryLog();
  for (const { bytes } of segments) log.storeForeign(bytes);
  return log;
}

const a0 = written('a', 0, GENESIS, 1);
const a1 = written('a', 1, a0.head, 2);
const a2 = written('a', 2, a1.head, 3);

describe('a segment counts', () => {
  test('when it names the head', async () => {
    expect(await verdicts(logOf(a0, a1, a2))).toEqual(['COUNTED', 'COUNTED', 'COUNTED']);
  });
  test('whoever wrote it', async () => {
    expect(await verdicts(logOf(a0, written('b', 0, a0.head, 2)))).toEqual(['COUNTED', 'COUNTED']);
  });
  test('not when it names the head’s hash at another place', async () => {
    expect(await verdicts(logOf(a0, written('a', 1, { ...a0.head, seq: 7 }, 2)))).toEqual(['COUNTED', '2']);
  });
});

describe('a segment is void', () => {
  const b0 = written('b', 0, a0.head, 2);

  test('when another has named its parent before it', async () => {
    const late = written('a', 1, a0.head, 2);
    expect(await verdicts(logOf(a0, b0, late, written('b', 1, b0.head, 4)))).toEqual([
      'COUNTED',
      'COUNTED',
      'VOID',
      'COUNTED',
    ]);
  });

  test('when it names a void one', async () => {
    const late = written('a', 1, a0.head, 3);
    const later = written('a', 2, late.head, 4);
    expect(await verdicts(logOf(a0, b0, late, later))).toEqual(['COUNTED', 'COUNTED', 'VOID', 'VOID']);
  });

  test('when its parent was refused because another writer had taken its place', async () => {
    // `a` had two in flight for the places 2 and 3; `b` took place 2, so that the first was refused and the second fitted.
    expect(await verdicts(logOf(a0, b0, a2))).toEqual(['COUNTED', 'COUNTED', 'VOID']);
  });

  test('when it would be a second first', async () => {
    expect(await verdicts(logOf(a0, written('b', 0, GENESIS, 1)))).toEqual(['COUNTED', 'VOID']);
  });

  test('and the next that counts names the last that counted, over the void ones', async () => {
    const late = written('a', 1, a0.head, 2);
    const b1 = written('b', 1, b0.head, 4);
    const c0 = written('c', 0, b1.head, 5);
    expect(await verdicts(logOf(a0, b0, late, b1, c0))).toEqual(['COUNTED', 'COUNTED', 'VOID', 'COUNTED', 'COUNTED']);
  });
});

describe('the ledger is broken at exactly the sequence', () => {
  const unknown: Head = { seq: 1, hash: 'e'.repeat(64) as Digest };

  test('of a segment whose parent nobody knows', async () => {
    expect(await verdicts(logOf(a0, written('b', 0, unknown, 2)))).toEqual(['COUNTED', '2']);
  });
  test('of a segment that names a parent after itself', async () => {
    expect(await verdicts(logOf(a0, written('b', 0, { ...unknown, seq: 9 }, 2)))).toEqual(['COUNTED', '2']);
  });
  test('of a segment that does not follow its own writer’s last', async () => {
    // The parent's place is taken by a segment of the same writer: it was not overtaken, it was changed.
    expect(await verdicts(logOf(a0, a1, written('a', 2, { seq: 2, hash: 'e'.repeat(64) as Digest }, 3)))).toEqual([
      'COUNTED',
      'COUNTED',
      '3',
    ]);
  });
  test('of a gap', async () => {
    const log = logOf(a0, a1, a2);
    log.purgeBelow(2);
    expect(await verdicts(log)).toEqual(['1']);
  });
  test('of a changed byte, in a counted and in a void one', async () => {
    for (const place of [1, 2, 3]) {
      const log = logOf(a0, a1, written('b', 1, a0.head, 2));
      const bytes = Uint8Array.from((await log.get(place))!.bytes);
      bytes[20]! ^= 1;
      log.overwrite(place, bytes);
      expect((await verdicts(log)).at(-1)).toBe(String(place));
    }
  });
  test('of other bytes altogether', async () => {
    const log = logOf(a0);
    log.storeForeign(Buffer.from('hello'));
    expect(await verdicts(log)).toEqual(['COUNTED', '2']);
  });
});

describe('a head that is kept', () => {
  test('stands while the same segment is stored in its place', async () => {
    const log = logOf(a0, a1, a2);
    expect(await stillStands(log, a2.head)).toBe(true);
    log.rewindTo(1);
    expect(await stillStands(log, a2.head)).toBe(false);
    expect(await stillStands(log, a0.head)).toBe(true);
    log.storeForeign(written('b', 0, a0.head, 2).bytes);
    expect(await stillStands(log, a1.head)).toBe(false);
    expect(await stillStands(log, GENESIS)).toBe(true);
  });

  test('is where another reader can go on, whatever it remembers', async () => {
    const late = written('a', 1, a0.head, 2);
    const b0 = written('b', 0, a0.head, 2);
    const log = logOf(a0, b0, late);
    const looked: number[] = [];
    const chain = new Chain(b0.head, (seq) => {
      looked.push(seq);
      return standingAt(log, seq);
    });
    for await (const message of log.read(3)) expect((await chain.take(message)).type).toBe('VOID');
    expect(looked).toEqual([1]);
    expect(chain.head).toEqual(b0.head);
    expect(chain.last).toBe(3);
  });
});
