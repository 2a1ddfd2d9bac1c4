/** `assent runs ls`: the newest flow runs. */
import { AssentError } from '../../protocol/errors.ts';
import type { AnswerTo, RunRow } from '../../protocol/query.ts';
import { STATE_TYPES, type StateType } from '../../protocol/states.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { durationOf, nameText, stateText, waitText } from './run-text.ts';
import { cut, formatOfState, ink, tableWithTexts } from './style.ts';
import { agoOf, clockOf } from './times.ts';

export type ListOptions = { readonly state?: readonly string[]; readonly name?: string; readonly limit: number };

const NAME_COLUMNS = 40;

export async function listRuns(client: Client, output: Output, options: ListOptions): Promise<number> {
  const states = options.state?.flatMap((text) => text.split(',')).map(stateTypeOf);
  const runs: RunRow[] = [];
  let more = false;
  for (let before: number | undefined; runs.length < options.limit;) {
    const page: AnswerTo<'RUNS'> = await client.query('RUNS', {
      limit: Math.min(options.limit - runs.length, 200),
      ...(states === undefined ? {} : { states }),
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(before === undefined ? {} : { before }),
    });
    runs.push(...page.runs);
    before = page.next;
    more = before !== undefined;
    if (!more) break;
  }
  output.document(runs, () => (runs.length === 0 ? ['No runs.'] : linesOf(runs)));
  if (more && !output.isJson) output.note(`… there are more: --limit ${String(options.limit * 5)}`);
  return EXIT.ok;
}

function linesOf(runs: readonly RunRow[]): string[] {
  const nowMs = Date.now();
  const head = ['RUN', 'FLOW', 'STATE', 'STARTED', 'TOOK'].map((cell) => ink('bold', cell));
  const rows = runs.map((run) => ({
    cells: [
      run.run,
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
