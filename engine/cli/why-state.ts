/** Why a run is in its state: who put it there, which rule, with what reason; and what was refused that was asked of it. */
import { mailboxParts } from '../../protocol/proposals.ts';
import type { Explained, Explanation, Mail, RunDetail, RunRow, RunState } from '../../protocol/query.ts';
import { mailText, sendText } from './mail-text.ts';
import { callDoneBy, processText, workText, type Hands } from './process-of.ts';
import { count, shortId, waitText } from './run-text.ts';
import { oneLine } from './style.ts';
import { clockOf, sinceOf, spanOf } from './times.ts';
import {
  askedFor,
  askerOf,
  capital,
  finalSayings,
  quoted,
  reasonText,
  refusalOf,
  ruleWords,
  sentence,
} from './why-words.ts';

/** Refused cancels that are told of, the newest. */
const REFUSALS_SHOWN = 3;

export const stateSentences = (
  explanation: Explanation,
  { nowMs, hands = {} }: { readonly nowMs: number; readonly hands?: Hands },
): string[] => [
  ...stateOf(explanation, nowMs),
  ...inHands(hands),
  ...startedBy(explanation),
  ...correctionsOf(explanation, nowMs),
  ...interruptions(explanation),
  ...resumedBy(explanation, nowMs),
  ...resumptionOf(explanation),
  ...divergenceOf(explanation),
  ...refusedCancels(explanation, nowMs),
];

/** Who executes it, and who does its work where that is another run's. */
const inHands = ({ process, work }: Hands): string[] => [
  ...(process === undefined
    ? []
    : [`${work === undefined ? 'It' : 'Its flow run'} is executed by ${processText(process)}.`]),
  ...(work === undefined ? [] : [`Its work is done by ${workText(work)}: assent why ${work.run.run}`]),
];

function startedBy({ run }: Explanation): string[] {
  const call = callDoneBy(run);
  if (call !== undefined) return [`It does the work of the call ${call}.`];
  return run.startedBy === undefined ? [] : [`It was started by run ${run.startedBy}.`];
}

function stateOf(explanation: Explanation, nowMs: number): string[] {
  const { run, path, notable } = explanation;
  const last = path.at(-1);
  if (run.state === undefined || last === undefined) return neverStarted(run, notable);
  if (last.overrides !== undefined) return forced(last, nowMs);
  const who = askerOf(last);
  const message = quoted(run.state.message ?? last.message);
  switch (run.state.type) {
    case 'COMPLETED':
      return last.report === true
        ? [sentence([`${capital(who)} reported that it is done`, ...finalSayings(last)].join('; '))]
        : decided(last);
    case 'FAILED':
      if (last.report === true) {
        // Which calls those are is said below.
        const what =
          refusedAsDivergent(explanation) === undefined ? message : ': it does not do again what it did before';
        return [sentence(`${capital(who)} reported that it failed${what}`), ...sayings(last)];
      }
      if (last.outcome === 'rewritten') return decided(last);
      return run.state.name === 'TimedOut'
        ? [sentence(`The clock ended it: ${oneLine(run.state.message ?? 'it ran for too long')}`), ...sayings(last)]
        : decided(last);
    case 'CRASHED':
      return [sentence(`It was ruled crashed at the word of ${who}${message}`), ...sayings(last), ...resumeHint(run)];
    case 'CANCELLED':
    case 'CANCELLING':
      return cancelSentences(explanation, nowMs);
    case 'SCHEDULED':
      return [...scheduledSentences(run, last, nowMs), ...openCalls(explanation, nowMs)];
    case 'RUNNING':
      return [`It runs, in attempt ${String(run.attempt)}${resumedText(run)}.`, ...openCalls(explanation, nowMs)];
    case 'PENDING':
      return pendingSentences(explanation, nowMs);
    case 'PAUSED':
      return pausedSentences(explanation, last, nowMs);
  }
}

const sayings = (last: Explained): string[] =>
  finalSayings(last).map((text) => sentence(text.startsWith('the ') ? capital(text) : text));

/** Nothing was reported: somebody asked, and the rules made of it what it is. */
const decided = (last: Explained): string[] => [
  sentence([`${capital(askedFor(last))}${reasonText(last)}`, ...finalSayings(last)].join('; ')),
];

function forced(last: Explained, nowMs: number): string[] {
  const when = clockOf(last.atMs, nowMs);
  return [sentence(`${capital(askedFor(last))} at ${when}${reasonText(last)}`), ...sayings(last)];
}

function neverStarted(run: RunDetail, notable: readonly Explained[]): string[] {
  if (run.waits !== undefined) return ['It was asked for and has not started: see below what it waits for.'];
  const refusal = notable.find((ruling) => ruling.outcome === 'rejected' && ruling.run === run.run);
  const held = notable.findLast((ruling) => ruling.outcome === 'held' && ruling.run === run.run);
  if (refusal === undefined && held !== undefined) {
    const by = held.rule ?? 'a rule';
    return [`It never started: ${by} held it until its flow run ended or went on elsewhere, and nobody waited for it.`];
  }
  if (refusal === undefined) return ['Nothing has been ruled about it.'];
  return [sentence(`It never started. ${capital(refusalOf(refusal))}`)];
}

function cancelSentences({ run, path }: Explanation, nowMs: number): string[] {
  const asked = path.findLast((ruling) => ruling.asked === 'Cancelling' || ruling.to === 'Cancelling');
  const last = path.at(-1);
  const sentences = [];
  if (asked !== undefined) {
    const reason = asked.reason ?? asked.message;
    const because = reason === undefined ? 'no reason was given' : `the reason given: "${oneLine(reason)}"`;
    sentences.push(`${capital(askerOf(asked))} asked to cancel it at ${clockOf(asked.atMs, nowMs)}; ${because}.`);
  } else if (last?.outcome === 'rewritten') {
    return decided(last);
  } else if (last !== undefined) {
    sentences.push(sentence(`${capital(askerOf(last))} ended it${quoted(run.state?.message ?? last.message)}`));
  }
  if (run.state?.type === 'CANCELLING') sentences.push('It has the time of its grace to end by itself.');
  else if (last !== undefined && (last !== asked || last.outcome === 'rewritten')) sentences.push(...sayings(last));
  return sentences;
}

function scheduledSentences(run: RunDetail, last: Explained, nowMs: number): string[] {
  const { dueAtMs: dueMs = nowMs, name } = run.state ?? {};
  const when =
    dueMs > nowMs
      ? `is due in ${spanOf(dueMs - nowMs)}, at ${clockOf(dueMs, nowMs)}`
      : `was due ${spanOf(nowMs - dueMs)} ago`;
  const what = run.attempt === 0 ? 'Its start' : 'Its next attempt';
  const cause = last.rule === undefined ? [] : [sentence(`${last.rule} scheduled it: ${ruleWords(last.why ?? '')}`)];
  const late = name === 'Late' ? [sentence(`It is late: nobody had begun it when ${askerOf(last)} looked`)] : [];
  const next = run.work === undefined ? 'its process asks for it' : 'the clock asks for it, and a worker takes it';
  const waits = run.waits === undefined && dueMs > nowMs ? [`Then ${next}, and it is judged.`] : [];
  return [`${what} ${when}.`, ...cause, ...late, ...waits];
}

function pendingSentences({ run, waiting }: Explanation, nowMs: number): string[] {
  if (run.work === undefined) return ['Nobody has started it yet.'];
  const { pool, queue } = run.work;
  const since = spanOf(Math.max(0, nowMs - run.sinceMs));
  const where = `pool '${pool}', queue '${queue}'`;
  const claim = waiting.find((held) => held.run === run.run);
  if (claim !== undefined) {
    return [
      `A worker of ${where} has asked for it; ${claim.rule ?? 'a rule'} holds that: it waits ${waitText(claim.waits)}.`,
    ];
  }
  return [
    `It waits for a worker of ${where}, for ${since} now: none has claimed it.`,
    `It is handed out again every minute until one does (assent worker FILE starts one).`,
  ];
}

function pausedSentences(explanation: Explanation, last: Explained, nowMs: number): string[] {
  const { run } = explanation;
  const { key, timeoutAtMs, suspended, message } = run.state ?? {};
  const resumes = `assent runs resume ${run.run}${run.state?.input === undefined ? '' : ' --input JSON'}`;
  if (suspended === true && key === undefined) return letGoSentences(explanation, last, nowMs);
  const at = key === undefined ? '' : ` at the pause '${oneLine(key)}'`;
  const until =
    timeoutAtMs === undefined
      ? 'there is no time-out'
      : timeoutAtMs > nowMs
        ? `if nobody does by ${clockOf(timeoutAtMs, nowMs)}, in ${spanOf(timeoutAtMs - nowMs)}, it fails`
        : 'its time-out is over';
  const process =
    suspended === true ? 'Its process has let go of it; a worker goes on with it when' : 'It goes on when';
  return [
    sentence(
      `It was paused${at} by ${askerOf(last)} at ${clockOf(last.atMs, nowMs)}${quoted(message)}${reasonText(last)}`,
    ),
    `${process} somebody resumes it (${resumes}); ${until}.`,
    ...otherWakes(run.state).map((mail) => `It also goes on when ${mailText(mail)} comes (${sendText(mail)}).`),
  ];
}

/** What comes for its own pause is the resumption. */
const otherWakes = ({ wakeOn = [] }: Partial<RunState> = {}): readonly Mail[] =>
  wakeOn.filter(({ mailbox }) => mailboxParts(mailbox).kind !== 'pause');

/** Nobody paused it: it had nothing to do but wait, and its process has let go of it. */
function letGoSentences({ run, asleep }: Explanation, last: Explained, nowMs: number): string[] {
  const { wakeAtMs, wakeOn = [] } = run.state ?? {};
  const sleeps = asleep.find(({ state }) => state?.dueAtMs === wakeAtMs && wakeAtMs !== undefined);
  const call = sleeps === undefined ? '' : ` (${shortId(sleeps.run)})`;
  const things = wakeOn.length + (wakeAtMs === undefined ? 0 : 1);
  const when = things > 1 ? 'when the first of these comes' : wakeAtMs === undefined ? 'when it comes' : 'then';
  const sooner = wakeOn.length === 0 ? '' : ', if nothing has come before';
  return [
    ...(wakeAtMs === undefined
      ? []
      : [`It sleeps until ${clockOf(wakeAtMs, nowMs)}${inText(wakeAtMs, nowMs)}${call}${sooner}.`]),
    ...wakeOn.map((mail) => `It waits for ${mailText(mail)} (${sendText(mail)}).`),
    `Its process let go of it at ${clockOf(last.atMs, nowMs)}; ${when}, whichever worker is free goes on with it.`,
  ];
}

const inText = (atMs: number, nowMs: number): string => (atMs > nowMs ? `, in ${spanOf(atMs - nowMs)}` : '');

const resumeHint = (run: RunDetail): string[] =>
  run.parent === undefined
    ? ['Nobody goes on with it yet: the same script started again does, or `assent run FILE --resume RUN`.']
    : [];

const resumedText = ({ resumes }: RunDetail): string => (resumes === 0 ? '' : `, resumed ${count(resumes, 'time')}`);

/** What its calls do that have not ended: the first of each sort with its time and its id. */
function openCalls({ run, asleep }: Explanation, nowMs: number): string[] {
  const running = run.calls['RUNNING'] ?? 0;
  const untold = (run.calls['SCHEDULED'] ?? 0) - asleep.length;
  const sorts = Map.groupBy(asleep, (call) => call.state?.name ?? '');
  return [
    ...(running > 0 ? [`${count(running, 'call')} of it ${running === 1 ? 'runs' : 'run'}.`] : []),
    ...[...sorts].map(([name, calls]) => asleepText(name, calls, nowMs)),
    ...(untold > 0 ? [`${count(untold, 'more call')} ${untold === 1 ? 'waits' : 'wait'} for later.`] : []),
  ];
}

function asleepText(name: string, calls: readonly RunRow[], nowMs: number): string {
  const [first] = calls;
  const what = WAITS_AS[name] ?? 'waits';
  // What waits for something to come is due at any time.
  const atMs = name === 'Waiting' ? undefined : first?.state?.dueAtMs;
  const until = atMs === undefined ? '' : ` until ${clockOf(atMs, nowMs)}${inText(atMs, nowMs)}`;
  const id = first === undefined ? '' : shortId(first.run);
  if (calls.length === 1) return `1 call of it ${what}${until} (${id}).`;
  return `${String(calls.length)} calls of it ${what.replace(/^(\w+)s\b/, '$1')}, the first${until} (${id}).`;
}

const WAITS_AS: Readonly<Record<string, string>> = {
  Sleeping: 'sleeps',
  Waiting: 'waits for what has to come',
  AwaitingRetry: 'waits for its next attempt',
};

const ENDS: ReadonlySet<string> = new Set(['Completed', 'Cached', 'Failed', 'TimedOut', 'Crashed', 'Cancelled']);

/** Ends that did not stay: what was opened again, or forced into another end. */
function correctionsOf({ path }: Explanation, nowMs: number): string[] {
  return path.flatMap((moved) => {
    const { from, to, rule } = moved;
    if (from === undefined || to === undefined || !ENDS.has(from) || from === to) return [];
    // A crash that is survived is told of as an interruption.
    if (from === 'Crashed' && moved.overrides === undefined) return [];
    const by = rule === undefined ? '' : ` (${rule})`;
    const when = clockOf(moved.atMs, nowMs);
    const what = ENDS.has(to) ? `made that ${to}` : `opened it again as ${to}`;
    return [sentence(`It had ended as ${from}; ${askerOf(moved)} ${what}${by} at ${when}${reasonText(moved)}`)];
  });
}

/** Deaths that it has survived. */
function interruptions({ run, path }: Explanation): string[] {
  return path.flatMap((moved, index) => {
    if (moved.to !== 'Crashed' && moved.to !== 'AwaitingResume') return [];
    const next = path.slice(index + 1).find(({ to }) => to === 'Running');
    if (next === undefined) return [];
    const when = sinceOf(moved.atMs, run.beganMs);
    return [
      sentence(`It crashed at ${when}${quoted(moved.message)}, and went on ${spanOf(next.atMs - moved.atMs)} later`),
    ];
  });
}

/** Who let it go on after a pause: the clock, a message and its own process are no news. */
const resumedBy = ({ path }: Explanation, nowMs: number): string[] =>
  path
    .filter(({ from, to }) => from !== undefined && PAUSES.has(from) && (to === 'Running' || to === 'Resuming'))
    .filter(({ actor }) => actor !== 'sdk' && !actor.startsWith('engine'))
    .map((moved) =>
      sentence(
        `${capital(askerOf(moved))} resumed it from ${moved.from ?? ''} at ${clockOf(moved.atMs, nowMs)}${reasonText(moved)}`,
      ),
    );

const PAUSES: ReadonlySet<string> = new Set(['Paused', 'Suspended']);

/** What the record spared it, when it was begun anew. */
function resumptionOf({ run, resumed }: Explanation): string[] {
  if (resumed === undefined) return [];
  const { atMs, reused, fresh } = resumed;
  const answered = `${count(reused, 'call')} ${reused === 1 ? 'was' : 'were'} answered from the record`;
  return [
    `Begun anew at ${sinceOf(atMs, run.beganMs)}: ${answered}, ${String(fresh)} ${fresh === 1 ? 'is' : 'are'} new.`,
  ];
}

/** Which call was expected, and which was made. */
const refusedAsDivergent = ({ notable }: Explanation): Explained | undefined =>
  notable.findLast(({ code }) => code === 'DIVERGED');

function divergenceOf(explanation: Explanation): string[] {
  const { run } = explanation;
  const refusal = refusedAsDivergent(explanation);
  if (refusal === undefined) return [];
  return [
    sentence(`It diverged from what it did before: ${oneLine(refusal.why ?? '')}`),
    ...(run.kind === 'flow' ? [`What both executions called: assent diff ${run.run}`] : []),
  ];
}

const isCancel = ({ asked }: Explained): boolean => asked === 'Cancelling' || asked === 'Cancelled';

/** Why was my cancel refused? */
const refusedCancels = ({ refused }: Explanation, nowMs: number): string[] =>
  refused
    .filter(isCancel)
    .slice(-REFUSALS_SHOWN)
    .map((ruling) => {
      const { rule = 'a rule', code = 'no code', why = '' } = ruling;
      const when = clockOf(ruling.atMs, nowMs);
      return sentence(
        `${capital(askerOf(ruling))} asked to cancel it at ${when}${reasonText(ruling)}. It was refused by ${rule} (${code}): ${oneLine(why)}`,
      );
    });
