/** Answers about rulings: on a run, by an actor, and how often which rule decided what. */
import { rootOf } from '../../protocol/proposals.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Answers, CounterRow, Explained, QueryOf, RulingRow } from '../../protocol/query.ts';
import {
  decidingEntry,
  stateAfter,
  type Outcome,
  type Position,
  type Ruling,
  type TrailEntry,
} from '../../protocol/rulings.ts';
import { under } from './answer-runs.ts';
import type { Bodies } from './bodies.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

export const RULING_COLUMNS = `rulings.*, runs.id AS id, runs.name AS name`;

export async function answerRulings(
  view: ViewFile,
  bodies: Bodies,
  query: QueryOf<'RULINGS'>,
): Promise<Answers['RULINGS']> {
  const { limit = PAGE_ROWS } = query;
  const found = rulingsOf(view, query, limit + 1);
  const lines = query.lines === true ? await bodies.lines(view, found) : undefined;
  const withLines = lines === undefined ? found : found.map((row, index) => ({ ...row, line: lines[index] ?? '' }));
  const { rows, more } = cutPage(withLines, limit);
  return { rulings: rows, ...nextOf(rows, more) };
}

/** The rulings on a run and on all under it. */
export function rulingsOf(
  view: ViewFile,
  { run, after, notable }: Pick<QueryOf<'RULINGS'>, 'run' | 'after' | 'notable'>,
  limit: number,
): RulingRow[] {
  const root = Number(view.one('SELECT num FROM runs WHERE id = ?', rootOf(run))?.['num'] ?? -1);
  const wheres = ['rulings.root = ?'];
  const values: Bound[] = [root];
  if (rootOf(run) !== run) {
    const below = under(view, run);
    wheres.push(`(runs.id = ? OR (${below.where}))`);
    values.push(run, ...below.values);
  }
  if (after !== undefined) {
    wheres.push('(rulings.seq, rulings.idx) > (?, ?)');
    values.push(after.seq, after.index);
  }
  if (notable === true) {
    wheres.push('(rulings.outcome <> ? OR rulings.waited_ms IS NOT NULL)');
    values.push(view.knownNumber('accepted') ?? -1);
  }
  const sql = `SELECT ${RULING_COLUMNS} FROM rulings JOIN runs ON runs.num = rulings.run
    WHERE ${wheres.join(' AND ')} ORDER BY rulings.seq, rulings.idx LIMIT ?`;
  return view.all(sql, ...values, limit).map((row) => rulingOf(view, row));
}

export function answerRulingsBy(view: ViewFile, query: QueryOf<'RULINGS_BY'>): Answers['RULINGS_BY'] {
  const { actor, before, limit = PAGE_ROWS } = query;
  const isBefore = before === undefined ? '' : ' AND (rulings.seq, rulings.idx) < (?, ?)';
  const sql = `SELECT ${RULING_COLUMNS} FROM rulings LEFT JOIN runs ON runs.num = rulings.run WHERE rulings.actor = ?${isBefore}
    ORDER BY rulings.seq DESC, rulings.idx DESC LIMIT ?`;
  const values = before === undefined ? [] : [before.seq, before.index];
  const found = view.all(sql, view.knownNumber(actor) ?? -1, ...values, limit + 1).map((row) => rulingOf(view, row));
  const { rows, more } = cutPage(found, limit);
  return { rulings: rows, ...nextOf(rows, more) };
}

export const nextOf = (rows: readonly Position[], more: boolean): { readonly next?: Position } => {
  const last = rows.at(-1);
  return more && last !== undefined ? { next: { seq: last.seq, index: last.index } } : {};
};

export function rulingOf(view: ViewFile, row: Row): RulingRow {
  const [code, from, to, rule] = ['code', 'from_state', 'to_state', 'rule'].map((column) => view.word(row[column]));
  return {
    seq: Number(row['seq']),
    index: Number(row['idx']),
    ...(row['id'] === null ? {} : { run: row['id'] as RunId, name: String(row['name']) }),
    atMs: Number(row['at_ms']),
    outcome: view.word(row['outcome']) as Outcome,
    ...(code === '' || code === undefined ? {} : { code }),
    actor: view.word(row['actor']),
    ...(from === '' || from === undefined ? {} : { from }),
    ...(to === '' || to === undefined ? {} : { to }),
    ...(rule === '' || rule === undefined ? {} : { rule }),
    ...(row['waited_ms'] === null ? {} : { waitedMs: Number(row['waited_ms']) }),
  };
}

export function answerCounters(view: ViewFile): Answers['COUNTERS'] {
  const counters = view.all('SELECT * FROM counters ORDER BY count DESC').map((row): CounterRow => {
    const code = view.word(row['code']);
    return {
      outcome: view.word(row['outcome']) as Outcome,
      rule: view.word(row['rule']),
      ...(code === '' ? {} : { code }),
      count: Number(row['count']),
    };
  });
  return { counters };
}

/** Rulings in words. */
export async function explained(view: ViewFile, bodies: Bodies, rows: readonly RulingRow[]): Promise<Explained[]> {
  const lines = await bodies.lines(view, rows);
  return rows.map((row, index) => inWords(row, JSON.parse(lines[index] ?? '') as Ruling));
}

function inWords(row: RulingRow, ruling: Ruling): Explained {
  const { proposal, trail } = ruling;
  const { onBehalfOf, reason } = proposal;
  const asked = proposal.kind === 'workspace' ? undefined : proposal.to;
  const state = stateAfter(ruling);
  const why = ruling.outcome === 'accepted' ? undefined : decidingEntry(trail)?.why;
  const dueAtMs =
    ruling.waits?.type === 'TIME' ? ruling.waits.dueAtMs : state?.type === 'SCHEDULED' ? state.dueAtMs : undefined;
  const said = trail.filter((entry): entry is Exclude<TrailEntry, string> => typeof entry !== 'string');
  return {
    ...row,
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(reason === undefined ? {} : { reason }),
    ...(asked === undefined ? {} : { asked: asked.name }),
    ...(asked?.message === undefined ? {} : { message: asked.message }),
    ...(proposal.kind === 'workspace' || proposal.basedOn === undefined ? {} : { basedOn: proposal.basedOn }),
    ...(proposal.kind !== 'workspace' && proposal.report === true ? { report: true } : {}),
    ...(why === undefined ? {} : { why }),
    ...(dueAtMs === undefined ? {} : { dueAtMs }),
    said,
    ...(ruling.overrides === undefined ? {} : { overrides: overriddenBy(ruling.overrides) }),
  };
}

function overriddenBy({ outcome, trail }: NonNullable<Ruling['overrides']>): NonNullable<Explained['overrides']> {
  const deciding = decidingEntry(trail);
  if (deciding === undefined) return { outcome };
  const { rule, code, why } = deciding;
  return { outcome, rule, why, ...(code === undefined ? {} : { code }) };
}
