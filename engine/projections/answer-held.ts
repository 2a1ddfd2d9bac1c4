/** Answers about what is scarce: who waits, for what, and who holds it; and who was heard. */
import type { RunId } from '../../protocol/ids.ts';
import type { Answers, HeldRow, LimitRow, QueryOf, SessionRow, Waiting } from '../../protocol/query.ts';
import type { Waits } from '../../protocol/rulings.ts';
import {
  CACHE_KEY_LIMIT,
  ownLimitSlots,
  TRANSACTION_LIMIT,
  type OnFull,
  type SlotWish,
} from '../../protocol/proposals.ts';
import type { StateType } from '../../protocol/states.ts';
import { limitKey } from '../fold/workspace.ts';
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
  last: { seq: Number(row['last_seq']), index: Number(row['last_idx']) },
});

/** Places in the queues of what a proposal waits for: by priority, then by where it was held first. */
export function queueOf(view: ViewFile, { id, waits, priority, at }: HeldRow): Waiting['queue'] {
  if (waits.type !== 'SLOTS') return [];
  return waits.limits.map((wish) => {
    const key = limitKey(wish);
    const ahead = view.one(AHEAD, key, id, priority, priority, at.seq, at.index)?.['count'];
    const length = view.one('SELECT count(*) AS count FROM waiting_for WHERE name = ?', key)?.['count'];
    return { limit: key, place: Number(ahead ?? 0) + 1, length: Number(length ?? 0) };
  });
}

const AHEAD = `SELECT count(*) AS count FROM waiting_for JOIN held ON held.id = waiting_for.id
  WHERE waiting_for.name = ? AND held.id <> ?
    AND (held.priority > ? OR (held.priority = ? AND (held.seq, held.idx) < (?, ?)))`;

export function answerLimits(view: ViewFile, query: QueryOf<'LIMITS'>): Answers['LIMITS'] {
  const { after = '', limit = PAGE_ROWS } = query;
  const found = view.all(LIMITS_SET, after, CACHE_KEY_LIMIT, TRANSACTION_LIMIT, limit + 1);
  const rows = found.map((row) => limitRow(view, row));
  const page = cutPage(rows, limit);
  const last = found[page.rows.length - 1];
  return { limits: page.rows, ...(page.more && last !== undefined ? { next: String(last['name']) } : {}) };
}

/** Those that people set; whoever waits for one of the engine's own learns of it where they ask why. */
const LIMITS_SET = 'SELECT * FROM limits WHERE name > ? AND lim NOT IN (?, ?) ORDER BY name LIMIT ?';

/** The limits that somebody waits for, each key on its own; of a key that nobody holds, what its limit says. */
export function limitsWished(view: ViewFile, wishes: readonly SlotWish[]): LimitRow[] {
  const byKey = new Map(wishes.map((wish) => [limitKey(wish), wish]));
  return [...byKey].flatMap(([key, { limit, by }]) => {
    const own = view.one(LIMIT, key);
    const row = own ?? view.one(LIMIT, limit);
    if (row === undefined) return [];
    return [limitRow(view, own !== undefined || by === undefined ? row : { ...row, name: key, by_key: by, used: 0 })];
  });
}

const LIMIT = 'SELECT * FROM limits WHERE name = ?';

/** A row of a key has what it holds; all else is its limit's. */
function limitRow(view: ViewFile, row: Row): LimitRow {
  const [key, limit, by] = [String(row['name']), String(row['lim']), row['by_key']];
  const base = typeof by === 'string' ? { ...view.one(LIMIT, limit), ...withoutNulls(row) } : row;
  const everyMs = optional(base['every_ms']);
  const slotsMax = ownLimitSlots(limit) ?? optional(base['slots_max']);
  return {
    limit,
    ...(typeof by === 'string' ? { by } : {}),
    ...(slotsMax === undefined ? {} : { slotsMax }),
    ...(everyMs === undefined ? {} : { slotsPerSecond: 1000 / everyMs }),
    onFull: (base['on_full'] ?? 'enqueue') as OnFull,
    used: usedOf(view, base),
    waiting: Number(view.one('SELECT count(*) AS count FROM waiting_for WHERE name = ?', key)?.['count'] ?? 0),
    holders: holdersOf(view, key),
  };
}

const optional = (value: Row[string] | undefined): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);
const withoutNulls = (row: Row): Row => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));

/** Slots that are held, and of a rate limit those that have not come back by now. */
export function usedOf(view: ViewFile, row: Partial<Row>): number {
  const everyMs = optional(row['every_ms']);
  const used = Number(row['used']);
  if (everyMs === undefined) return used;
  const { timeMs, wallMs } = view.head;
  const nowMs = Date.now() - (wallMs === 0 ? 0 : wallMs - timeMs);
  return used + Math.ceil(Math.max(0, (optional(row['empty_at_ms']) ?? 0) - nowMs) / everyMs);
}

function holdersOf(view: ViewFile, key: string): LimitRow['holders'] {
  const sql = `SELECT runs.id AS id, runs.name AS name, slots.slots AS slots, slots.since_ms AS since_ms
    FROM slots JOIN runs ON runs.num = slots.run WHERE slots.name = ? ORDER BY slots.since_ms, runs.num LIMIT ?`;
  return view.all(sql, key, HOLDERS).map(({ id, name, slots, since_ms: sinceMs }) => ({
    run: id as RunId,
    name: String(name),
    slots: Number(slots),
    sinceMs: Number(sinceMs),
  }));
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
