/** Answers about runs: lists, one by the beginning of its id, what it called. */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import type { Answers, Mail, QueryOf, RunDetail, RunRow, RunState } from '../../protocol/query.ts';
import { stateAfter, type Position, type Ruling, type Waits } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import type { Bodies } from './bodies.ts';
import { givenIn, givenPlace, withGiven } from './given.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import { recordOf } from './run-records.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

const CANDIDATES = 20;

export function answerRuns(view: ViewFile, query: QueryOf<'RUNS'>): Answers['RUNS'] {
  const { kind, states, name, before, limit = PAGE_ROWS } = query;
  // What waits for its very first start has no state, and is not to be overlooked.
  const wheres = ["parent = 0 AND (type <> '' OR EXISTS (SELECT 1 FROM held WHERE held.run = runs.num))"];
  const values: Bound[] = [];
  if (kind !== undefined) {
    wheres.push('kind = ?');
    values.push(kind);
  }
  if (states !== undefined) {
    wheres.push(`type IN (${states.map(() => '?').join()})`);
    values.push(...states);
  }
  if (name !== undefined) {
    wheres.push(name.includes('*') ? 'name GLOB ?' : 'name = ?');
    // In a GLOB, the other special signs are meant as they are.
    values.push(name.includes('*') ? name.replace(/[[?]/g, '[$&]') : name);
  }
  if (before !== undefined) {
    wheres.push('num < ?');
    values.push(before);
  }
  const sql = `SELECT * FROM runs WHERE ${wheres.join(' AND ')} ORDER BY num DESC LIMIT ?`;
  const { rows, more } = cutPage(rowsOf(view, view.all(sql, ...values, limit + 1)), limit);
  const last = rows.at(-1);
  return { runs: rows, ...(more && last !== undefined ? { next: last.place } : {}) };
}

export async function answerRun(view: ViewFile, bodies: Bodies, { run }: QueryOf<'RUN'>): Promise<Answers['RUN']> {
  const exact = view.one('SELECT * FROM runs WHERE id = ?', run);
  const found = exact === undefined ? startingWith(view, run) : [exact];
  const [first, second] = found;
  if (first === undefined) return { found: 'NONE' };
  if (second !== undefined) return { found: 'AMBIGUOUS', candidates: rowsOf(view, found) };
  return { found: 'ONE', run: await detailOf(view, bodies, first) };
}

/** A call may be named by the beginnings of its flow run's id and, after a dot, of its own. */
function startingWith(view: ViewFile, start: string): Row[] {
  const at = start.indexOf('.');
  if (at > 0) {
    const flow = start.slice(0, at);
    const sql = 'SELECT * FROM runs WHERE id >= ? AND id < ? AND id GLOB ? ORDER BY length(id), id LIMIT ?';
    return view.all(sql, flow, `${flow}~`, `${flow}*.${start.slice(at + 1)}*`, CANDIDATES);
  }
  // `~` comes after all that an id can hold.
  return view.all(
    `SELECT * FROM runs WHERE parent = 0 AND id >= ? AND id < ? ORDER BY id LIMIT ?`,
    start,
    `${start}~`,
    CANDIDATES,
  );
}

export async function answerCalls(view: ViewFile, bodies: Bodies, query: QueryOf<'CALLS'>): Promise<Answers['CALLS']> {
  const { run, states, after = 0, limit = PAGE_ROWS } = query;
  const { where, values } = under(view, run);
  const types = states === undefined ? '' : ` AND type IN (${states.map(() => '?').join()})`;
  const sql = `SELECT * FROM runs WHERE ${where} AND num > ?${types} ORDER BY num LIMIT ?`;
  const found = view.all(sql, ...values, after, ...(states ?? []), limit + 1);
  const all = rowsOf(view, found);
  const { rows, more } = cutPage(
    query.inputs === true ? await withGiven(view, bodies, { found, rows: all }) : all,
    limit,
  );
  const last = rows.at(-1);
  return { calls: rows, ...(more && last !== undefined ? { next: last.place } : {}) };
}

/** The runs below a run: `.` separates a run's id from its calls', and `/` comes right after `.`. */
export function under(view: ViewFile, run: RunId): { readonly where: string; readonly values: readonly Bound[] } {
  const root = Number(view.one('SELECT num FROM runs WHERE id = ?', rootOf(run))?.['num'] ?? -1);
  if (rootOf(run) === run) return { where: 'runs.root = ? AND runs.parent <> 0', values: [root] };
  return {
    where: 'runs.root = ? AND runs.parent <> 0 AND runs.id >= ? AND runs.id < ?',
    values: [root, `${run}.`, `${run}/`],
  };
}

export const rowsOf = (view: ViewFile, rows: readonly Row[]): RunRow[] => rows.map((row) => rowOf(view, row));

export function rowOf(view: ViewFile, row: Row): RunRow {
  const record = recordOf(row);
  const { id, parent, kind, name, sinceMs, version, attempt, createdMs } = record;
  const { retriesUsed, retriesMax, resumes } = record;
  const waits = waitOf(view, record.num);
  const awaits = parent === 0 && record.type === 'RUNNING' ? awaitOf(view, record.num) : undefined;
  return {
    run: id,
    ...(parent === 0 ? {} : { parent: id.slice(0, id.lastIndexOf('.')) as RunId }),
    kind,
    name,
    ...(record.type === '' ? {} : { state: stateOf(record.type, record) }),
    sinceMs,
    version,
    attempt,
    retriesUsed,
    retriesMax,
    resumes,
    createdMs,
    ...(record.startedMs === undefined ? {} : { startedMs: record.startedMs }),
    ...(record.endedMs === undefined ? {} : { endedMs: record.endedMs }),
    ...(record.expectedMs === 0 ? {} : { expectedMs: record.expectedMs }),
    runMs: record.runMs,
    by: view.word(record.actor),
    slots: record.slots,
    ...(waits === undefined ? {} : { waits }),
    ...(awaits === undefined ? {} : { awaits }),
    rulings: record.rulings,
    rejected: record.rejected,
    priority: record.priority,
    ...(record.tags === undefined ? {} : { tags: record.tags }),
    ...(record.deployment === undefined ? {} : { deployment: record.deployment }),
    ...(record.title === undefined ? {} : { title: record.title }),
    ...(record.startedBy === undefined ? {} : { startedBy: record.startedBy }),
    place: record.num,
  };
}

const stateOf = (
  type: StateType,
  { state, message, dueAtMs }: { state: string; message: string | undefined; dueAtMs: number | undefined },
): NonNullable<RunRow['state']> => ({
  type,
  name: state,
  ...(message === undefined ? {} : { message }),
  ...(dueAtMs === undefined ? {} : { dueAtMs }),
});

function waitOf(view: ViewFile, num: number): RunRow['waits'] {
  const row = view.one('SELECT * FROM held WHERE run = ? ORDER BY seq, idx LIMIT 1', num);
  if (row === undefined) return undefined;
  return {
    to: row['to_type'] as StateType,
    waits: JSON.parse(String(row['waits'])) as Waits,
    sinceMs: Number(row['since_ms']),
    at: { seq: Number(row['seq']), index: Number(row['idx']) },
  };
}

/** What one of its calls waits for that comes from outside. */
function awaitOf(view: ViewFile, root: number): RunRow['awaits'] {
  const row = view.one(
    `SELECT held.*, runs.id AS run_id FROM held JOIN runs ON runs.num = held.run
      WHERE held.root = ? AND held.waits LIKE '{"type":"MESSAGE"%' ORDER BY held.seq, held.idx LIMIT 1`,
    root,
  );
  if (row === undefined) return undefined;
  return {
    run: String(row['run_id']) as RunId,
    waits: JSON.parse(String(row['waits'])) as Waits,
    sinceMs: Number(row['since_ms']),
  };
}

/** A run with what stands in the rulings that made it and that moved it last. */
export async function detailOf(view: ViewFile, bodies: Bodies, found: Row): Promise<RunDetail> {
  const row = rowOf(view, found);
  const record = recordOf(found);
  const { where, values } = under(view, record.id);
  const calls: Record<string, number> = {};
  for (const { type, count } of view.all(
    `SELECT type, count(*) AS count FROM runs WHERE ${where} GROUP BY type`,
    ...values,
  )) {
    calls[type === '' ? 'NONE' : String(type)] = Number(count);
  }
  const started = startedBy(view, record.id);
  const given = givenPlace(view, record);
  const places = [record.created, record.moved].filter(({ seq }) => seq > 0);
  const said = given === undefined ? places : [...places, given];
  const rulings = (await bodies.lines(view, said)).map((line) => JSON.parse(line) as Ruling);
  const pause = await pauseOf(view, bodies, rulings[1]);
  return {
    ...row,
    ...definedBy(rulings[0]),
    ...givenIn(given === undefined ? undefined : rulings.at(-1)),
    ...(row.state === undefined || pause === undefined ? {} : { state: { ...row.state, ...pause } }),
    ...(record.moved.seq === 0 ? {} : { ...endedBy(rulings[1]), moved: record.moved satisfies Position }),
    ...(record.parent === 0 && record.execution > 0 ? { execution: record.execution } : {}),
    ...(record.session === undefined ? {} : { session: record.session }),
    beganMs: Number(
      view.one('SELECT created_ms FROM runs WHERE num = ?', record.root)?.['created_ms'] ?? row.createdMs,
    ),
    calls,
    started,
  };
}

const STARTED = 20;

const startedBy = (view: ViewFile, run: RunId): RunRow[] =>
  rowsOf(view, view.all('SELECT * FROM runs WHERE started_by = ? ORDER BY num DESC LIMIT ?', run, STARTED));

type Defined = Pick<RunDetail, 'retry' | 'timeoutMs' | 'limits' | 'work'>;

function definedBy(ruling: Ruling | undefined): Defined {
  if (ruling === undefined || ruling.proposal.kind === 'workspace') return {};
  const { retry, timeoutMs, limits, work } = ruling.proposal.create ?? {};
  return {
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(limits === undefined ? {} : { limits }),
    ...(work === undefined ? {} : { work }),
  };
}

type Pause = Omit<RunState, 'type' | 'name' | 'message' | 'dueAtMs'>;

/** What a pause says of itself stands in its ruling only. */
async function pauseOf(view: ViewFile, bodies: Bodies, ruling: Ruling | undefined): Promise<Pause | undefined> {
  const state = ruling === undefined ? undefined : stateAfter(ruling);
  if (state?.type !== 'PAUSED') return undefined;
  const { type: _, name: __, message: ___, wakeOn, ...pause } = state;
  return { ...pause, ...(wakeOn === undefined ? {} : { wakeOn: await mailOf(view, bodies, wakeOn) }) };
}

const MAIL = 20;

/** What an event is heard under stands where the call was asked for that waits for it. */
async function mailOf(view: ViewFile, bodies: Bodies, wakeOn: readonly string[]): Promise<Mail[]> {
  const mailboxes = [...new Set(wakeOn)].slice(0, MAIL);
  const calls = mailboxes
    .map((mailbox) => view.one('SELECT * FROM runs WHERE id = ?', mailbox))
    .filter((row) => row !== undefined)
    .map(recordOf)
    .filter(({ created }) => created.seq > 0);
  const lines = await bodies.lines(
    view,
    calls.map(({ created }) => created),
  );
  const topics = lines.map((line) => {
    const { proposal } = JSON.parse(line) as Ruling;
    const receives = proposal.kind === 'workspace' ? undefined : proposal.create?.receives;
    return receives?.type === 'EVENT' ? receives.topic : undefined;
  });
  return mailboxes.map((mailbox) => {
    const topic = topics[calls.findIndex(({ id }) => id === mailbox)];
    return { mailbox, ...(topic === undefined ? {} : { topic }) };
  });
}

function endedBy(ruling: Ruling | undefined): Pick<RunDetail, 'result' | 'error'> {
  const state = ruling === undefined ? undefined : stateAfter(ruling);
  if (state === undefined) return {};
  const result = 'result' in state ? state.result : undefined;
  const error = 'error' in state ? state.error : undefined;
  return { ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
}
