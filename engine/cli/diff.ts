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

const NAME_COLUMNS = 40;
const VALUE_COLUMNS = 30;

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
  const isOneRun = now.execution !== undefined;
  return [
    titleOf(before, now),
    bothLine(both),
    ...block(isOneRun ? 'In both, made again' : 'In both, with another end', tableOf(notable.map(pairRow)), limit),
    ...block('With other inputs', changed.map(changedText), limit),
    ...(changed.some(({ first }) => first === undefined)
      ? [ink('dim', '  Inputs are recorded of strict flows, of calls with a key of their own, and of what failed.')]
      : []),
    ...block('Only before', tableOf(onlyBefore.map(callRow)), limit),
    ...block('Only now', tableOf(onlyNow.map(callRow)), limit),
  ];
}

const isAlike = ({ before, now }: Pair): boolean =>
  before.run !== now.run && before.state === now.state && before.how === now.how;

function titleOf(before: Side, now: Side): string {
  const arrow = ink('dim', '→');
  if (now.execution === undefined) return `${runText(before)} ${arrow} ${runText(now)}`;
  const [first, last] = [before, now].map(
    ({ execution = 0, calls }) => `execution ${String(execution)} (${count(calls.length, 'call')})`,
  );
  return `${oneLine(now.run.name)} ${ink('bold', now.run.run)}: ${first ?? ''} ${arrow} ${last ?? ''}`;
}

const runText = ({ run, calls }: Side): string =>
  `${oneLine(run.name)} ${ink('bold', run.run)} (${stateText(run)}, ${count(calls.length, 'call')})`;

function bothLine(both: readonly Pair[]): string {
  const reused = both.filter(({ now }) => now.how === 'reused').length;
  const of = reused === both.length ? '' : `${String(reused)} of them `;
  return `${count(both.length, 'call')} in both${reused === 0 ? '' : `, ${of}answered from the record`}.`;
}

/** One text a call. */
function block(title: string, texts: readonly string[], limit: number): string[] {
  if (texts.length === 0) return [];
  const more = texts.length - limit;
  return [
    '',
    `${ink('bold', title)}: ${String(texts.length)}`,
    ...texts.slice(0, limit),
    ...(more > 0 ? [ink('dim', `  … ${String(more)} more (--limit ${String(texts.length)})`)] : []),
  ];
}

const nameOf = ({ key, name }: MadeCall): string =>
  cut(oneLine(key === name ? name : `${name} '${key}'`), NAME_COLUMNS);

const nameCells = (call: MadeCall): string[] => [`  ${nameOf(call)}`, ink('dim', shortId(call.run))];

function endText(call: MadeCall): string {
  const tookMs = tookOf(call);
  const took = tookMs === undefined || call.how === 'reused' ? '' : ` after ${spanOf(tookMs)}`;
  const what =
    call.how === 'refused'
      ? `refused (${call.code ?? 'no code'})`
      : (call.state ?? (call.how === 'waited' ? 'waited' : 'never started'));
  return `${ink(call.how === 'refused' ? 'red' : formatOfState(call.type), what)}${took}`;
}

const callRow = (call: MadeCall): string[] => [
  ...nameCells(call),
  endText(call),
  call.why === undefined ? '' : ink('dim', oneLine(call.why)),
];

const pairRow = ({ before, now }: Pair): string[] => [...nameCells(now), endText(before), '→', endText(now)];

/** Before, now, and where their inputs differ first. */
const changedText = ({ before, now, first }: Pair & { readonly first?: FieldDifference }): string =>
  [
    `  ${nameOf(now)}${first === undefined ? '' : `  ${fieldText(first)}`}`,
    ...tableOf([
      ['    before', ink('dim', shortId(before.run)), endText(before)],
      ['    now', ink('dim', shortId(now.run)), endText(now)],
    ]),
  ].join('\n');

const fieldText = ({ field, ...values }: FieldDifference): string =>
  `inputs${field.startsWith('[') || field === '' ? field : `.${field}`}: ${valueOf(values, 'before')} → ${valueOf(values, 'now')}`;

function valueOf(values: Omit<FieldDifference, 'field'>, which: 'before' | 'now'): string {
  const value = values[which];
  return value === undefined ? '(nothing)' : cut(JSON.stringify(value), VALUE_COLUMNS);
}
