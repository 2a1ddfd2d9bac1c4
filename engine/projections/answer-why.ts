/** The answer to "why": everything that explains how a run came to where it is, and what it waits for. */
import type { Answers, Explained, QueryOf, RulingRow } from '../../protocol/query.ts';
import { countHeld, heldOf, limitsNamed } from './answer-held.ts';
import { explained, nextOf, RULING_COLUMNS, rulingOf, rulingsOf } from './answer-rulings.ts';
import { detailOf, rowsOf, under } from './answer-runs.ts';
import type { Bodies } from './bodies.ts';
import { cutPage } from './pages.ts';
import { recordOf } from './run-records.ts';
import type { Row, ViewFile } from './view-file.ts';

const WAITING = 100;
const FAILED = 50;
const NOTABLE = 200;
const PATH = 5;

export async function answerWhy(
  view: ViewFile,
  bodies: Bodies,
  { run, after }: QueryOf<'WHY'>,
): Promise<Answers['WHY']> {
  const found = view.one('SELECT * FROM runs WHERE id = ?', run);
  if (found === undefined) return {};
  // Everything is read from the view before the first wait, so that all of it is true for one sequence.
  const waiting = heldOf(view, { run }, WAITING);
  const waitingMore = countHeld(view, { run }) - waiting.length;
  const names = new Set(
    waiting.flatMap(({ waits }) => (waits.type === 'SLOTS' ? waits.limits.map(({ limit }) => limit) : [])),
  );
  const limits = limitsNamed(view, names);
  const failed = failedUnder(view, run);
  const failedRows = rowsOf(view, failed.rows);
  const path = pathOf(view, found);
  const moves = failed.rows.map((row) => moveOf(view, row));
  const notable = rulingsOf(view, { run, notable: true, ...(after === undefined ? {} : { after }) }, NOTABLE + 1);
  const detail = await detailOf(view, bodies, found);
  const failedMoves = await explainedEach(view, bodies, moves);
  const { rows, more } = cutPage(await explained(view, bodies, notable), NOTABLE);
  return {
    explanation: {
      run: detail,
      path: await explained(view, bodies, path),
      waiting,
      waitingMore,
      limits,
      failed: failedRows.map((row, index) => {
        const ended = failedMoves[index];
        return { run: row, ...(ended === undefined ? {} : { moved: ended }) };
      }),
      failedMore: failed.more,
      notable: rows,
      ...nextOf(rows, more),
    },
  };
}

/** The calls that ended badly; `more` are those that are left out. */
function failedUnder(view: ViewFile, run: QueryOf<'WHY'>['run']): { readonly rows: Row[]; readonly more: number } {
  const { where, values } = under(view, run);
  const bad = `${where} AND type IN ('FAILED', 'CRASHED', 'CANCELLED')`;
  const count = Number(view.one(`SELECT count(*) AS count FROM runs WHERE ${bad}`, ...values)?.['count'] ?? 0);
  const rows = view.all(`SELECT * FROM runs WHERE ${bad} ORDER BY num LIMIT ?`, ...values, FAILED);
  return { rows, more: count - rows.length };
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

/** The ruling that put a run into its state. */
function moveOf(view: ViewFile, row: Row): RulingRow | undefined {
  const { id, moved } = recordOf(row);
  if (moved.seq === 0) return undefined;
  const before = { seq: moved.seq, index: moved.index - 1 };
  return rulingsOf(view, { run: id, after: before }, 1).find(({ run }) => run === id);
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
