/**
 * | from                                                    | opinion                                                  |
 * | ------------------------------------------------------- | -------------------------------------------------------- |
 * | PAUSED in a process that waits                          | PASS: the process is asked to stop                       |
 * | nothing, SCHEDULED, PENDING, PAUSED in nobody's process | REWRITE to CANCELLED: no code is at work that could stop |
 *
 * Between two attempts no code of the user's runs: such a run ends at once too, and its process is told.
 */
import { defineRule, pass, rewrite } from './rule.ts';

export const cancelIdleRuns = defineRule({
  name: 'cancel-idle-runs',
  summary: 'Cancelling a run that no process works on ends it at once.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: ['NONE', 'SCHEDULED', 'PENDING', 'PAUSED'],
  to: ['CANCELLING'],
  needs: ['inHands'],
  may: ['rewrite'],
  judge: ({ from, to }, { inHands }) => {
    if (from?.type === 'PAUSED' && from.suspended !== true && inHands) return pass();
    return rewrite(
      { type: 'CANCELLED', name: 'Cancelled', ...(to.message === undefined ? {} : { message: to.message }) },
      `the run was ${from?.name ?? 'not there'}: nothing has to be stopped`,
    );
  },
});
