/** Answers about what is scarce: who waits, for what, and who holds it; and who was heard. */
import type { RunId } from '../../protocol/ids.ts';
import type { Answers, HeldRow, LimitRow, QueryOf, SessionRow } from '../../protocol/query.ts';
import type { Waits } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import { under } from './answer-runs.ts';
import { nextOf } from './answer-rulings.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

const HOLDERS = 100;

export function answerHeld(view: ViewFile, query: QueryOf<'HELD'>): Answers['HELD'] {
  const { limit = PAGE_ROWS } = query;
  const { rows, more } = cutPage(heldOf(view, query, limit + 1), limit);
  const last = rows.at(-1);
  return { held: rows, ...(last === undefined ? {} : nextOf([last.at], more)) };
}

type Wanted = Pick<QueryOf<'HELD'>, 'run' | 'after'>;

/** What a run and all under it wait for, or everybody. */
export function heldOf(view: ViewFile, wanted: Wanted, limit: number): HeldRow[] {
  const { where, values } = whereHeld(view, wanted);
  const sql = `SELECT held.*, runs.id AS run_id, runs.name AS name FROM held JOIN runs ON runs.num = held.run
    WHERE ${where} ORDER BY held.seq, held.idx LIMIT ?`;
  return view.all(sql, ...values, limit).map((row) => heldRow(view, row));
}

export function countHeld(view: ViewFile, wanted: Wanted): number {
  const { where, values } = whereHeld(view, wanted);
  const sql = `SELECT count(*) AS count FROM held JOIN runs ON runs.num = held.run WHERE ${where}`;
  return Number(view.one(sql, ...values)?.['count'] ?? 0);
}

function whereHeld(
  view: ViewFile,
  { run, after }: Wanted,
): { readonly where: string; readonly values: readonly Bound[] } {
  const wheres = ['1 = 1'];
  const values: Bound[] = [];
  if (run !== undefined) {
    const below = under(view, run);
    wheres.push(`(runs.id = ? OR (${below.where}))`);
    values.push(run, ...below.values);
  }
  if (after !== undefined) {
    wheres.push('(held.seq, held.idx) > (?, ?)');
    values.push(after.seq, after.index);
  }
  return { where: wheres.join(' AND '), values };
}

const heldRow = (view: ViewFile, row: Row): HeldRow => ({
  id: String(row['id']),
  run: row['run_id'] as RunId,
  name: String(row['name']),
  by: view.word(row['actor']),
  to: row['to_type'] as StateType,
  waits: JSON.parse(String(row['waits'])) as Waits,
  sinceMs: Number(row['since_ms']),
  priority: Number(row['priority']),
  at: { seq: Number(row['seq']), index: Number(row['idx']) },
});

export function answerLimits(view: ViewFile, query: QueryOf<'LIMITS'>): Answers['LIMITS'] {
  const { after = '', limit = PAGE_ROWS } = query;
  const found = view.all('SELECT * FROM limits WHERE name > ? ORDER BY name LIMIT ?', after, limit + 1);
  const { rows, more } = cutPage(
    found.map((row) => limitRow(view, row)),
    limit,
  );
  const last = rows.at(-1);
  return { limits: rows, ...(more && last !== undefined ? { next: last.limit } : {}) };
}

export function limitsNamed(view: ViewFile, names: Iterable<string>): LimitRow[] {
  return [...names].flatMap((name) => {
    const row = view.one('SELECT * FROM limits WHERE name = ?', name);
    return row === undefined ? [] : [limitRow(view, row)];
  });
}

function limitRow(view: ViewFile, row: Row): LimitRow {
  const limit = String(row['name']);
  const holders = view.all(
    'SELECT runs.id AS id, runs.name AS name, slots.slots AS slots FROM slots JOIN runs ON runs.num = slots.run WHERE slots.name = ? ORDER BY runs.num LIMIT ?',
    limit,
    HOLDERS,
  );
  return {
    limit,
    ...(row['slots_max'] === null ? {} : { slotsMax: Number(row['slots_max']) }),
    used: Number(row['used']),
    waiting: Number(view.one('SELECT count(*) AS count FROM waiting_for WHERE name = ?', limit)?.['count'] ?? 0),
    holders: holders.map(({ id, name, slots }) => ({
      run: id as RunId,
      name: String(name),
      slots: Number(slots),
    })),
  };
}

export function answerSessions(view: ViewFile, query: QueryOf<'SESSIONS'>): Answers['SESSIONS'] {
  const { before = Number.MAX_SAFE_INTEGER, limit = PAGE_ROWS } = query;
  const found = view.all('SELECT * FROM sessions WHERE num < ? ORDER BY num DESC LIMIT ?', before, limit + 1);
  const { rows, more } = cutPage(found.map(sessionRow), limit);
  const last = rows.at(-1);
  return { sessions: rows, ...(more && last !== undefined ? { next: last.place } : {}) };
}

const sessionRow = (row: Row): SessionRow => ({
  session: String(row['id']),
  user: String(row['user']),
  firstMs: Number(row['first_ms']),
  lastMs: Number(row['last_ms']),
  rulings: Number(row['rulings']),
  ...(row['closed_ms'] === null ? {} : { closedMs: Number(row['closed_ms']) }),
  place: Number(row['num']),
});
