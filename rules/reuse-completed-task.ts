/**
 * | the call's run is | in this round of its flow run | opinion                                              |
 * | ----------------- | ----------------------------- | ---------------------------------------------------- |
 * | COMPLETED         | or any before                 | REWRITE to the recorded completion: it does not run  |
 * | FAILED            | yes                           | REWRITE to the recorded failure: it was final        |
 * | FAILED            | before                        | PASS: the flow run began anew to try again           |
 * | as above          | asked for with a reason       | PASS, unless it completed with a result              |
 * | as above          | to be done again              | PASS: whoever opened the flow run again said so      |
 *
 * This rule is what makes execution durable: a flow function that is run again meets its earlier calls here.
 */
import { defineRule, pass, rewrite } from './rule.ts';

export const reuseCompletedTask = defineRule({
  name: 'reuse-completed-task',
  summary: 'A call that has ended before is answered with its recorded outcome instead of being run again.',
  on: ['task', 'subflow'],
  from: ['COMPLETED', 'FAILED'],
  to: ['RUNNING'],
  needs: ['flow', 'ran'],
  may: ['rewrite'],
  judge: ({ from, reason }, { flow, ran }) => {
    const hasResult = from?.type === 'COMPLETED' && from.result !== undefined;
    if (from === undefined || ran?.redo === true || (reason !== undefined && !hasResult)) return pass();
    if (from.type === 'COMPLETED') return rewrite(from, 'this call has completed before');
    return flow?.round === ran?.round ? rewrite(from, 'this call has failed for good before') : pass();
  },
});
