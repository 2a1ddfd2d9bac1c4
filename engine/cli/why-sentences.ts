/**
 * What explains a run, in sentences that can be understood at night: why it is in its state, what it waits for and who
 * could end the wait, and what the rules did to it and to each of its calls.
 */
import type { Explained, Explanation, HeldRow, LimitRow, RunDetail } from '../../protocol/query.ts';
import { count, durationOf, shortId, slotsText, stateText } from './run-text.ts';
import { formatOfState, ink, oneLine } from './style.ts';
import { clockOf, sinceOf, spanOf } from './times.ts';

export type Shown = { readonly nowMs: number; readonly tasksMax: number };

const HOLDERS_SHOWN = 5;
const LINES_OF_CALL = 12;

export function whyLines(explanation: Explanation, shown: Shown): string[] {
  const { run } = explanation;
  const blocks = [
    [
      headline(run, shown),
      ...[...stateSentences(explanation, shown), ...interruptions(explanation)].map((line) => `  ${line}`),
    ],
    waitingBlock(explanation, shown),
    rulesBlock(explanation, shown),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index === 0 ? block : ['', ...block]));
}

function headline(run: RunDetail, { nowMs }: Shown): string {
  const took = durationOf(run, nowMs);
  const how = took === '' ? '' : run.endedMs === undefined ? `, for ${took} now` : ` after ${took}`;
  const what = run.parent === undefined ? 'flow run' : run.kind === 'flow' ? 'subflow run' : 'task run';
  return `${what} ${ink('bold', run.run)} (${oneLine(run.name)}): ${ink(formatOfState(run.state?.type), stateText(run))}${how}`;
}

/** Why it is in its state. */
function stateSentences(explanation: Explanation, shown: Shown): string[] {
  const { run, path, notable } = explanation;
  const last = path.at(-1);
  if (run.state === undefined || last === undefined) return neverStarted(run, notable);
  const who = askerOf(last);
  const message = quoted(run.state.message ?? last.message);
  switch (run.state.type) {
    case 'COMPLETED':
      return [`${capital(who)} reported that it is done${rewriteOf(last)}.`];
    case 'FAILED':
      return run.state.name === 'TimedOut'
        ? [`The clock ended it: ${oneLine(run.state.message ?? 'it ran for too long')}.`, ...finalSayings(last)]
        : [`${capital(who)} reported that it failed${message}.`, ...finalSayings(last)];
    case 'CRASHED':
      return [`It was ruled crashed at the word of ${who}${message}.`, ...resumeHint(run)];
    case 'CANCELLED':
    case 'CANCELLING':
      return cancelSentences(explanation, shown);
    case 'SCHEDULED':
      return [scheduledSentence(run, last, shown), ...runningCalls(run)];
    case 'RUNNING':
      return [`It runs, in attempt ${String(run.attempt)}${resumedText(run)}.`, ...runningCalls(run)];
    case 'PENDING':
      return [
        run.work === undefined
          ? 'Nobody has started it yet.'
          : `It waits for a worker of pool '${run.work.pool}', queue '${run.work.queue}'.`,
      ];
    case 'PAUSED':
      return [`It was paused by ${who}${message}.`];
  }
}

/** Deaths that it has survived. */
function interruptions({ run, path }: Explanation): string[] {
  return path.flatMap((moved, index) => {
    if (moved.to !== 'Crashed' && moved.to !== 'AwaitingResume') return [];
    const next = path.slice(index + 1).find(({ to }) => to === 'Running');
    if (next === undefined) return [];
    const when = sinceOf(moved.atMs, run.createdMs);
    return [`It crashed at ${when}${quoted(moved.message)}, and went on ${spanOf(next.atMs - moved.atMs)} later.`];
  });
}

function neverStarted(run: RunDetail, notable: readonly Explained[]): string[] {
  if (run.waits !== undefined) return ['It was asked for and has not started: see below what it waits for.'];
  const refusal = notable.find((ruling) => ruling.outcome === 'rejected' && ruling.run === run.run);
  if (refusal === undefined) return ['Nothing has been ruled about it.'];
  return [`It never started. ${capital(refusalOf(refusal))}.`];
}

function cancelSentences({ run, path }: Explanation, { nowMs }: Shown): string[] {
  const asked = path.findLast((ruling) => ruling.asked === 'Cancelling' || ruling.to === 'Cancelling');
  const last = path.at(-1);
  const sentences = [];
  if (asked !== undefined) {
    const reason = asked.reason ?? asked.message;
    const because = reason === undefined ? 'no reason was given' : `the reason given: "${oneLine(reason)}"`;
    sentences.push(`${capital(askerOf(asked))} asked to cancel it at ${clockOf(asked.atMs, nowMs)}; ${because}.`);
  } else if (last !== undefined) {
    sentences.push(`${capital(askerOf(last))} ended it${quoted(run.state?.message ?? last.message)}.`);
  }
  if (run.state?.type === 'CANCELLING') sentences.push('It has the time of its grace to end by itself.');
  else if (last !== undefined && last !== asked) sentences.push(...finalSayings(last));
  else if (last?.outcome === 'rewritten') sentences.push(...finalSayings(last));
  return sentences;
}

function scheduledSentence(run: RunDetail, last: Explained, { nowMs }: Shown): string {
  const dueMs = run.state?.dueAtMs ?? nowMs;
  const when = dueMs > nowMs ? `is due in ${spanOf(dueMs - nowMs)}` : `was due ${spanOf(nowMs - dueMs)} ago`;
  const cause = last.rule === undefined ? '' : ` ${last.rule} scheduled it: ${oneLine(last.why ?? '')}.`;
  return `Its next attempt ${when}.${cause}`;
}

const resumeHint = (run: RunDetail): string[] =>
  run.parent === undefined
    ? ['The same script started again, or `assent run FILE --resume RUN`, goes on with it.']
    : [];

const resumedText = ({ resumes }: RunDetail): string => (resumes === 0 ? '' : `, resumed ${count(resumes, 'time')}`);

function runningCalls({ calls }: RunDetail): string[] {
  const running = calls['RUNNING'] ?? 0;
  const scheduled = calls['SCHEDULED'] ?? 0;
  const parts = [
    ...(running > 0 ? [`${count(running, 'call')} of it ${running === 1 ? 'runs' : 'run'}`] : []),
    ...(scheduled > 0 ? [`${String(scheduled)} ${scheduled === 1 ? 'waits' : 'wait'} for a further attempt`] : []),
  ];
  return parts.length === 0 ? [] : [`${capital(parts.join(', '))}.`];
}

/** What it waits for now, and who could end the wait. */
function waitingBlock({ waiting, waitingMore, limits }: Explanation, { nowMs }: Shown): string[] {
  if (waiting.length === 0) return [];
  const groups = Map.groupBy(waiting, ({ name, waits }) => `${name} ${JSON.stringify(waits)}`);
  const lines = [...groups.values()].flatMap((group) => waitLines(group, nowMs));
  const more = waitingMore > 0 ? [ink('dim', `… and ${String(waitingMore)} more`)] : [];
  return [
    ink('bold', 'What it waits for'),
    ...[...lines, ...limits.flatMap((limit) => limitLines(limit)), ...more].map((line) => `  ${line}`),
  ];
}

function waitLines(group: readonly HeldRow[], nowMs: number): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { name, run, waits, sinceMs } = first;
  const who =
    group.length === 1
      ? `${oneLine(name)} ${ink('dim', shortId(run))} waits`
      : `${String(group.length)} of ${oneLine(name)} wait`;
  const since = `for ${spanOf(Math.max(0, nowMs - sinceMs))} now`;
  switch (waits.type) {
    case 'TIME':
      return [`${who} until ${clockOf(waits.dueAtMs, nowMs)}, when its next attempt is due.`];
    case 'FLOW':
      return [`${who} ${since}: its flow run is paused.`];
    case 'SLOTS': {
      const wanted = waits.limits.map(({ limit, slots }) => `${slotsText(slots)} of '${limit}'`).join(' and ');
      return [`${who} ${since} for ${wanted}.`];
    }
  }
}

function limitLines({ limit, slotsMax, used, waiting, holders }: LimitRow): string[] {
  const taken =
    slotsMax === undefined
      ? `${String(used)} slots are taken`
      : `${String(used)} of ${String(slotsMax)} slots are taken`;
  const shown = holders.slice(0, HOLDERS_SHOWN).map(({ run, name }) => `${oneLine(name)} ${run}`);
  const more = holders.length > HOLDERS_SHOWN ? `, and ${String(holders.length - HOLDERS_SHOWN)} more` : '';
  const by = shown.length === 0 ? '' : `, by ${shown.join(', ')}${more}`;
  return [`Limit '${limit}': ${taken}${by}; ${count(waiting, 'proposal')} ${waiting === 1 ? 'waits' : 'wait'} for it.`];
}

/** What the rules did, run by run, in the order in which it began. */
function rulesBlock({ run, notable, failed, failedMore }: Explanation, { tasksMax }: Shown): string[] {
  const ended = new Map(failed.map((entry) => [entry.run.run, entry]));
  const groups = Map.groupBy(withoutDueTimes(notable), (ruling) => ruling.run ?? run.run);
  for (const { run: row } of failed) if (!groups.has(row.run)) groups.set(row.run, []);
  if (groups.size === 0) return ['The rules let everything else pass as it was asked.'];
  const beganMs = run.createdMs;
  const telling = [...groups].filter(([id, rulings]) => id === run.run || ended.has(id) || rulings.some(isTelling));
  const patient = [...groups].filter((group) => !telling.includes(group) && group[1].some(isHeld));
  // The run's own story first: its refusal must not drown in what its calls waited for.
  telling.sort(([one], [other]) => Number(other === run.run) - Number(one === run.run));
  const blocks = telling.slice(0, tasksMax).flatMap(([id, rulings]) => {
    const end = ended.get(id);
    const name = rulings[0]?.name ?? end?.run.name ?? '';
    const own = id === run.run;
    const title = own ? 'The run itself' : titleOf(name, shortId(id));
    const state = end === undefined ? '' : `: ${ink(formatOfState(end.run.state?.type), stateText(end.run))}`;
    const last = end?.moved === undefined ? [] : [`${timeOf(end.moved, beganMs)}  ${endSentence(end.moved)}`];
    return [`  ${title}${state}`, ...shortened(rulings, beganMs), ...last.map((line) => `    ${line}`)];
  });
  return [
    ink('bold', 'What the rules did'),
    ...blocks,
    ...leftOut(telling.slice(tasksMax), failedMore),
    ...patientLines(patient.map(([, rulings]) => rulings)),
  ];
}

/** A call's own id begins with its name, most of the time. */
const titleOf = (name: string, id: string): string =>
  id.startsWith(`${name}-`)
    ? `${oneLine(name)}${ink('dim', id.slice(name.length))}`
    : `${oneLine(name)} ${ink('dim', id)}`;

const isHeld = ({ outcome }: Explained): boolean => outcome === 'held';
const isTelling = ({ outcome }: Explained): boolean => outcome === 'rejected' || outcome === 'rewritten';

/** Calls that waited for their turn and got it, or wait still: how many, for which rule, how long. */
function patientLines(calls: readonly (readonly Explained[])[]): string[] {
  const byRule = Map.groupBy(calls, (rulings) => rulings.find(({ outcome }) => outcome === 'held')?.rule ?? 'a rule');
  return [...byRule].map(([rule, held]) => {
    const longestMs = Math.max(...held.flat().map(({ waitedMs }) => waitedMs ?? 0));
    const longest = longestMs > 0 ? `, ${spanOf(longestMs)} at the most` : '';
    return `  ${count(held.length, 'call')} waited for ${held.length === 1 ? 'its' : 'their'} turn (${ink('magenta', rule)})${longest}`;
  });
}

const timeOf = ({ atMs }: Explained, beganMs: number): string => ink('dim', sinceOf(atMs, beganMs));

function shortened(rulings: readonly Explained[], beganMs: number): string[] {
  const lines = rulings.map((ruling) => `    ${timeOf(ruling, beganMs)}  ${rulingSentence(ruling)}`);
  if (lines.length <= LINES_OF_CALL) return lines;
  const half = LINES_OF_CALL / 2;
  return [
    ...lines.slice(0, half),
    ink('dim', `    … ${String(lines.length - LINES_OF_CALL)} more …`),
    ...lines.slice(-half),
  ];
}

function leftOut(rest: readonly (readonly [string, readonly Explained[]])[], failedMore: number): string[] {
  const rules = new Map<string, number>();
  for (const { rule, outcome } of rest.flatMap(([, rulings]) => rulings)) {
    const key = `${outcome} by ${rule ?? 'the rules'}`;
    rules.set(key, (rules.get(key) ?? 0) + 1);
  }
  const sums = [...rules].map(([key, many]) => `${String(many)} × ${key}`).join(', ');
  return [
    ...(rest.length === 0
      ? []
      : [ink('dim', `  … and ${count(rest.length, 'more call')}: ${sums} (--limit shows more)`)]),
    ...(failedMore === 0 ? [] : [ink('dim', `  … and ${count(failedMore, 'more call')} that did not complete`)]),
  ];
}

/** A retry says itself when it is due; that it then waited for that is no news. */
function withoutDueTimes(notable: readonly Explained[]): Explained[] {
  const waitsForTime = new Set<string>();
  return notable.filter((ruling) => {
    const run = ruling.run ?? '';
    if (ruling.outcome === 'held' && ruling.dueAtMs !== undefined) {
      waitsForTime.add(run);
      return false;
    }
    if (ruling.outcome === 'held') waitsForTime.delete(run);
    const granted = ruling.outcome === 'accepted' && waitsForTime.delete(run);
    return !granted;
  });
}

function rulingSentence(ruling: Explained): string {
  const { outcome, to, rule, waitedMs } = ruling;
  switch (outcome) {
    case 'accepted':
      return `${ink('green', 'granted')}: it became ${to ?? ''} after ${spanOf(waitedMs ?? 0)} of waiting`;
    case 'rewritten':
      return `${askedFor(ruling)}; ${ink('yellow', rule ?? 'a rule')} made it ${to ?? ''}: ${whyOf(ruling)}`;
    case 'held':
      return `${askedFor(ruling)}; ${ink('magenta', `HELD by ${rule ?? 'a rule'}`)}: ${whyOf(ruling)}`;
    case 'rejected':
      return refusalOf(ruling);
  }
}

/** `its process reported Failed: "HTTP 500"`, `the clock asked for Cancelled`. */
const askedFor = (ruling: Explained): string =>
  `${askerOf(ruling)} ${ruling.report === true ? 'reported' : 'asked for'} ${ruling.asked ?? 'something'}${quoted(ruling.message)}`;

/** A rule may repeat the message that was just quoted. */
const whyOf = ({ why = '', message }: Explained): string =>
  oneLine(message === undefined ? why : why.replace(`, after: ${message.slice(0, 200)}`, ''));

function refusalOf(ruling: Explained): string {
  const { asked, from, rule, code, why } = ruling;
  const was = from === undefined ? '' : ` while it was ${from}`;
  const reason = ruling.reason === undefined ? '' : `, reason "${oneLine(ruling.reason)}"`;
  return `${askerOf(ruling)} ${ruling.report === true ? 'reported' : 'asked for'} ${asked ?? 'something'}${was}${reason}; ${ink(['red', 'bold'], `REFUSED by ${rule ?? 'a rule'}`)} (${code ?? 'no code'}): ${oneLine(why ?? '')}`;
}

/** The ruling that ended a call. */
const endSentence = (moved: Explained): string => [askedFor(moved), ...finalSayings(moved)].join('; ');

/** What the rules said about the ruling that stands. */
function finalSayings({ said, outcome, to }: Explained): string[] {
  return said.map(({ rule, opinion, why }) =>
    opinion === 'rewrite' && outcome === 'rewritten'
      ? `${rule} made it ${to ?? 'another state'}: ${oneLine(why)}`
      : `${rule}: ${oneLine(why)}`,
  );
}

const rewriteOf = ({ outcome, rule, why }: Explained): string =>
  outcome === 'rewritten' ? `; ${rule ?? 'a rule'}: ${oneLine(why ?? '')}` : '';

/** Who asked, in words. */
function askerOf({ actor, onBehalfOf }: Explained): string {
  switch (actor) {
    case 'sdk':
      return onBehalfOf === undefined ? 'its process' : `its process for ${oneLine(onBehalfOf)}`;
    case 'cli':
      return 'somebody at the command line';
    case 'engine/clock':
      return 'the clock';
    case 'engine/cascade':
      return 'the engine, because its flow run ended,';
    case 'engine/liveness':
      return 'the engine, which heard nothing of its process,';
    default:
      return `user '${actor}'`;
  }
}

const quoted = (text: string | undefined): string => (text === undefined ? '' : `: "${oneLine(text)}"`);
const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
