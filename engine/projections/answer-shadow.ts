/** The answer about shadow rules: how often each was asked, what it would have done, and when it would have mattered. */
import type { Answers, QueryOf } from '../../protocol/query.ts';
import type { FlipPosition, FlipRow, ShadowRow } from '../../protocol/shadow.ts';
import type { Ruling, TrailEntry } from '../../protocol/rulings.ts';
import { RULING_COLUMNS, rulingOf } from './answer-rulings.ts';
import type { Bodies } from './bodies.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

export async function answerShadow(
  view: ViewFile,
  bodies: Bodies,
  query: QueryOf<'SHADOW'>,
): Promise<Answers['SHADOW']> {
  const { limit = PAGE_ROWS } = query;
  const found = flipsOf(view, query, limit + 1);
  const lines = await bodies.lines(
    view,
    found.map(({ seq, idx }) => ({ seq: Number(seq), index: Number(idx) })),
  );
  const flips = found.map((row, index) => flipOf(view, row, JSON.parse(lines[index] ?? '') as Ruling));
  const { rows, more } = cutPage(flips, limit);
  const last = rows.at(-1);
  const next = more && last !== undefined ? { next: placeOf(last) } : {};
  return { rules: rulesOf(view, query), flips: rows, ...next };
}

const placeOf = ({ shadow: rule, ruling: { seq, index } }: FlipRow): FlipPosition => ({ seq, index, rule });

const WHOLE_HOUR_MS = 3_600_000;

function rulesOf(view: ViewFile, { rule, sinceMs = 0 }: QueryOf<'SHADOW'>): ShadowRow[] {
  const fromMs = Math.floor(sinceMs / WHOLE_HOUR_MS) * WHOLE_HOUR_MS;
  const sql = `SELECT rule, sum(passed) AS passed, sum(rewrote) AS rewrote, sum(rejected) AS rejected, sum(held) AS held,
      sum(errors) AS errors, sum(flips) AS flips
    FROM shadow_counts WHERE hour_ms >= ?${rule === undefined ? '' : ' AND rule = ?'} GROUP BY rule ORDER BY rule`;
  return view.all(sql, fromMs, ...(rule === undefined ? [] : [rule])).map((row) => {
    const of = (column: string): number => Number(row[column]);
    const [passed, rewrote, rejected] = [of('passed'), of('rewrote'), of('rejected')];
    const [held, errors, flips] = [of('held'), of('errors'), of('flips')];
    const asked = passed + rewrote + rejected + held + errors;
    return { rule: String(row['rule']), asked, passed, rewrote, rejected, held, errors, flips };
  });
}

/** The newest first. */
function flipsOf(view: ViewFile, { rule, sinceMs = 0, before }: QueryOf<'SHADOW'>, limit: number): Row[] {
  const wheres = ['rulings.at_ms >= ?'];
  const values: Bound[] = [sinceMs];
  if (rule !== undefined) {
    wheres.push('flips.rule = ?');
    values.push(rule);
  }
  if (before !== undefined) {
    wheres.push('(flips.seq, flips.idx, flips.rule) < (?, ?, ?)');
    values.push(before.seq, before.index, before.rule);
  }
  const sql = `SELECT ${RULING_COLUMNS}, flips.rule AS shadow_rule FROM shadow_flips AS flips
    JOIN rulings ON rulings.root = flips.root AND rulings.seq = flips.seq AND rulings.idx = flips.idx
    JOIN runs ON runs.num = rulings.run
    WHERE ${wheres.join(' AND ')} ORDER BY flips.seq DESC, flips.idx DESC, flips.rule DESC LIMIT ?`;
  return view.all(sql, ...values, limit);
}

function flipOf(view: ViewFile, row: Row, ruling: Ruling): FlipRow {
  const shadow = String(row['shadow_rule']);
  const isIt = (entry: TrailEntry): entry is Exclude<TrailEntry, string> =>
    typeof entry === 'object' && entry.rule === shadow;
  const { opinion, why, code } = ruling.shadow?.find(isIt) ?? { opinion: 'error', why: '' };
  return {
    shadow,
    opinion,
    why,
    ...(code === undefined ? {} : { code }),
    ruling: rulingOf(view, row),
  };
}
