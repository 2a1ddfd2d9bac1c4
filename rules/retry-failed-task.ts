/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 * | of a suspended run | any          | PASS: its time is over, nothing of it was at work                |
 * | reported late  | any              | REJECT STALE: the clock has ended that attempt, and another is due |
 */
import { defineRule } from './rule.ts';
import { retryOpinion } from './retry.ts';

export const retryFailedTask = defineRule({
  name: 'retry-failed-task',
  summary: 'A failed attempt of a task becomes a later attempt while the retry budget lasts.',
  on: ['task', 'background'],
  from: ['RUNNING', 'PAUSED', 'SCHEDULED'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite', 'reject'],
  judge: (transition, facts) => retryOpinion(transition, facts),
});
