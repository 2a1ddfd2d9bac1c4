/**
 * | of the named limits                                  | opinion                                            |
 * | ---------------------------------------------------- | -------------------------------------------------- |
 * | none is asked for, or none of them is set            | PASS                                               |
 * | one has fewer slots in all than are asked for        | REJECT NEVER_FITS (HOLD when it has none at all)   |
 * | one could be freed by an ancestor alone: for this    | REJECT DEADLOCK                                    |
 * | run, or for one that waits before it                 |                                                    |
 * | one is full, or others wait for it already           | HOLD until the slots are free                      |
 * | all have room                                        | PASS, and CLAIM the slots: all of them or none     |
 */
import { defineRule, hold, pass, reject, type SlotFact } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const takeSlots = defineRule({
  name: 'take-slots',
  summary: 'A run starts only with a slot of every named limit that it asks for, in order of priority, then of asking.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['slots'],
  may: ['reject', 'hold'],
  judge: (_, { slots }) => {
    const set = slots.filter((slot) => slot.slotsMax !== undefined);
    if (set.length === 0) return pass();
    const never = set.find((slot) => slot.slotsMax !== 0 && slot.wanted > roomOf(slot));
    if (never !== undefined) {
      return reject(
        'NEVER_FITS',
        `${String(never.wanted)} slots of '${never.limit}' are asked for, it has ${String(never.slotsMax)}`,
      );
    }
    const stuck = set.find(isStuck);
    if (stuck !== undefined) {
      return reject('DEADLOCK', `the slots of '${stuck.limit}' are held by a run that waits for this one`);
    }
    const full = set.find((slot) => slot.ahead > 0 || slot.used + slot.wanted > roomOf(slot));
    if (full !== undefined) return hold({ type: 'SLOTS', limits: set.map(wishOf) }, reasonOf(full));
    return pass([{ type: 'SLOTS', slots: set.map(wishOf) }]);
  },
});

const isStuck = (slot: SlotFact): boolean =>
  slot.heldByAncestors > 0 && Math.max(slot.wanted, slot.wantedAhead) + slot.heldByAncestors > roomOf(slot);
const roomOf = (slot: SlotFact): number => slot.slotsMax ?? 0;
const wishOf = (slot: SlotFact): { limit: string; slots: number } => ({ limit: slot.limit, slots: slot.wanted });
const reasonOf = (slot: SlotFact): string =>
  `${String(slot.used)} of ${String(roomOf(slot))} slots of '${slot.limit}' are taken, ${String(slot.ahead)} wait before it`;
