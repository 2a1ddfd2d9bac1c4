/**
 * | its flow run is | opinion                                                   |
 * | --------------- | --------------------------------------------------------- |
 * | CANCELLING      | REWRITE to CANCELLED: it failed because it was cancelled  |
 * | anything else   | PASS                                                      |
 *
 * A task that completes while its flow run is being cancelled has completed: its work is done and stays reusable.
 */
import { cancelledWith } from './finish-cancelling.ts';
import { defineRule, pass, rewrite } from './rule.ts';

export const failAsCancelled = defineRule({
  name: 'fail-as-cancelled',
  summary: 'A call that fails while its flow run is being cancelled is cancelled too, and not retried.',
  on: ['task', 'subflow'],
  from: ['RUNNING', 'PAUSED'],
  to: ['FAILED'],
  needs: ['flow'],
  may: ['rewrite'],
  judge: ({ to }, { flow }) =>
    flow?.type === 'CANCELLING' ? rewrite(cancelledWith(to), 'its flow run is being cancelled') : pass(),
});
