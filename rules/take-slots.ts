/**
 * | of the limits that are set and that the run asks for      | opinion                                                    |
 * | --------------------------------------------------------- | ---------------------------------------------------------- |
 * | there is none                                             | PASS                                                       |
 * | one has fewer slots in all than are asked for             | REJECT NEVER_FITS (HOLD when it has none: it is closed)    |
 * | only an ancestor could free one for it, or for who waits  | REJECT DEADLOCK                                            |
 * | one is full, or others wait for it, and cancels new ones  | REWRITE to CANCELLED                                       |
 * | one is full, and who holds it waits for this run in turn  | REJECT DEADLOCK                                            |
 * | one is full, and cancels those that run                   | HOLD until its slots are free, and EVICT who runs longest  |
 * | one is full, or others wait for it                        | HOLD until its slots are free, or have come back by time   |
 * | a lock is taken: a cache key, a transaction               | HOLD until it is free, and in no other queue until then    |
 * | all have room, or the run has its slots already           | PASS, and CLAIM the slots: all of them or none             |
 *
 * The limit of a deployment is taken from PENDING on, the others for RUNNING. A run that has run before (a retry, a resumed
 * pause) is not new: it waits. What a run has of its limits already, it does not wait for. A lock may be kept for days, and
 * who waits for a cache key mostly needs no slot in the end: neither shall keep others from slots that are free. Once the
 * lock is to be had, it has its first place in the other queues.
 */
import type { RunId } from '../protocol/ids.ts';
import { CACHE_KEY_LIMIT, type SlotWish } from '../protocol/proposals.ts';
import { isTerminal } from '../protocol/states.ts';
import {
  defineRule,
  hold,
  pass,
  reject,
  rewrite,
  type Facts,
  type Opinion,
  type SlotFact,
  type WaitStep,
} from './rule.ts';
import { fits, isHolder, limitsFor, roomAtMs, roomOf, usedOf, waitsFor } from './slots.ts';
import { FROM_ANY } from './state-sets.ts';

export const takeSlots = defineRule({
  name: 'take-slots',
  summary: 'A run starts only with a slot of every named limit that it asks for, in order of priority, then of asking.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ['PENDING', 'RUNNING'],
  needs: ['slots', 'attempt'],
  may: ['rewrite', 'reject', 'hold'],
  judge: ({ from, to, reason }, { slots, attempt, nowMs }) => {
    const set = limitsFor(slots, to.type);
    if (set.length === 0) return pass();
    const lacking = set.filter((slot) => !isHolder(slot));
    const never = lacking.find((slot) => slot.slotsMax !== 0 && slot.wanted > roomOf(slot));
    if (never !== undefined) {
      return reject(
        'NEVER_FITS',
        `${String(never.wanted)} slots of ${nameOf(never)} are asked for, it has ${String(never.slotsMax)}`,
      );
    }
    const stuck = lacking.find(isStuck);
    if (stuck !== undefined) {
      return reject('DEADLOCK', `the slots of ${nameOf(stuck)} are held by a run that waits for this one`);
    }
    const wait = waitsFor(set, nowMs);
    // What has run before, or goes on after its end, waits for its slot: an end is not changed without a reason.
    const isNew = attempt === 0 && (!isTerminal(from) || reason !== undefined);
    return wait.full.length === 0
      ? pass([{ type: 'SLOTS', slots: set.map(wishOf) }])
      : whenFull(wait, { isNew, nowMs });
  },
});

function whenFull(
  { full, causes, limits }: ReturnType<typeof waitsFor>,
  { isNew, nowMs }: { readonly isNew: boolean; readonly nowMs: Facts['nowMs'] },
): Opinion {
  const closed = isNew ? full.find(({ onFull }) => onFull === 'cancel-new') : undefined;
  if (closed !== undefined) {
    const message = `the limit ${nameOf(closed)} was full`;
    return rewrite({ type: 'CANCELLED', name: 'Cancelled', message }, reasonOf(closed, nowMs));
  }
  const circle = limits.find((slot) => slot.circle !== undefined)?.circle;
  if (circle !== undefined) return reject('DEADLOCK', `it would wait for itself: ${circleText(circle)}`);
  const evict = evictionsFor(causes, nowMs);
  // Those that come later wait for the first in the queue, whatever the time.
  const untilMs = Math.max(...causes.map((slot) => (slot.ahead > 0 ? 0 : (roomAtMs(slot) ?? 0))));
  return hold(
    {
      type: 'SLOTS',
      limits: limits.map(wishOf),
      ...(untilMs > nowMs ? { untilMs: untilMs as Facts['nowMs'] } : {}),
      ...(evict.length === 0 ? {} : { evict }),
    },
    reasonsOf(causes, nowMs),
  );
}

/** Nobody is cancelled for a run that would wait all the same: for another limit, behind others, or at a closed one. */
function evictionsFor(full: readonly SlotFact[], nowMs: Facts['nowMs']): readonly RunId[] {
  const evict = new Set<RunId>();
  for (const slot of full) {
    const runs = evictions(slot, nowMs);
    if (runs === undefined) return [];
    // One run may hold slots of several of the limits.
    for (const run of runs) evict.add(run);
  }
  return [...evict];
}

/** Who has to go so that it fits, longest first; those that are going already count as gone. Undefined: it would not. */
function evictions(slot: SlotFact, nowMs: Facts['nowMs']): readonly RunId[] | undefined {
  if (slot.onFull !== 'cancel-running' || slot.ahead > 0 || slot.slotsMax === 0) return undefined;
  if (fits(slot, nowMs)) return [];
  let missing = slot.used + slot.wanted - roomOf(slot);
  const evict: RunId[] = [];
  for (const { slots, isEnding } of slot.holders ?? []) if (isEnding) missing -= slots;
  for (const { run, slots, isEnding } of slot.holders ?? []) {
    if (missing <= 0) break;
    if (isEnding) continue;
    missing -= slots;
    evict.push(run);
  }
  return missing > 0 ? undefined : evict;
}

const REASONS_SHOWN = 3;

function reasonsOf(full: readonly SlotFact[], nowMs: Facts['nowMs']): string {
  const shown = full.slice(0, REASONS_SHOWN).map((slot) => reasonOf(slot, nowMs));
  const more = full.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${String(more)} more limits are full`] : [])].join('; ');
}

const STEPS_SHOWN = 4;
/** Ids of runs within runs are long. */
const CIRCLE_MAX = 900;

function circleText(circle: readonly WaitStep[]): string {
  const steps = circle.slice(0, STEPS_SHOWN).map((step) => {
    const whose = 'holder' in step ? `, which ${step.holder} holds` : ` behind ${step.behind}`;
    return `${step.run} waits for ${nameOf(step)}${whose}`;
  });
  const more = circle.length > STEPS_SHOWN ? ['and so on'] : [];
  return [...steps, ...more].join('; ').slice(0, CIRCLE_MAX);
}

const isStuck = (slot: SlotFact): boolean =>
  slot.heldByAncestors > 0 && Math.max(slot.wanted, slot.wantedAhead) + slot.heldByAncestors > roomOf(slot);
const nameOf = ({ limit, by }: Pick<SlotFact, 'limit' | 'by'>): string =>
  by === undefined ? `'${limit}'` : `'${limit}' for '${by}'`;
const wishOf = ({ limit, wanted, by }: SlotFact): SlotWish => ({
  limit,
  slots: wanted,
  ...(by === undefined ? {} : { by }),
});
const reasonOf = (slot: SlotFact, nowMs: Facts['nowMs']): string =>
  slot.limit === CACHE_KEY_LIMIT
    ? `another run is computing the same result, ${String(slot.ahead)} wait for it before this one`
    : `${String(usedOf(slot, nowMs))} of ${String(roomOf(slot))} slots of ${nameOf(slot)} are taken, ${String(slot.ahead)} wait before it`;
