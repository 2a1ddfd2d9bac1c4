/**
 * | asked in the name of        | by            | opinion                                                   |
 * | --------------------------- | ------------- | --------------------------------------------------------- |
 * | the current execution       | anybody       | PASS                                                      |
 * | another execution           | anybody       | REJECT FENCED: the run went on elsewhere                  |
 * | none                        | the engine    | PASS: it guards itself by version and epoch               |
 * | none, not on a task, a wish | anybody       | PASS: an operator, or a process that claims the run       |
 * | none, on a task or a report | anybody else  | REJECT FENCED: only the process that executes may say so  |
 */
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, FROM_ANY } from './state-sets.ts';

export const fenceStaleExecutions = defineRule({
  name: 'fence-stale-executions',
  summary: 'Only the process that a run was handed to last may speak for it.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['execution'],
  may: ['reject'],
  judge: ({ kind, report, by }, { execution: { current, asked } }) => {
    if (asked === current) return pass();
    if (asked !== undefined) {
      return reject('FENCED', `execution ${String(current)} is current, this was asked by execution ${String(asked)}`);
    }
    if (by === 'engine' || (kind !== 'task' && !report)) return pass();
    return reject('FENCED', 'it was asked in the name of no execution');
  },
});
