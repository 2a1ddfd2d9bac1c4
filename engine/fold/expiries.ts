/**
 * Rows that are of no use from some time on, by the ledger's time: they are dropped by the fold, a few with each ruling, so
 * that tables do not grow with every key that was ever seen.
 *
 * X1 Which row goes next follows from the rows alone: the time, then the key. So the same rows go wherever they were folded,
 *    loaded from a store, or put back by an undo.
 * X2 A row that has changed in the meantime is not looked for in the heap: it is found to have changed when it comes up.
 */
import TinyQueue from 'tinyqueue';
import type { EpochMs } from '../../protocol/ids.ts';
import { Table, type Recorder } from './table.ts';
import type { Limit } from './workspace.ts';

/** Rows of one table that go with one ruling. After a long time without rulings there may be any number. */
const DROPPED_MAX = 64;

type Entry = { readonly atMs: number; readonly key: string };

const isBefore = (one: Entry, other: Entry): number => one.atMs - other.atMs || (one.key < other.key ? -1 : 1);

/** When rows go. `atMsOf` says it of a row as it now is; undefined: it stays, or is not there. */
export class Expiries {
  readonly #atMsOf: (key: string) => EpochMs | undefined;
  #heap = new TinyQueue<Entry>([], isBefore);
  /** The time under which a key stands in the heap: never later than its own. */
  readonly #queued = new Map<string, number>();

  constructor(atMsOf: (key: string) => EpochMs | undefined) {
    this.#atMsOf = atMsOf;
  }

  /** This row is new, or has changed. */
  note(key: string): void {
    const atMs = this.#atMsOf(key);
    if (atMs === undefined || atMs >= (this.#queued.get(key) ?? Number.POSITIVE_INFINITY)) return;
    this.#queued.set(key, atMs);
    this.#heap.push({ atMs, key });
  }

  clear(): void {
    this.#heap = new TinyQueue<Entry>([], isBefore);
    this.#queued.clear();
  }

  /** The rows that go now, first those that went first. Whoever asks drops them. */
  due(nowMs: EpochMs): readonly string[] {
    const due: string[] = [];
    while (due.length < DROPPED_MAX) {
      const first = this.#heap.peek();
      if (first === undefined || first.atMs > nowMs) break;
      this.#heap.pop();
      if (this.#queued.get(first.key) !== first.atMs) continue;
      this.#queued.delete(first.key);
      if (this.#atMsOf(first.key) === first.atMs) due.push(first.key);
      else this.note(first.key);
    }
    return due;
  }
}

/** A table of rows of which some go when their time is over. */
export class ExpiringTable<V> extends Table<V> {
  readonly #expiries: Expiries;

  constructor(name: string, recorder: Recorder, atMsOf: (row: V, key: string) => EpochMs | undefined) {
    super(name, recorder);
    this.#expiries = new Expiries((key) => {
      const row = this.placed(key);
      return row === undefined ? undefined : atMsOf(row, key);
    });
  }

  override set(key: string, value: V): void {
    super.set(key, value);
    this.#expiries.note(key);
  }

  override place(key: string, value: unknown): void {
    super.place(key, value);
    this.#expiries.note(key);
  }

  override clear(): void {
    this.#expiries.clear();
    super.clear();
  }

  /** Rows whose time is over; not all of them, if there are many. */
  due(nowMs: EpochMs): readonly string[] {
    return this.#expiries.due(nowMs);
  }
}

/** When the row of a limit, or of one of its keys, says no more than that all its slots are there. */
export const idleAtMs = ({ slotsMax, used, emptyAtMs }: Limit): EpochMs | undefined =>
  slotsMax === undefined && used === 0 ? emptyAtMs : undefined;
