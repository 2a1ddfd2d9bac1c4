/** What the rules about limits have in common: reading a limit as it stands for one run. Not a rule. */
import { later, type EpochMs } from '../protocol/ids.ts';
import { ownLimitSlots } from '../protocol/proposals.ts';
import type { SlotFact } from './rule.ts';

export const roomOf = (slot: SlotFact): number => slot.slotsMax ?? 0;

/**
 * Slots that are taken by others: those that they hold, or, of a rate limit, those that have not come back by now. A rate
 * limit is kept as the one time at which all are back, so that no fraction is lost however often it is asked.
 */
export function usedOf({ rate, used }: SlotFact, nowMs: EpochMs): number {
  return rate === undefined ? used : Math.ceil(Math.max(0, rate.emptyAtMs - nowMs) / rate.everyMs);
}

export const fits = (slot: SlotFact, nowMs: EpochMs): boolean => usedOf(slot, nowMs) + slot.wanted <= roomOf(slot);

/** What it needs of the limit it has: nobody comes before it, however full the limit is. */
export const isHolder = ({ mine = 0, wanted }: SlotFact): boolean => mine >= wanted;

/** It is set, and others wait for it or hold so much that this run does not fit. */
export const isFull = (slot: SlotFact, nowMs: EpochMs): boolean =>
  slot.slotsMax !== undefined && !isHolder(slot) && (slot.ahead > 0 || !fits(slot, nowMs));

/** When a rate limit has room for what is wanted; undefined when that is not a question of time. */
export function roomAtMs(slot: SlotFact): EpochMs | undefined {
  const { rate, wanted } = slot;
  const room = roomOf(slot);
  if (rate === undefined || wanted > room) return undefined;
  let atMs = Math.ceil(rate.emptyAtMs - (room - wanted) * rate.everyMs) as EpochMs;
  // Sums and quotients are rounded differently: who came back at a time without room would wait for no time any more.
  for (let more = 1; Number.isFinite(atMs) && !fits(slot, atMs); more *= 2) atMs = later(atMs, more);
  return atMs;
}

/** What bounds a run on its way into this state. */
export const limitsFor = (slots: readonly SlotFact[], to: string): readonly SlotFact[] =>
  slots.filter((slot) => slot.slotsMax !== undefined && (to !== 'PENDING' || slot.from === 'PENDING'));

/** A lock: of a cache key, of a transaction. */
export const isLock = ({ limit }: SlotFact): boolean => ownLimitSlots(limit) !== undefined;

/** What is full of what bounds a run, and in whose queues it waits; until a lock is free it waits for nothing else. */
export function waitsFor(
  set: readonly SlotFact[],
  nowMs: EpochMs,
): { readonly full: readonly SlotFact[]; readonly causes: readonly SlotFact[]; readonly limits: readonly SlotFact[] } {
  const lacking = set.filter((slot) => !isHolder(slot));
  const full = lacking.filter((slot) => isFull(slot, nowMs));
  const locks = full.filter(isLock);
  return locks.length > 0
    ? { full, causes: locks, limits: lacking.filter(isLock) }
    : { full, causes: full, limits: full.length === 0 ? [] : lacking };
}
