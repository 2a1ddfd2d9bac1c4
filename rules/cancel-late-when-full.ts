/**
 * | the run is marked late, and its limit                 | opinion                                          |
 * | ----------------------------------------------------- | ------------------------------------------------ |
 * | has room, or lets what is new wait                    | PASS                                             |
 * | is full, and cancels what is new                      | REWRITE to CANCELLED: it would be, when it comes |
 */
import { defineRule, pass, rewrite } from './rule.ts';
import { LATE } from './mark-late-once.ts';
import { isFull } from './slots.ts';

export const cancelLateWhenFull = defineRule({
  name: 'cancel-late-when-full',
  summary: 'A late run whose limit is full and cancels what is new is cancelled.',
  on: ['flow', 'background'],
  from: ['SCHEDULED'],
  to: ['SCHEDULED'],
  needs: ['slots'],
  may: ['rewrite'],
  judge: ({ to }, { slots, nowMs }) => {
    if (to.name !== LATE) return pass();
    const full = slots.find((slot) => slot.onFull === 'cancel-new' && isFull(slot, nowMs));
    return full === undefined
      ? pass()
      : rewrite(
          { type: 'CANCELLED', name: 'Cancelled', message: `the limit '${full.limit}' was full` },
          `the limit '${full.limit}' is full and cancels what is new`,
        );
  },
});
