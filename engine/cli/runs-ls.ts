/** `assent runs ls`: the newest flow runs; task runs that workers execute, where they are asked for. */
import { AssentError } from '../../protocol/errors.ts';
import type { AnswerTo, RunRow } from '../../protocol/query.ts';
import { STATE_TYPES, type StateType } from '../../protocol/states.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { durationOf, nameText, stateText, waitText } from './run-text.ts';
import { cut, formatOfState, ink, tableWithTexts } from './style.ts';
import { agoOf, clockOf } from './times.ts';

export type ListOptions = {
  readonly state?: readonly string[];
  readonly name?: string;
  readonly limit: number;
  /** Only task runs. */
  readonly tasks?: boolean;
  /** Flow runs and task runs. */
  readonly all?: boolean;
};

const NAME_COLUMNS = 40;

export async function listRuns(client: Client, output: Output, options: ListOptions): Promise<number> {
  const states = options.state?.flatMap((text) => text.split(',')).map(stateTypeOf);
  const runs: RunRow[] = [];
  let more = false;
  for (let before: number | undefined; runs.length < options.limit;) {
    const page: AnswerTo<'RUNS'> = await client.query('RUNS', {
      limit: Math.min(options.limit - runs.length, 200),
      ...(options.all === true ? {} : { kind: options.tasks === true ? 'task' : 'flow' }),
      ...(states === undefined ? {} : { states }),
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(before === undefined ? {} : { before }),
    });
    runs.push(...page.runs);
    before = page.next;
    more = before !== undefined;
    if (!more) break;
  }
  output.document(runs, () => (runs.length === 0 ? [noRuns(options)] : linesOf(runs, options)));
  if (more && !output.isJson) output.note(`… there are more: --limit ${String(options.limit * 5)}`);
  return EXIT.ok;
}

const noRuns = ({ all, tasks }: ListOptions): string =>
  all === true
    ? 'No runs.'
    : tasks === true
      ? 'No task runs.'
      : 'No flow runs; --all lists the task runs of workers as well.';

function linesOf(runs: readonly RunRow[], { all, tasks }: ListOptions): string[] {
  const nowMs = Date.now();
  const what = all === true ? ['KIND', 'NAME'] : [tasks === true ? 'TASK' : 'FLOW'];
  const head = ['RUN', ...what, 'STATE', 'STARTED', 'TOOK'].map((cell) => ink('bold', cell));
  const rows = runs.map((run) => ({
    cells: [
      run.run,
      ...(all === true ? [run.kind] : []),
      cut(nameText(run), NAME_COLUMNS),
      ink(formatOfState(run.state?.type), stateText(run)),
      agoOf(run.createdMs, nowMs),
      durationOf(run, nowMs),
    ],
    text: run.state?.message ?? awaitsText(run),
  }));
  return tableWithTexts([{ cells: head, text: '' }, ...rows]);
}

/** A run that waits for somebody looks like one that works. */
const awaitsText = ({ awaits }: RunRow): string =>
  awaits === undefined ? '' : `waits ${waitText(awaits.waits)} since ${clockOf(awaits.sinceMs)}`;

export function stateTypeOf(text: string): StateType {
  const type = STATE_TYPES.find((known) => known === text.toUpperCase());
  if (type === undefined) {
    throw new AssentError('USAGE', `'${text}' is no type of state; there are ${STATE_TYPES.join(', ').toLowerCase()}.`);
  }
  return type;
}
