/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 * | of a suspended run | any          | PASS: its time is over, nothing of it was at work                |
 */
import { defineRule, pass } from './rule.ts';
import { isSuspended, retryOpinion } from './retry.ts';

export const retryFailedTask = defineRule({
  name: 'retry-failed-task',
  summary: 'A failed attempt of a task becomes a later attempt while the retry budget lasts.',
  on: ['task', 'background'],
  from: ['RUNNING', 'PAUSED'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite'],
  judge: ({ from, to }, facts) => (isSuspended(from) ? pass() : retryOpinion(to, facts)),
});
