/**
 * What there is to measure of a workspace, from its view: numbers only, few enough to be read every few seconds. No run has
 * a name here; limits and codes are as many as people define, and are cut where they are too many.
 */
import { ownLimitSlots } from '../../protocol/proposals.ts';
import type { RuleRow } from '../../protocol/query.ts';
import type { Outcome, Waits } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import type { RunKind } from '../../rules/rule.ts';
import { usedOf } from './answer-held.ts';
import { ruleRows } from './answer-rules.ts';
import type { ViewFile } from './view-file.ts';

export type LimitMetrics = {
  readonly limit: string;
  readonly slotsMax?: number;
  readonly used: number;
  readonly waiting: number;
};

export type ViewMetrics = {
  readonly seq: number;
  readonly rulings: Readonly<Record<Outcome, number>>;
  readonly codes: readonly { readonly code: string; readonly count: number }[];
  readonly rules: readonly RuleRow[];
  readonly held: Readonly<Record<Waits['type'], number>>;
  readonly limits: readonly LimitMetrics[];
  /** Limits that are left out above. */
  readonly limitsOmitted: number;
  readonly runs: readonly { readonly kind: RunKind; readonly type: StateType; readonly count: number }[];
  readonly segments: number;
  readonly voidSegments: number;
};

const LIMITS_MAX = 100;
const CODES_MAX = 100;
const OTHER = 'other';

export function viewMetrics(view: ViewFile): ViewMetrics {
  const all = limitMetrics(view);
  return {
    seq: view.head.head.seq,
    rulings: outcomes(view),
    codes: codes(view),
    rules: ruleRows(view),
    held: held(view),
    limits: all.slice(0, LIMITS_MAX),
    limitsOmitted: Math.max(0, all.length - LIMITS_MAX),
    runs: view.all('SELECT * FROM run_counts ORDER BY kind, type').map(({ kind, type, count }) => ({
      kind: kind as RunKind,
      type: type as StateType,
      count: Number(count),
    })),
    segments: view.head.segments,
    voidSegments: countOf(view, 'SELECT count(*) AS count FROM voids'),
  };
}

const countOf = (view: ViewFile, sql: string): number => Number(view.one(sql)?.['count'] ?? 0);

function outcomes(view: ViewFile): ViewMetrics['rulings'] {
  const sums = { accepted: 0, rewritten: 0, rejected: 0, held: 0 };
  for (const row of view.all('SELECT outcome, sum(count) AS count FROM counters GROUP BY outcome')) {
    sums[view.word(row['outcome']) as Outcome] = Number(row['count']);
  }
  return sums;
}

function codes(view: ViewFile): ViewMetrics['codes'] {
  const sql = `SELECT code, sum(count) AS count FROM counters WHERE outcome = ? GROUP BY code ORDER BY count DESC`;
  const found = view.all(sql, view.knownNumber('rejected') ?? -1).map((row) => ({
    code: view.word(row['code']) || OTHER,
    count: Number(row['count']),
  }));
  const rest = found.slice(CODES_MAX).reduce((sum, { count }) => sum + count, 0);
  return [...found.slice(0, CODES_MAX), ...(rest === 0 ? [] : [{ code: OTHER, count: rest }])];
}

function held(view: ViewFile): ViewMetrics['held'] {
  const sums = { TIME: 0, SLOTS: 0, FLOW: 0, MESSAGE: 0 };
  const sql = `SELECT json_extract(waits, '$.type') AS type, count(*) AS count FROM held GROUP BY 1`;
  for (const { type, count } of view.all(sql)) sums[type as Waits['type']] = Number(count);
  return sums;
}

/** A limit by key is one row: what all its keys hold. */
function limitMetrics(view: ViewFile): LimitMetrics[] {
  const waiting = new Map(
    view
      .all('SELECT name, count(*) AS count FROM waiting_for GROUP BY name')
      .map(({ name, count }) => [String(name), Number(count)]),
  );
  const sums = new Map<string, LimitMetrics>();
  for (const row of view.all('SELECT * FROM limits ORDER BY name')) {
    const limit = String(row['lim']);
    if (ownLimitSlots(limit) !== undefined) continue;
    const { used, waiting: more, ...rest } = sums.get(limit) ?? { limit, used: 0, waiting: 0 };
    sums.set(limit, {
      ...rest,
      ...(row['by_key'] === null && row['slots_max'] !== null ? { slotsMax: Number(row['slots_max']) } : {}),
      used: used + usedOf(view, row),
      waiting: more + (waiting.get(String(row['name'])) ?? 0),
    });
  }
  return [...sums.values()];
}
