/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 */
import { defineRule } from './rule.ts';
import { retryOpinion } from './retry.ts';

export const retryFailedTask = defineRule({
  name: 'retry-failed-task',
  summary: 'A failed attempt of a task becomes a later attempt while the retry budget lasts.',
  on: ['task', 'background'],
  from: ['RUNNING'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite'],
  judge: ({ to }, facts) => retryOpinion(to, facts),
});
