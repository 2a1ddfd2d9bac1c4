/** Why a run is in its state: who put it there, which rule, with what reason; and what was refused that was asked of it. */
import type { Explained, Explanation, RunDetail, RunState } from '../../protocol/query.ts';
import { mailText, sendText } from './mail-text.ts';
import { count } from './run-text.ts';
import { oneLine } from './style.ts';
import { clockOf, sinceOf, spanOf } from './times.ts';
import { askedFor, askerOf, capital, finalSayings, quoted, reasonText, refusalOf, sentence } from './why-words.ts';

/** Refused cancels that are told of, the newest. */
const REFUSALS_SHOWN = 3;

export const stateSentences = (explanation: Explanation, nowMs: number): string[] => [
  ...stateOf(explanation, nowMs),
  ...startedBy(explanation),
  ...correctionsOf(explanation, nowMs),
  ...interruptions(explanation),
  ...resumptionOf(explanation),
  ...divergenceOf(explanation),
  ...refusedCancels(explanation, nowMs),
];

const startedBy = ({ run }: Explanation): string[] =>
  run.startedBy === undefined ? [] : [`It was started by run ${run.startedBy}.`];

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
      if (last.report === true)
        return [sentence(`${capital(who)} reported that it failed${message}`), ...sayings(last)];
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
      return [...scheduledSentences(run, last, nowMs), ...runningCalls(run)];
    case 'RUNNING':
      return [`It runs, in attempt ${String(run.attempt)}${resumedText(run)}.`, ...runningCalls(run)];
    case 'PENDING':
      return pendingSentences(run, nowMs);
    case 'PAUSED':
      return pausedSentences(run, last, nowMs);
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
  const cause = last.rule === undefined ? [] : [sentence(`${last.rule} scheduled it: ${oneLine(last.why ?? '')}`)];
  const late = name === 'Late' ? [sentence(`It is late: nobody had begun it when ${askerOf(last)} looked`)] : [];
  const next = run.work === undefined ? 'its process asks for it' : 'the clock asks for it, and a worker takes it';
  const waits = run.waits === undefined && dueMs > nowMs ? [`Then ${next}, and it is judged.`] : [];
  return [`${what} ${when}.`, ...cause, ...late, ...waits];
}

function pendingSentences(run: RunDetail, nowMs: number): string[] {
  if (run.work === undefined) return ['Nobody has started it yet.'];
  const { pool, queue } = run.work;
  const since = spanOf(Math.max(0, nowMs - run.sinceMs));
  return [
    `It waits for a worker of pool '${pool}', queue '${queue}', for ${since} now: none has claimed it.`,
    'It is handed out again every minute until one does.',
  ];
}

function pausedSentences(run: RunDetail, last: Explained, nowMs: number): string[] {
  const { key, timeoutAtMs, suspended, message } = run.state ?? {};
  const at = key === undefined ? '' : ` at the pause '${oneLine(key)}'`;
  const process =
    suspended === true ? 'Its process has ended; a worker goes on with it when' : 'Its process waits until';
  const until =
    timeoutAtMs === undefined
      ? 'there is no time-out'
      : timeoutAtMs > nowMs
        ? `if nobody does by ${clockOf(timeoutAtMs, nowMs)}, in ${spanOf(timeoutAtMs - nowMs)}, it fails`
        : 'its time-out is over';
  const own = suspended === true ? wakeText(run.state, nowMs) : [];
  const resumes = `assent runs resume ${run.run}${run.state?.input === undefined ? '' : ' --input JSON'}`;
  return [
    sentence(
      `It was paused${at} by ${askerOf(last)} at ${clockOf(last.atMs, nowMs)}${quoted(message)}${reasonText(last)}`,
    ),
    ...(own.length === 0
      ? [`${process} somebody resumes it (${resumes}); ${until}.`]
      : [
          'Its process has ended; a worker goes on with it:',
          ...own,
          `  or when somebody resumes it (${resumes}); ${until}.`,
        ]),
  ];
}

/** What it goes on for by itself. */
function wakeText({ wakeAtMs, wakeOn = [] }: Partial<RunState> = {}, nowMs: number): string[] {
  const inTime = (atMs: number): string => (atMs > nowMs ? `, in ${spanOf(atMs - nowMs)}` : '');
  return [
    ...(wakeAtMs === undefined ? [] : [`  at ${clockOf(wakeAtMs, nowMs)}${inTime(wakeAtMs)}`]),
    ...wakeOn.map((mail) => `  when ${mailText(mail)} comes (${sendText(mail)})`),
  ];
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
function divergenceOf({ run, notable }: Explanation): string[] {
  const refusal = notable.findLast(({ code }) => code === 'DIVERGED');
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
