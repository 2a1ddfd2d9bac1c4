/** `assent runs inspect RUN`: a run and what it called. */
import type { AnswerTo, CallRow, Mail, RunDetail } from '../../protocol/query.ts';
import type { Value } from '../../protocol/values.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { findRun } from './find-run.ts';
import { givenJson, givenLines } from './given-text.ts';
import { leftBy, leftJson, leftLines } from './left-behind.ts';
import { mailText, sendText } from './mail-text.ts';
import type { Output } from './output.ts';
import { callDoneBy, handsOf, processText, workText, type Hands } from './process-of.ts';
import { count, durationOf, kindText, nameText, shortId, stateText, valueText } from './run-text.ts';
import { cut, formatOfState, ink, oneLine, tableOf, tableWithTexts } from './style.ts';
import { clockOf, spanOf } from './times.ts';
import { errorLines, openValue } from './values.ts';

const VALUE_LINES = 20;

export async function inspectRun(
  client: Client,
  output: Output,
  { run: start, limit }: { readonly run: string; readonly limit: number },
): Promise<number> {
  const run = await findRun(client, start);
  const calls = run.kind === 'flow' ? await callsOf(client, run, limit, { inputs: true }) : [];
  const left = await leftBy(client, run);
  const hands = await handsOf(client, run);
  output.document({ ...jsonOf(run, calls), ...hands, ...leftJson(left) }, () => [
    ...linesOf(run, hands, calls),
    ...leftLines(left),
    '',
    ink('dim', `assent why ${run.run}   says what the rules did, and why`),
  ]);
  return EXIT.ok;
}

export async function callsOf(
  client: Client,
  { run }: RunDetail,
  limit: number,
  more: { readonly inputs?: true } = {},
): Promise<CallRow[]> {
  const calls: CallRow[] = [];
  for (let after: number | undefined = 0; after !== undefined && calls.length < limit;) {
    const page: AnswerTo<'CALLS'> = await client.query('CALLS', {
      run,
      after,
      ...more,
      limit: Math.min(limit - calls.length, 500),
    });
    calls.push(...page.calls);
    after = page.next;
  }
  return calls;
}

const jsonOf = (run: RunDetail, calls: readonly CallRow[]): object => {
  const { result, error, calls: counts, ...rest } = run;
  const opened = (value: Value | undefined, name: string): object =>
    value === undefined ? {} : { [name]: openValue(value) };
  return {
    ...givenJson(rest),
    ...opened(result, 'result'),
    ...opened(error, 'error'),
    counts,
    calls: calls.map(givenJson),
  };
};

function linesOf(run: RunDetail, hands: Hands, calls: readonly CallRow[]): string[] {
  const nowMs = Date.now();
  return [
    `${ink('bold', run.run)}  ${nameText(run)}  ${ink(formatOfState(run.state?.type), stateText(run))}`,
    ...tableOf(factsOf(run, hands, nowMs).map(([name, text]) => [`  ${ink('dim', name)}`, text])),
    ...givenBlock(run),
    ...valueLines('result', run.result),
    ...errorBlock(run.error),
    ...callLines(run, calls, nowMs),
    ...startedLines(run, nowMs),
  ];
}

function factsOf(run: RunDetail, { process, work }: Hands, nowMs: number): [string, string][] {
  const { state, attempt, retriesUsed, retriesMax, resumes, parent, startedBy } = run;
  const call = callDoneBy(run);
  const facts: [string, string | undefined][] = [
    ['kind', kindText(run)],
    ['parent', parent],
    [call === undefined ? 'started by' : 'does work of', startedBy],
    ['work done by', work === undefined ? undefined : workText(work)],
    ['executed by', process === undefined ? undefined : processText(process)],
    ['message', state?.message === undefined ? undefined : oneLine(state.message)],
    ['due', state?.dueAtMs === undefined ? undefined : clockOf(state.dueAtMs)],
    ['asked for by', run.by],
    ...mailFacts(run),
    ['created', clockOf(run.createdMs)],
    ['started', run.startedMs === undefined ? undefined : clockOf(run.startedMs)],
    ['ended', run.endedMs === undefined ? undefined : clockOf(run.endedMs)],
    ['took', durationOf(run, nowMs) || undefined],
    ['ran', ranText(run, nowMs)],
    ['attempt', attempt === 0 ? undefined : `${String(attempt)}${retriesText(retriesUsed, retriesMax)}`],
    ['resumed', resumes === 0 ? undefined : count(resumes, 'time')],
    ['time-out', run.timeoutMs === undefined ? undefined : spanOf(run.timeoutMs)],
    ['priority', run.priority === 0 ? undefined : String(run.priority)],
    ['tags', run.tags?.map(oneLine).join(', ')],
    ['deployment', run.deployment === undefined ? undefined : oneLine(run.deployment)],
    [
      'slots',
      run.slots
        .map(({ limit, slots, by }) => `${String(slots)} of '${limit}'${by === undefined ? '' : ` for '${by}'`}`)
        .join(', ') || undefined,
    ],
    ['for workers of', run.work === undefined ? undefined : `pool ${run.work.pool}, queue ${run.work.queue}`],
    ['rulings', `${String(run.rulings)}${run.rejected === 0 ? '' : `, ${String(run.rejected)} of them rejections`}`],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

/** What it, or a call of it, waits for that comes from outside, and how to send it. */
function mailFacts({ run, waits, awaits, state }: RunDetail): [string, string][] {
  const held = waits === undefined ? awaits : { ...waits, run };
  const mail: readonly Mail[] = held?.waits.type === 'MESSAGE' ? [held.waits] : (state?.wakeOn ?? []);
  const since = held === undefined ? '' : `, since ${clockOf(held.sinceMs)}`;
  const untilMs = held?.waits.type === 'MESSAGE' ? held.waits.untilMs : undefined;
  const until = untilMs === undefined ? '' : `, until ${clockOf(untilMs)}`;
  return [
    ...mail.map((one): [string, string] => ['waits for', `${mailText(one)}${since}${until}: ${sendText(one)}`]),
    ...(state?.wakeAtMs === undefined ? [] : [['goes on', clockOf(state.wakeAtMs)] as [string, string]]),
    ...(state?.input?.inline === undefined ? [] : [['asks for', valueText(state.input)] as [string, string]]),
  ];
}

/** How long it was running in all its attempts, where that is not how long it took. */
function ranText({ state, runMs, sinceMs, startedMs, endedMs }: RunDetail, nowMs: number): string | undefined {
  if (startedMs === undefined) return undefined;
  const ranMs = runMs + (state?.type === 'RUNNING' ? nowMs - sinceMs : 0);
  return ranMs === (endedMs ?? nowMs) - startedMs ? undefined : spanOf(ranMs);
}

const retriesText = (used: number, max: number): string =>
  max === 0 ? '' : ` (${String(used)} of ${count(max, 'retry', 'retries')} used)`;

/** Of one that lies elsewhere, how it begins is more than its digest. */
function givenBlock({ kind, parameters, inputs: { preview, note } = {} }: RunDetail): string[] {
  const name = kind === 'task' ? 'inputs' : 'parameters';
  const isShown = parameters?.inline !== undefined || preview === undefined;
  return [
    ...(isShown ? valueLines(name, parameters) : [`  ${ink('dim', name)}`, `    ${oneLine(preview)}`]),
    ...(note === undefined ? [] : [`    ${ink('dim', oneLine(note))}`]),
  ];
}

function valueLines(name: string, value: Value | undefined): string[] {
  if (value === undefined) return [];
  const lines = valueText(value).split('\n');
  const shown = lines.slice(0, VALUE_LINES).map((line) => `    ${oneLine(line) === '' ? '' : line}`);
  const more =
    lines.length > VALUE_LINES
      ? [ink('dim', `    … ${String(lines.length - VALUE_LINES)} more lines (-o json has all)`)]
      : [];
  return [`  ${ink('dim', name)}`, ...shown, ...more];
}

function errorBlock(error: Value | undefined): string[] {
  const lines = error === undefined ? [] : errorLines(error);
  return lines.length === 0
    ? []
    : [`  ${ink('dim', 'error')}`, ...lines.slice(0, VALUE_LINES).map((line) => `    ${line}`)];
}

function callLines(run: RunDetail, calls: readonly CallRow[], nowMs: number): string[] {
  const total = Object.values(run.calls).reduce((sum, many) => sum + many, 0);
  if (total === 0) return [];
  const counts = Object.entries(run.calls).map(
    ([type, many]) => `${String(many)} ${type === 'NONE' ? notBegun(run) : type.toLowerCase()}`,
  );
  const lines = tableWithTexts(
    calls.map((call) => ({
      cells: [
        `  ${cut(nameText(call), 30)}`,
        ink('dim', shortId(call.run)),
        ink(formatOfState(call.state?.type), stateUnder(run, call)),
        call.attempt > 1 ? `attempt ${String(call.attempt)}` : '',
        durationOf(call, nowMs),
      ],
      text: call.state?.message ?? '',
    })),
  );
  const more =
    total > calls.length ? [ink('dim', `  … ${String(total - calls.length)} more (--limit ${String(total)})`)] : [];
  return [
    '',
    `${ink('bold', count(total, 'call'))}: ${counts.join(', ')}`,
    ...calls.flatMap((call, index) => [lines[index] ?? '', ...givenLines(call, '    '), ...doneByLines(call)]),
    ...more,
  ];
}

/** What a call waits for whose flow run was let go of is asked for again when that goes on. */
const notBegun = ({ state }: RunDetail): string => (state?.suspended === true ? 'waiting' : 'never started');

const stateUnder = (run: RunDetail, call: CallRow): string =>
  call.state === undefined && call.waits === undefined ? notBegun(run) : stateText(call);

const doneByLines = ({ doneBy }: CallRow): string[] =>
  doneBy === undefined ? [] : [`    ${ink('dim', `done by run ${doneBy}`)}`];

/** Those that do its own work are told of above. */
function startedLines(run: RunDetail, nowMs: number): string[] {
  const started = run.started.filter((one) => callDoneBy(one) === undefined);
  if (started.length === 0) return [];
  const rows = started.map((one) => ({
    cells: [
      `  ${cut(nameText(one), 30)}`,
      ink('dim', one.run),
      ink(formatOfState(one.state?.type), stateText(one)),
      durationOf(one, nowMs),
    ],
    text: one.state?.message ?? '',
  }));
  return ['', ink('bold', 'Runs that it started'), ...tableWithTexts(rows)];
}
