/** What a run and its calls wait for now, which rule holds them, who could end the wait, and when they are judged again. */
import { CACHE_KEY_LIMIT, ownLimitSlots } from '../../protocol/proposals.ts';
import type { Explanation, LimitRow, Waiting } from '../../protocol/query.ts';
import { mailText, sendText } from './mail-text.ts';
import { count, shortId, slotsText, wishText } from './run-text.ts';
import { ink, oneLine } from './style.ts';
import { clockOf, spanOf } from './times.ts';
import { ruleWords, sentence } from './why-words.ts';

const HOLDERS_SHOWN = 5;
const EVICTED_SHOWN = 5;

export function waitingBlock({ waiting, waitingMore, limits }: Explanation, nowMs: number): string[] {
  if (waiting.length === 0) return [];
  // Those that differ in nothing but their place in the queue are told of once.
  const groups = Map.groupBy(waiting, ({ name, waits, rule, again }) => JSON.stringify([name, waits, rule, again]));
  const more = waitingMore > 0 ? [ink('dim', `… and ${String(waitingMore)} more`)] : [];
  return [
    ink('bold', 'What it waits for'),
    ...[...groups.values()].flatMap((group) => waitLines(group, nowMs)).map((line) => `  ${line}`),
    ...limits.flatMap((limit) => limitLines(limit, nowMs)).map((line) => `  ${line}`),
    ...more.map((line) => `  ${line}`),
  ];
}

function waitLines(group: readonly Waiting[], nowMs: number): string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { name, run, sinceMs, rule = 'a rule', why, priority } = first;
  const who =
    group.length === 1
      ? `${oneLine(name)} ${ink('dim', shortId(run))} waits`
      : `${String(group.length)} of ${oneLine(name)} wait`;
  const since = `for ${spanOf(Math.max(0, nowMs - sinceMs))} now`;
  const prioritized = priority === 0 ? '' : `, with priority ${String(priority)}`;
  const reason = why === undefined ? '' : `: ${ruleWords(why)}`;
  return [
    sentence(`${who} ${since}${goalText(first, nowMs)}${prioritized}${placeText(group)}`),
    sentence(`  ${ink('magenta', `HELD by ${rule}`)}${reason}`),
    ...evictionLines(first),
    sentence(
      `  ${group.length === 1 ? 'It is' : 'Each is'} judged again ${againText(first, nowMs)}; ${rule} lets it pass then, if nothing has changed`,
    ),
  ];
}

/** What has to come. */
function goalText({ waits }: Waiting, nowMs: number): string {
  switch (waits.type) {
    case 'TIME':
      return ` until ${clockOf(waits.dueAtMs, nowMs)}`;
    case 'FLOW':
      return ' for its flow run to run';
    case 'SLOTS':
      return ` for ${waits.limits.map(wishText).join(' and ')}`;
    case 'MESSAGE':
      return ` for ${mailText(waits)}${waits.untilMs === undefined ? '' : ` until ${clockOf(waits.untilMs, nowMs)}`}`;
  }
}

/** Their places in the queues where they are not alone. */
function placeText(group: readonly Waiting[]): string {
  const ofLimit = Map.groupBy(
    group.flatMap(({ queue }) => queue.filter(({ length }) => length > 1)),
    ({ limit }) => limit,
  );
  return [...ofLimit]
    .map(([limit, queue]) => {
      const places = queue.map(({ place }) => place);
      const [first, last] = [Math.min(...places), Math.max(...places)];
      const range = first === last ? ordinal(first) : `${ordinal(first)} to ${ordinal(last)}`;
      return `, ${range} of ${String(queue[0]?.length ?? 0)} ${isOwn(limit) ? 'that wait for it' : `in the queue of '${limit}'`}`;
    })
    .join('');
}

function ordinal(place: number): string {
  const ends = ['th', 'st', 'nd', 'rd'];
  const isTeen = place % 100 > 10 && place % 100 < 14;
  return `${String(place)}${(isTeen ? undefined : ends[place % 10]) ?? 'th'}`;
}

/** When, or at which event, the arbiter judges it again. */
function againText({ again }: Waiting, nowMs: number): string {
  switch (again.type) {
    case 'AT': {
      const inMs = again.atMs - nowMs;
      return `at ${clockOf(again.atMs, nowMs)}${inMs > 0 ? `, in ${spanOf(inMs)}` : ''}`;
    }
    case 'WHEN_FREE': {
      if (again.limits.every(isOwn)) return 'when it is the first that waits, and that run has ended or awaits a retry';
      const limits = again.limits.map((limit) => `'${limit}'`).join(' and ');
      return `when it is first in the queue of ${limits} and a slot is given back, or the limit is changed`;
    }
    case 'WHEN_MOVED':
      return `when flow run ${again.run} runs again, or ends`;
    case 'WHEN_SENT':
      return `when ${mailText(again)} comes${again.untilMs === undefined ? '' : `, or at ${clockOf(again.untilMs, nowMs)}, when its time is over`} (${sendText(again)})`;
  }
}

function evictionLines({ waits }: Waiting): string[] {
  const evict = waits.type === 'SLOTS' ? (waits.evict ?? []) : [];
  if (evict.length === 0) return [];
  const shown = evict.slice(0, EVICTED_SHOWN).join(', ');
  const more = evict.length > EVICTED_SHOWN ? ` and ${String(evict.length - EVICTED_SHOWN)} more` : '';
  return [
    `  To make room, ${count(evict.length, 'run')} ${evict.length === 1 ? 'is' : 'are'} cancelled: ${shown}${more}.`,
  ];
}

/** A queue is named by its limit and key. */
const isOwn = (queue: string): boolean => ownLimitSlots(queue.split('[', 1)[0] ?? '') !== undefined;

const limitName = (limit: string, by: string | undefined): string =>
  by === undefined ? `'${limit}'` : `'${limit}' for '${by}'`;

function limitLines(row: LimitRow, nowMs: number): string[] {
  const { limit, by, slotsMax, slotsPerSecond, onFull, used, waiting, holders } = row;
  if (ownLimitSlots(limit) !== undefined) return ownLimitLines(row, nowMs);
  const verb = (slotsMax ?? used) === 1 ? 'is' : 'are';
  const of = slotsMax === undefined ? count(used, 'slot') : `${String(used)} of ${count(slotsMax, 'slot')}`;
  const rate = slotsPerSecond === undefined ? '' : `, ${rateText(slotsPerSecond)} of them come back`;
  const full = onFull === 'cancel-running' ? ', and who runs is cancelled for who comes' : '';
  const waits = `${count(waiting, 'proposal')} ${waiting === 1 ? 'waits' : 'wait'} for it`;
  const shown = holders.slice(0, HOLDERS_SHOWN).map(({ run, name, slots, sinceMs }) => {
    const many = slots === 1 ? '' : `${slotsText(slots)} `;
    return `  held by ${oneLine(name)} ${ink('dim', run)}, ${many}since ${clockOf(sinceMs, nowMs)}`;
  });
  const more = holders.length > HOLDERS_SHOWN ? [`  and by ${String(holders.length - HOLDERS_SHOWN)} more`] : [];
  return [`Limit ${limitName(limit, by)}: ${of} ${verb} taken${rate}${full}; ${waits}.`, ...shown, ...more];
}

/** Who has the one slot of one of the engine's own limits. */
const ownLimitLines = ({ limit, by, waiting, holders }: LimitRow, nowMs: number): string[] =>
  holders.map(({ run, name, sinceMs }) => {
    const does = limit === CACHE_KEY_LIMIT ? 'is computing the same result' : `is in the transaction '${by ?? ''}'`;
    const more = waiting > 1 ? `; ${count(waiting, 'run')} wait for it` : '';
    return `Run ${run} of ${oneLine(name)} ${does}, since ${clockOf(sinceMs, nowMs)}${more}.`;
  });

/** `5 a second`, `6 a minute`. */
export function rateText(slotsPerSecond: number): string {
  for (const [seconds, unit] of [
    [1, 'second'],
    [60, 'minute'],
    [3600, 'hour'],
  ] as const) {
    const each = slotsPerSecond * seconds;
    if (each >= 1 || unit === 'hour')
      return `${String(Math.round(each * 100) / 100)} ${unit === 'hour' ? 'an' : 'a'} ${unit}`;
  }
  return '';
}
