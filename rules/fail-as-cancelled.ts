/**
 * | its flow run is | the call               | opinion                                                   |
 * | --------------- | ---------------------- | --------------------------------------------------------- |
 * | CANCELLING      | undoes what was done   | PASS: it began because of that, and failed by itself      |
 * | CANCELLING      | does anything else     | REWRITE to CANCELLED: it failed because it was cancelled  |
 * | anything else   | any                    | PASS                                                      |
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
  needs: ['flow', 'cleanup'],
  may: ['rewrite'],
  judge: ({ to }, { flow, cleanup }) =>
    flow?.type === 'CANCELLING' && cleanup !== true
      ? rewrite(cancelledWith(to), 'its flow run is being cancelled')
      : pass(),
});
