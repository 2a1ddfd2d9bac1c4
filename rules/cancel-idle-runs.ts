/**
 * | from                     | opinion                                                          |
 * | ------------------------ | ---------------------------------------------------------------- |
 * | SCHEDULED PENDING PAUSED | REWRITE to CANCELLED: no process is at work that could be asked  |
 */
import { defineRule, rewrite } from './rule.ts';
import { WAITING } from './state-sets.ts';

export const cancelIdleRuns = defineRule({
  name: 'cancel-idle-runs',
  summary: 'Cancelling a run that no process works on ends it at once.',
  on: ['flow', 'subflow', 'task'],
  from: WAITING,
  to: ['CANCELLING'],
  needs: [],
  may: ['rewrite'],
  judge: ({ from, to }) =>
    rewrite(
      { type: 'CANCELLED', name: 'Cancelled', ...(to.message === undefined ? {} : { message: to.message }) },
      `the run was ${from?.name ?? 'not there'}: nothing has to be stopped`,
    ),
});
