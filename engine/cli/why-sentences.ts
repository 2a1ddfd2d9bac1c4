/**
 * What explains a run, in sentences that can be understood at night: why it is in its state (why-state.ts), what it waits
 * for and who could end the wait (why-waiting.ts), and, here, what the rules did to it and to each of its calls.
 */
import type { Explained, Explanation, RunDetail } from '../../protocol/query.ts';
import { givenLines } from './given-text.ts';
import { leftLines } from './left-behind.ts';
import type { Hands } from './process-of.ts';
import { count, durationOf, kindText, nameText, shortId, stateText } from './run-text.ts';
import { formatOfState, ink, oneLine } from './style.ts';
import { sinceOf, spanOf } from './times.ts';
import { stateSentences } from './why-state.ts';
import { waitingBlock } from './why-waiting.ts';
import { askedFor, finalSayings, refusalOf, whyOf } from './why-words.ts';

export type Shown = { readonly nowMs: number; readonly tasksMax: number; readonly hands?: Hands };

const LINES_OF_CALL = 12;

export function whyLines(explanation: Explanation, shown: Shown): string[] {
  const { run } = explanation;
  const blocks = [
    [
      headline(run, shown),
      ...stateSentences(explanation, shown).map((line) => `  ${line}`),
      ...(run.kind === 'task' ? givenLines(run, '  ', 'It was given') : []),
    ],
    waitingBlock(explanation, shown.nowMs),
    rulesBlock(explanation, shown),
    leftLines(explanation).slice(1),
  ];
  return blocks.filter((block) => block.length > 0).flatMap((block, index) => (index === 0 ? block : ['', ...block]));
}

function headline(run: RunDetail, { nowMs }: Shown): string {
  const took = durationOf(run, nowMs);
  const how = took === '' ? '' : run.endedMs === undefined ? `, for ${took} now` : ` after ${took}`;
  return `${kindText(run)} ${ink('bold', run.run)} (${nameText(run)}): ${ink(formatOfState(run.state?.type), stateText(run))}${how}`;
}

/** What the rules did, run by run, in the order in which it began. */
function rulesBlock({ run, notable, failed, failedMore }: Explanation, { tasksMax }: Shown): string[] {
  const ended = new Map(failed.map((entry) => [entry.run.run, entry]));
  const groups = Map.groupBy(withoutDueTimes(notable), (ruling) => ruling.run ?? run.run);
  for (const { run: row } of failed) if (!groups.has(row.run)) groups.set(row.run, []);
  if (groups.size === 0) return ['The rules let everything else pass as it was asked.'];
  const { beganMs } = run;
  const telling = [...groups].filter(([id, rulings]) => id === run.run || ended.has(id) || rulings.some(isTelling));
  const told = new Set(telling.map(([id]) => id));
  const patient = [...groups].filter(([id, rulings]) => !told.has(id) && rulings.some(isHeld));
  // The run's own story first: its refusal must not drown in what its calls waited for.
  telling.sort(([one], [other]) => Number(other === run.run) - Number(one === run.run));
  const blocks = telling.slice(0, tasksMax).flatMap(([id, rulings]) => {
    const end = ended.get(id);
    const name = rulings[0]?.name ?? end?.run.name ?? '';
    const own = id === run.run;
    const called = end?.run.title === undefined ? '' : ` “${oneLine(end.run.title)}”`;
    const title = own ? 'The run itself' : `${titleOf(name, shortId(id))}${called}`;
    const state = end === undefined ? '' : `: ${ink(formatOfState(end.run.state?.type), stateText(end.run))}`;
    const given = end === undefined ? [] : givenLines(end.run, '    ');
    const by = end?.run.doneBy === undefined ? [] : [`    ${ink('dim', `done by run ${end.run.doneBy}`)}`];
    const last = end?.moved === undefined ? [] : [`${timeOf(end.moved, beganMs)}  ${endSentence(end.moved)}`];
    return [
      `  ${title}${state}`,
      ...given,
      ...by,
      ...shortened(rulings, beganMs),
      ...last.map((line) => `    ${line}`),
    ];
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
    return `  ${count(held.length, 'call')} waited for ${whatFor(rule, held.length)} (${ink('magenta', rule)})${longest}`;
  });
}

const whatFor = (rule: string, many: number): string =>
  rule === RECEIVE ? 'what had to come' : `${many === 1 ? 'its' : 'their'} turn`;

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

/**
 * A retry says itself when it is due; that it then waited for that is no news, nor is what everybody expects, nor that something
 * was asked for again as if it were new, when its flow run began anew.
 */
function withoutDueTimes(notable: readonly Explained[]): Explained[] {
  const waitsForTime = new Set<string>();
  const heldBy = new Map<string, string>();
  return notable.filter((ruling) => {
    const run = ruling.run ?? '';
    if (ruling.code === 'STALE' && isAskedAgain(ruling)) return false;
    // How many were is said at the top.
    if (ruling.outcome === 'rewritten' && EXPECTED.has(ruling.rule ?? '')) return false;
    if (ruling.outcome === 'held' && ruling.dueAtMs !== undefined) {
      waitsForTime.add(run);
      return false;
    }
    if (ruling.outcome === 'held') {
      waitsForTime.delete(run);
      const by = `${ruling.rule ?? ''}: ${ruling.why ?? ''}`;
      if (heldBy.get(run) === by) return false;
      heldBy.set(run, by);
    } else heldBy.delete(run);
    const granted = ruling.outcome === 'accepted' && waitsForTime.delete(run);
    return !granted;
  });
}

/** What exists already, as if it were new; a claim of what was handed out a minute ago. */
const isAskedAgain = ({ basedOn, asked, from }: Explained): boolean =>
  basedOn === 0 || (asked === 'Running' && from === 'Pending');

const RECEIVE = 'receive-message';
/** Rules that make of a start what everybody expects: an answer from the record, what has come, another name. */
const EXPECTED: ReadonlySet<string> = new Set(['reuse-completed-task', RECEIVE, 'rename-reruns']);

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

/** The ruling that ended a call. */
const endSentence = (moved: Explained): string => [askedFor(moved), ...finalSayings(moved)].join('; ');
