/**
 * How often each rule was asked and what it said, by kind of run: read off the trails, added up in memory, and written
 * once a commit. A rule that was asked twice in one hearing, because another rewrote in between, counts twice; so does
 * one that is asked again when a held proposal is judged again.
 */
import type { RunKind } from '../../rules/rule.ts';
import type { Ruling, TrailEntry } from '../../protocol/rulings.ts';
import type { ViewFile } from './view-file.ts';

/** What is counted of a rule, in the order of the columns. */
export const TALLIES = ['passed', 'rewrote', 'rejected', 'held', 'errors', 'overridden'] as const;
export type Tally = (typeof TALLIES)[number];

type Opinion = Exclude<TrailEntry, string>['opinion'];
const COLUMN_OF: Readonly<Record<Opinion, number>> = { pass: 0, rewrite: 1, reject: 2, hold: 3, error: 4 };
const OVERRIDDEN = 5;

/** `workspace`: what belongs to no run. */
export type RuledKind = RunKind | 'workspace';

export class RuleCounts {
  readonly #file: ViewFile;
  readonly #added = new Map<RuledKind, Map<string, number[]>>();

  constructor(file: ViewFile) {
    this.#file = file;
  }

  add(kind: RuledKind, { trail, overrides }: Ruling): void {
    let rules = this.#added.get(kind);
    if (rules === undefined) this.#added.set(kind, (rules = new Map<string, number[]>()));
    for (const entry of trail) {
      if (typeof entry === 'string') count(rules, entry, 0);
      else count(rules, entry.rule, COLUMN_OF[entry.opinion]);
    }
    if (overrides === undefined) return;
    // What a forced transition pushed aside: those that would not have let it be.
    for (const entry of overrides.trail) {
      if (typeof entry === 'object' && entry.opinion !== 'pass') count(rules, entry.rule, OVERRIDDEN);
    }
  }

  /** Within a transaction. */
  write(): void {
    const put = this.#file.prepare(ADD);
    for (const [kind, rules] of this.#added) {
      for (const [rule, counts] of rules) put.run(rule, kind, ...counts);
    }
  }

  /** After the transaction. */
  written(): void {
    this.#added.clear();
  }
}

function count(rules: Map<string, number[]>, rule: string, column: number): void {
  let counts = rules.get(rule);
  if (counts === undefined) rules.set(rule, (counts = TALLIES.map(() => 0)));
  counts[column] = (counts[column] ?? 0) + 1;
}

const ADD = `INSERT INTO rules VALUES (?, ?, ${TALLIES.map(() => '?').join()}) ON CONFLICT (rule, kind)
  DO UPDATE SET ${TALLIES.map((tally) => `${tally} = ${tally} + excluded.${tally}`).join()}`;
