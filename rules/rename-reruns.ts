/**
 * | the call has run | it comes from                            | opinion                                      |
 * | ---------------- | ---------------------------------------- | -------------------------------------------- |
 * | never            | anywhere                                 | PASS                                         |
 * | before           | an end in an earlier round of its flow   | REWRITE to `Retrying`                        |
 * | before           | another end                              | PASS: its attempts are counted anew          |
 * | before           | AwaitingRetry                            | REWRITE to `Retrying`                        |
 * | before           | anywhere else                            | REWRITE to `Rerunning`                       |
 *
 * A name that the asker chose itself gives way: the name says why it runs again.
 */
import { isTerminal } from '../protocol/states.ts';
import { defineRule, pass, rewrite } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const renameReruns = defineRule({
  name: 'rename-reruns',
  summary: 'A call that runs again is named for it: a retry, or a rerun.',
  on: ['task', 'background'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['attempt', 'flow', 'ran'],
  may: ['rewrite'],
  judge: ({ from, to }, { attempt, flow, ran }) => {
    if (from === undefined) return pass();
    const isEarlierRound = isTerminal(from) && ran !== undefined && flow !== undefined && ran.round < flow.round;
    const runsBefore = isTerminal(from) ? 0 : attempt;
    if (runsBefore === 0 && !isEarlierRound) return pass();
    const name = from.name === 'AwaitingRetry' || isEarlierRound ? 'Retrying' : 'Rerunning';
    return to.name === name
      ? pass()
      : rewrite({ ...to, name }, `it has run ${attempt === 1 ? 'once' : `${String(attempt)} times`} before`);
  },
});
