/**
 * `assent diff RUN [OTHER]`: which calls two executions of one run made, or two runs: in both, with other inputs, only
 * before, only now. Calls are the same by what makes a call meet its earlier run: its key, its inputs, its ordinal.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { RunDetail } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { differenceOf, type Difference, type FieldDifference, type Pair } from './difference.ts';
import { executionsOf, type ExecutionCalls, type MadeCall } from './executions.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { count, shortId, stateText } from './run-text.ts';
import { cut, formatOfState, ink, oneLine, tableOf } from './style.ts';
import { spanOf } from './times.ts';
import { openValue } from './values.ts';

type Side = {
  readonly run: RunDetail;
  /** Absent: all that the run has done, whichever execution did it. */
  readonly execution?: number;
  readonly calls: readonly MadeCall[];
};

const VALUE_COLUMNS = 40;

export async function showDifference(
  client: Client,
  output: Output,
  { run: start, other, limit }: { readonly run: string; readonly other?: string; readonly limit: number },
): Promise<number> {
  const run = await flowRun(client, start);
  const sides =
    other === undefined ? await lastTwo(client, run) : await bothRuns(client, run, await flowRun(client, other));
  if (sides === undefined) {
    output.document({ run: run.run, executions: 1 }, () => [
      `${run.run} (${oneLine(run.name)}) was executed once: there is nothing to compare it with. assent diff ${run.run} OTHER compares it with another run.`,
    ]);
    return EXIT.ok;
  }
  const [before, now] = sides;
  const difference = differenceOf(before.calls, now.calls);
  output.document(jsonOf(before, now, difference), () => linesOf(before, now, difference, limit));
  return EXIT.ok;
}

async function flowRun(client: Client, start: string): Promise<RunDetail> {
  const run = await findRun(client, start);
  if (run.kind === 'flow') return run;
  throw new AssentError('USAGE', `${run.run} is a task run, which makes no calls.`);
}

async function lastTwo(client: Client, run: RunDetail): Promise<readonly [Side, Side] | undefined> {
  const [before, now] = (await executionsOf(client, run.run)).slice(-2);
  return before === undefined || now === undefined ? undefined : [sideOf(run, before), sideOf(run, now)];
}

const sideOf = (run: RunDetail, { execution, calls }: ExecutionCalls): Side => ({ run, execution, calls });

async function bothRuns(client: Client, one: RunDetail, other: RunDetail): Promise<readonly [Side, Side]> {
  return [await wholeOf(client, one), await wholeOf(client, other)];
}

/** Each call as it was made last, and where it began first. */
async function wholeOf(client: Client, run: RunDetail): Promise<Side> {
  const calls = new Map<string, MadeCall>();
  for (const execution of await executionsOf(client, run.run)) {
    for (const call of execution.calls) {
      const known = calls.get(call.path);
      const { startedMs, endedMs, order } = known ?? { ...call, order: calls.size + 1 };
      const when = call.how === 'reused' ? { ...(startedMs === undefined ? {} : { startedMs }) } : {};
      const until = call.how === 'reused' && endedMs !== undefined ? { endedMs } : {};
      const how = call.how === 'reused' ? (known?.how ?? call.how) : call.how;
      calls.set(call.path, { ...call, ...when, ...until, how, order });
    }
  }
  return { run, calls: [...calls.values()] };
}

const jsonOf = (before: Side, now: Side, { both, changed, onlyBefore, onlyNow }: Difference): object => ({
  before: sideJson(before),
  now: sideJson(now),
  both: both.map(pairJson),
  changed: changed.map(({ first, ...pair }) => ({ ...pairJson(pair), ...(first === undefined ? {} : { first }) })),
  onlyBefore: onlyBefore.map(callJson),
  onlyNow: onlyNow.map(callJson),
});

const sideJson = ({ run, execution, calls }: Side): object => ({
  run: run.run,
  name: run.name,
  ...(execution === undefined ? {} : { execution }),
  calls: calls.length,
});

const pairJson = ({ before, now }: Pair): object => ({ before: callJson(before), now: callJson(now) });

const callJson = ({ parameters, ...call }: MadeCall): object => {
  const tookMs = tookOf(call);
  return {
    ...call,
    ...(tookMs === undefined ? {} : { tookMs }),
    ...(parameters === undefined ? {} : { parameters: openValue(parameters) }),
  };
};

const tookOf = ({ startedMs, endedMs }: Pick<MadeCall, 'startedMs' | 'endedMs'>): number | undefined =>
  startedMs === undefined || endedMs === undefined ? undefined : endedMs - startedMs;

function linesOf(before: Side, now: Side, difference: Difference, limit: number): string[] {
  const { both, changed, onlyBefore, onlyNow } = difference;
  // What was answered from the record, or came out alike, is no news.
  const notable = both.filter((pair) => pair.now.how !== 'reused' && !isAlike(pair));
  return [
    `${titleOf(before)} ${ink('dim', '→')} ${titleOf(now)}`,
    bothLine(both),
    ...block('In both', notable.map(pairRow), limit),
    ...block('With other inputs', changed.map(changedRow), limit),
    ...(changed.some(({ first }) => first === undefined)
      ? [ink('dim', '  The inputs themselves are recorded of strict flows, and of calls with a key of their own.')]
      : []),
    ...block('Only before', onlyBefore.map(callRow), limit),
    ...block('Only now', onlyNow.map(callRow), limit),
  ];
}

const isAlike = ({ before, now }: Pair): boolean =>
  before.run !== now.run && before.state === now.state && before.how === now.how;

const titleOf = ({ run, execution, calls }: Side): string =>
  `${ink('bold', run.run)} (${oneLine(run.name)}), ${execution === undefined ? stateText(run) : `execution ${String(execution)}`}: ${count(calls.length, 'call')}`;

function bothLine(both: readonly Pair[]): string {
  const reused = both.filter(({ now }) => now.how === 'reused').length;
  const answered = reused === 0 ? '' : `, ${String(reused)} of them answered from the record`;
  return `${count(both.length, 'call')} in both${answered}.`;
}

function block(title: string, rows: readonly string[][], limit: number): string[] {
  if (rows.length === 0) return [];
  const more = rows.length - limit;
  return [
    '',
    `${ink('bold', title)}: ${String(rows.length)}`,
    ...tableOf(rows.slice(0, limit)),
    ...(more > 0 ? [ink('dim', `  … ${String(more)} more (--limit ${String(rows.length)})`)] : []),
  ];
}

const nameCells = ({ key, name, run, inputs }: MadeCall): string[] => [
  `  ${cut(oneLine(key === name ? name : `${name} '${key}'`), 40)}`,
  ink('dim', shortId(run)),
  ink('dim', inputs?.slice(0, 8) ?? ''),
];

const endCell = (call: MadeCall): string => {
  const tookMs = tookOf(call);
  const what = call.how === 'refused' ? (call.code ?? 'refused') : (call.state ?? 'never started');
  return `${ink(formatOfState(call.type), what)}${tookMs === undefined || call.how === 'reused' ? '' : ` ${spanOf(tookMs)}`}`;
};

const callRow = (call: MadeCall): string[] => [
  ...nameCells(call),
  endCell(call),
  call.why === undefined ? '' : ink('dim', oneLine(call.why)),
];

const pairRow = ({ before, now }: Pair): string[] => [...nameCells(now), endCell(before), '→', endCell(now)];

const changedRow = ({ before, now, first }: Pair & { readonly first?: FieldDifference }): string[] => [
  ...nameCells(now),
  ink('dim', `was ${before.run === now.run ? (before.inputs?.slice(0, 8) ?? '') : shortId(before.run)}`),
  first === undefined ? '' : fieldText(first),
  endCell(before),
  '→',
  endCell(now),
];

const fieldText = ({ field, ...values }: FieldDifference): string =>
  `${field === '' ? 'inputs' : field}: ${valueOf(values, 'before')} → ${valueOf(values, 'now')}`;

function valueOf(values: Omit<FieldDifference, 'field'>, which: 'before' | 'now'): string {
  const value = values[which];
  return value === undefined ? '(nothing)' : cut(JSON.stringify(value), VALUE_COLUMNS);
}
