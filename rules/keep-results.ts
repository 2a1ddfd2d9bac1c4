/**
 * | the run COMPLETED | the forced state               | opinion                                                |
 * | ----------------- | ------------------------------ | ------------------------------------------------------ |
 * | with a result     | COMPLETED, without one         | REJECT RESULT_KEPT: the override would lose the result |
 * | otherwise         | any                            | PASS                                                   |
 */
import { defineRule, pass, reject } from './rule.ts';

export const keepResults = defineRule({
  name: 'keep-results',
  summary: 'Not even an override loses the result of a completed run by completing it again.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: ['COMPLETED'],
  to: ['COMPLETED'],
  needs: [],
  may: ['reject'],
  judge: ({ from, to }) => {
    const had = from?.type === 'COMPLETED' && from.result !== undefined;
    const has = to.type === 'COMPLETED' && to.result !== undefined;
    return had && !has ? reject('RESULT_KEPT', `the run ended as ${from.name}, with a result`) : pass();
  },
});
