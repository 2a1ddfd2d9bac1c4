/** Answers about what the code of runs left behind: artifacts, and the hooks that were called. */
import type { RunId } from '../../protocol/ids.ts';
import type { HookRan, WorkspaceEvent } from '../../protocol/proposals.ts';
import type { Answers, QueryOf } from '../../protocol/query.ts';
import type { ArtifactRow, HookRow } from '../../protocol/query-workspace.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { nextOf } from './answer-rulings.ts';
import type { Bodies } from './bodies.ts';
import { cutPage, PAGE_ROWS } from './pages.ts';
import type { Bound, Row, ViewFile } from './view-file.ts';

/** What stands in the view; the rest is in the ledger. */
type ArtifactHead = Omit<ArtifactRow, 'data'>;
type HookHead = Omit<HookRow, 'error'> & { readonly failed: boolean };
type Condition = { readonly wheres: string[]; readonly values: Bound[] };

export async function answerArtifacts(
  view: ViewFile,
  bodies: Bodies,
  query: QueryOf<'ARTIFACTS'>,
): Promise<Answers['ARTIFACTS']> {
  const { limit = PAGE_ROWS } = query;
  const found = await artifactsWithData(view, bodies, artifactsOf(view, query, limit + 1));
  const { rows, more } = cutPage(found, limit);
  return { artifacts: rows, ...nextAfter(rows, more) };
}

export async function answerHooks(view: ViewFile, bodies: Bodies, query: QueryOf<'HOOKS'>): Promise<Answers['HOOKS']> {
  const { limit = PAGE_ROWS } = query;
  const found = await hooksWithErrors(view, bodies, hooksOf(view, query, limit + 1));
  const { rows, more } = cutPage(found, limit);
  return { hooks: rows, ...nextAfter(rows, more) };
}

const nextAfter = (rows: readonly Pick<HookRow, 'at'>[], more: boolean): ReturnType<typeof nextOf> =>
  nextOf(
    rows.slice(-1).map(({ at }) => at),
    more,
  );

type Wanted = Omit<QueryOf<'ARTIFACTS'>, 'v' | 'type' | 'atLeast' | 'limit'>;

/** The newest first. */
export function artifactsOf(view: ViewFile, { run, key, history, before }: Wanted, limit: number): ArtifactHead[] {
  const { wheres, values } = run === undefined ? { wheres: ['1 = 1'], values: [] } : ofOrUnder('artifacts', run);
  if (key !== undefined) {
    wheres.push('artifacts.key = ?');
    values.push(key);
  }
  if (history !== true) wheres.push('artifacts.newest = 1');
  if (before !== undefined) {
    wheres.push('(artifacts.seq, artifacts.idx) < (?, ?)');
    values.push(before.seq, before.index);
  }
  const sql = `SELECT artifacts.*, runs.name AS name FROM artifacts LEFT JOIN runs ON runs.id = artifacts.run
    WHERE ${wheres.join(' AND ')} ORDER BY artifacts.seq DESC, artifacts.idx DESC LIMIT ?`;
  return view.all(sql, ...values, limit).map((row) => ({
    ...whoseOf(row),
    key: String(row['key']),
    kind: row['kind'] as ArtifactRow['kind'],
    ...(row['description'] === null ? {} : { description: String(row['description']) }),
    by: view.word(row['actor']),
    ...(row['newest'] === 1 ? {} : { outdated: true as const }),
  }));
}

/** In the ledger's order. */
export function hooksOf(
  view: ViewFile,
  { run, failed, after }: Omit<QueryOf<'HOOKS'>, 'v' | 'type' | 'atLeast' | 'limit'>,
  limit: number,
): HookHead[] {
  const { wheres, values } = ofOrUnder('hooks', run);
  if (failed === true) wheres.push('hooks.failed = 1');
  if (after !== undefined) {
    wheres.push('(hooks.seq, hooks.idx) > (?, ?)');
    values.push(after.seq, after.index);
  }
  const sql = `SELECT hooks.*, runs.name AS name FROM hooks LEFT JOIN runs ON runs.id = hooks.run
    WHERE ${wheres.join(' AND ')} ORDER BY hooks.seq, hooks.idx LIMIT ?`;
  return view.all(sql, ...values, limit).map((row) => ({
    ...whoseOf(row),
    hook: row['hook'] as HookRow['hook'],
    ...(row['function'] === null ? {} : { function: String(row['function']) }),
    failed: row['failed'] === 1,
  }));
}

const whoseOf = (row: Row): Pick<HookRow, 'run' | 'name' | 'atMs' | 'at'> => ({
  run: row['run'] as RunId,
  ...(row['name'] === null ? {} : { name: String(row['name']) }),
  atMs: Number(row['at_ms']),
  at: { seq: Number(row['seq']), index: Number(row['idx']) },
});

/** A run and all below it: `.` separates a run's id from its calls', and `/` comes right after `.`. */
const ofOrUnder = (table: 'artifacts' | 'hooks', run: RunId): Condition => ({
  wheres: [`(${table}.run = ? OR (${table}.run > ? AND ${table}.run < ?))`],
  values: [run, `${run}.`, `${run}/`],
});

export async function artifactsWithData(
  view: ViewFile,
  bodies: Bodies,
  heads: readonly ArtifactHead[],
): Promise<ArtifactRow[]> {
  const events = await eventsAt(view, bodies, heads);
  return heads.flatMap((head, index) => {
    const event = events[index];
    return event?.type === 'ARTIFACT_MADE' ? [{ ...head, data: event.data }] : [];
  });
}

export async function hooksWithErrors(view: ViewFile, bodies: Bodies, heads: readonly HookHead[]): Promise<HookRow[]> {
  const failed = heads.filter((head) => head.failed);
  const events = await eventsAt(view, bodies, failed);
  const errors = new Map(failed.map((head, index) => [head, errorOf(events[index])]));
  return heads.map((head) => {
    const { failed: _, ...row } = head;
    const error = errors.get(head);
    return { ...row, ...(error === undefined ? {} : { error }) };
  });
}

const errorOf = (event: WorkspaceEvent | undefined): HookRan['error'] =>
  event?.type === 'HOOK_RAN' ? event.error : undefined;

/** What was proposed for the workspace, or carried by a transition, at these places. */
async function eventsAt(
  view: ViewFile,
  bodies: Bodies,
  heads: readonly Pick<HookRow, 'at'>[],
): Promise<(WorkspaceEvent | undefined)[]> {
  const lines = await bodies.lines(
    view,
    heads.map(({ at }) => at),
  );
  return lines.map((line) => {
    const { proposal } = JSON.parse(line) as Ruling;
    return proposal.kind === 'workspace' ? proposal.event : proposal.carries;
  });
}
