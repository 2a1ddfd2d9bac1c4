/** The answer to "why": everything that explains how a run came to where it is, and what it waits for. */
import type { RunId } from '../../protocol/ids.ts';
import { parentId } from '../../protocol/proposals.ts';
import type { Again, Answers, Explained, HeldRow, QueryOf, RulingRow, RunRow, Waiting } from '../../protocol/query.ts';
import type { Position } from '../../protocol/rulings.ts';
import { limitKey } from '../fold/workspace.ts';
import { artifactsOf, artifactsWithData, hooksOf, hooksWithErrors } from './answer-artifacts.ts';
import { countHeld, heldOf, limitsWished, queueOf } from './answer-held.ts';
import { explained, nextOf, RULING_COLUMNS, rulingOf, rulingsOf } from './answer-rulings.ts';
import { detailOf, rowsOf, under } from './answer-runs.ts';
import type { Bodies } from './bodies.ts';
import { withGiven } from './given.ts';
import { cutPage } from './pages.ts';
import { recordOf } from './run-records.ts';
import type { Row, ViewFile } from './view-file.ts';

const WAITING = 100;
const ASLEEP = 20;
const FAILED = 50;
const NOTABLE = 200;
const PATH = 5;
const REFUSED = 10;
const HOOKS = 20;
const ARTIFACTS = 20;

export async function answerWhy(
  view: ViewFile,
  bodies: Bodies,
  { run, after }: QueryOf<'WHY'>,
): Promise<Answers['WHY']> {
  const found = view.one('SELECT * FROM runs WHERE id = ?', run);
  if (found === undefined) return {};
  // Everything is read from the view before the first wait, so that all of it is true for one sequence.
  const waiting = heldOf(view, { run }, WAITING);
  const queues = waiting.map((held) => queueOf(view, held));
  const heldBy = waiting.map((held) => rulingAt(view, held.run, held.last));
  const refused = refusedOf(view, found);
  const waitingMore = countHeld(view, { run }) - waiting.length;
  const wishes = waiting.flatMap(({ waits }) => (waits.type === 'SLOTS' ? waits.limits : []));
  const limits = limitsWished(view, wishes);
  const failed = failedUnder(view, run);
  const failedRows = rowsOf(view, failed.rows);
  const asleep = asleepUnder(view, run);
  const path = pathOf(view, found);
  const resumed = resumedOf(view, found);
  const hooks = hooksOf(view, { run, failed: true }, HOOKS);
  const artifacts = artifactsOf(view, { run }, ARTIFACTS);
  const moves = failed.rows.map((row) => moveOf(view, row));
  const notable = rulingsOf(view, { run, notable: true, ...(after === undefined ? {} : { after }) }, NOTABLE + 1);
  const detail = await detailOf(view, bodies, found);
  const failedRuns = await withGiven(view, bodies, { found: failed.rows, rows: failedRows });
  const failedMoves = await explainedEach(view, bodies, moves);
  const holding = await explainedEach(view, bodies, heldBy);
  const { rows, more } = cutPage(await explained(view, bodies, notable), NOTABLE);
  return {
    explanation: {
      run: detail,
      path: await explained(view, bodies, path),
      asleep,
      waiting: waiting.map((held, index) => waitingOf(held, holding[index], queues[index] ?? [])),
      waitingMore,
      limits,
      refused: await explained(view, bodies, refused),
      failed: failedRuns.map((row, index) => {
        const ended = failedMoves[index];
        return { run: row, ...(ended === undefined ? {} : { moved: ended }) };
      }),
      failedMore: failed.more,
      hooks: await hooksWithErrors(view, bodies, hooks),
      artifacts: await artifactsWithData(view, bodies, artifacts),
      ...(resumed === undefined ? {} : { resumed }),
      notable: rows,
      ...nextOf(rows, more),
    },
  };
}

function waitingOf(held: HeldRow, by: Explained | undefined, queue: Waiting['queue']): Waiting {
  return {
    ...held,
    ...(by?.rule === undefined ? {} : { rule: by.rule }),
    ...(by?.why === undefined ? {} : { why: by.why }),
    again: againOf(held),
    queue,
  };
}

/** What makes the arbiter judge it again. */
function againOf({ run, waits }: HeldRow): Again {
  switch (waits.type) {
    case 'TIME':
      return { type: 'AT', atMs: waits.dueAtMs };
    case 'SLOTS':
      return waits.untilMs === undefined
        ? { type: 'WHEN_FREE', limits: waits.limits.map(limitKey) }
        : { type: 'AT', atMs: waits.untilMs };
    case 'FLOW':
      return { type: 'WHEN_MOVED', run: parentId(run) as RunId };
    case 'MESSAGE':
      return {
        type: 'WHEN_SENT',
        mailbox: waits.mailbox,
        ...(waits.topic === undefined ? {} : { topic: waits.topic }),
        ...(waits.untilMs === undefined ? {} : { untilMs: waits.untilMs }),
      };
  }
}

/** The calls that ended badly; `more` are those that are left out. */
function failedUnder(view: ViewFile, run: QueryOf<'WHY'>['run']): { readonly rows: Row[]; readonly more: number } {
  const { where, values } = under(view, run);
  const bad = `${where} AND type IN ('FAILED', 'CRASHED', 'CANCELLED')`;
  const count = Number(view.one(`SELECT count(*) AS count FROM runs WHERE ${bad}`, ...values)?.['count'] ?? 0);
  const rows = view.all(`SELECT * FROM runs WHERE ${bad} ORDER BY num LIMIT ?`, ...values, FAILED);
  return { rows, more: count - rows.length };
}

/** What has no due time waits for what may come at any time, or never. */
function asleepUnder(view: ViewFile, run: QueryOf<'WHY'>['run']): RunRow[] {
  const { where, values } = under(view, run);
  const order = 'ORDER BY due_ms IS NULL, due_ms, num LIMIT ?';
  return rowsOf(view, view.all(`SELECT * FROM runs WHERE ${where} AND type = 'SCHEDULED' ${order}`, ...values, ASLEEP));
}

/** The last rulings that moved a run. */
function pathOf(view: ViewFile, row: Row): RulingRow[] {
  const { num, root } = recordOf(row);
  const found = view.all(
    `SELECT ${RULING_COLUMNS} FROM rulings JOIN runs ON runs.num = rulings.run
      WHERE rulings.root = ? AND rulings.run = ? AND rulings.outcome IN (?, ?)
      ORDER BY rulings.seq DESC, rulings.idx DESC LIMIT ?`,
    root,
    num,
    view.knownNumber('accepted') ?? -1,
    view.knownNumber('rewritten') ?? -1,
    PATH,
  );
  return found.reverse().map((ruling) => rulingOf(view, ruling));
}

/** Since it was last begun anew: how many of its calls the record has answered, and how many it had not made before. */
function resumedOf(view: ViewFile, row: Row): NonNullable<Answers['WHY']['explanation']>['resumed'] {
  const { num, id, root, kind, attempt } = recordOf(row);
  if (kind !== 'flow' || attempt < 2) return undefined;
  const known = (word: string): number => view.knownNumber(word) ?? -1;
  const begun = view.one(
    `SELECT seq, idx, at_ms FROM rulings WHERE root = ? AND run = ? AND outcome IN (?, ?) AND to_state IN (?, ?)
      AND from_state <> ? ORDER BY seq DESC, idx DESC LIMIT 1`,
    root,
    num,
    ...['accepted', 'rewritten', 'Running', 'Retrying', 'Paused'].map(known),
  );
  if (begun === undefined) return undefined;
  const at = { seq: Number(begun['seq']), index: Number(begun['idx']) };
  const { where, values } = under(view, id);
  const reused = view.one(
    `SELECT count(DISTINCT rulings.run) AS count FROM rulings JOIN runs ON runs.num = rulings.run
      WHERE ${where} AND rulings.root = ? AND (rulings.seq, rulings.idx) > (?, ?) AND rulings.outcome = ? AND rulings.rule = ?`,
    ...values,
    root,
    at.seq,
    at.index,
    known('rewritten'),
    known('reuse-completed-task'),
  );
  const fresh = view.one(
    `SELECT count(*) AS count FROM runs WHERE ${where} AND type <> '' AND (created_seq, created_idx) > (?, ?)`,
    ...values,
    at.seq,
    at.index,
  );
  return { at, atMs: Number(begun['at_ms']), reused: Number(reused?.['count']), fresh: Number(fresh?.['count']) };
}

/** The last refusals of what was asked about the run itself. */
function refusedOf(view: ViewFile, row: Row): RulingRow[] {
  const { num, root } = recordOf(row);
  const found = view.all(
    `SELECT ${RULING_COLUMNS} FROM rulings JOIN runs ON runs.num = rulings.run
      WHERE rulings.root = ? AND rulings.run = ? AND rulings.outcome = ?
      ORDER BY rulings.seq DESC, rulings.idx DESC LIMIT ?`,
    root,
    num,
    view.knownNumber('rejected') ?? -1,
    REFUSED,
  );
  return found.reverse().map((ruling) => rulingOf(view, ruling));
}

/** The ruling that put a run into its state. */
function moveOf(view: ViewFile, row: Row): RulingRow | undefined {
  const { id, moved } = recordOf(row);
  return moved.seq === 0 ? undefined : rulingAt(view, id, moved);
}

function rulingAt(view: ViewFile, id: RunId, { seq, index }: Position): RulingRow | undefined {
  return rulingsOf(view, { run: id, after: { seq, index: index - 1 } }, 1).find(({ run }) => run === id);
}

async function explainedEach(
  view: ViewFile,
  bodies: Bodies,
  rows: readonly (RulingRow | undefined)[],
): Promise<(Explained | undefined)[]> {
  const present = rows.filter((row) => row !== undefined);
  const words = await explained(view, bodies, present);
  return rows.map((row) => (row === undefined ? undefined : words[present.indexOf(row)]));
}
