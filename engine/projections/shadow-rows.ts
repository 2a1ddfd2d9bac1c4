/**
 * What shadow rules said: how often, by the hour, and each time that they would have changed what came out (a flip). Read
 * off the rulings, added up in memory, and written once a commit. A ledger without shadow rules costs nothing here.
 */
import { wouldFlip } from '../../protocol/shadow.ts';
import type { Position, Ruling, TrailEntry } from '../../protocol/rulings.ts';
import type { Bound, ViewFile } from './view-file.ts';

const HOUR_MS = 3_600_000;

type Opinion = Exclude<TrailEntry, string>['opinion'];
/** The columns of `shadow_counts`, after the rule and the hour. */
const COLUMN_OF: Readonly<Record<Opinion, number>> = { pass: 0, rewrite: 1, reject: 2, hold: 3, error: 4 };
const FLIPS = 5;
const COLUMNS = ['passed', 'rewrote', 'rejected', 'held', 'errors', 'flips'] as const;

export class ShadowRows {
  readonly #file: ViewFile;
  readonly #counts = new Map<string, readonly [rule: string, hour: number, counts: number[]]>();
  #flips: (readonly Bound[])[] = [];

  constructor(file: ViewFile) {
    this.#file = file;
  }

  /** `root`: the number of the flow run at the top. */
  add(root: number, { shadow = [], outcome, atMs }: Ruling, at: Position): void {
    for (const entry of shadow) {
      const rule = typeof entry === 'string' ? entry : entry.rule;
      const counts = this.#countsOf(rule, Math.floor(atMs / HOUR_MS) * HOUR_MS);
      const column = typeof entry === 'string' ? 0 : COLUMN_OF[entry.opinion];
      counts[column] = (counts[column] ?? 0) + 1;
      if (!wouldFlip(entry, outcome)) continue;
      counts[FLIPS] = (counts[FLIPS] ?? 0) + 1;
      this.#flips.push([rule, at.seq, at.index, root]);
    }
  }

  #countsOf(rule: string, hourMs: number): number[] {
    const key = `${rule} ${String(hourMs)}`;
    let found = this.#counts.get(key);
    if (found === undefined) this.#counts.set(key, (found = [rule, hourMs, COLUMNS.map(() => 0)]));
    return found[2];
  }

  /** Within a transaction. */
  write(): void {
    if (this.#counts.size === 0) return;
    const count = this.#file.prepare(COUNT);
    for (const [rule, hourMs, counts] of this.#counts.values()) count.run(rule, hourMs, ...counts);
    const flip = this.#file.prepare('INSERT INTO shadow_flips VALUES (?, ?, ?, ?)');
    for (const row of this.#flips) flip.run(...row);
  }

  /** After the transaction. */
  written(): void {
    this.#counts.clear();
    this.#flips = [];
  }
}

const COUNT = `INSERT INTO shadow_counts VALUES (?, ?, ${COLUMNS.map(() => '?').join()}) ON CONFLICT (rule, hour_ms)
  DO UPDATE SET ${COLUMNS.map((column) => `${column} = ${column} + excluded.${column}`).join()}`;
