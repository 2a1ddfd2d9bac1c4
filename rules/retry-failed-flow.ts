/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 * | of a suspended run | any          | PASS: its time is over, nothing of it was at work                |
 * | reported late  | any              | REJECT STALE: the clock has ended that attempt, and another is due |
 *
 * The flow function then runs again from the top; its completed tasks are reused, its failed ones run again.
 */
import { defineRule } from './rule.ts';
import { retryOpinion } from './retry.ts';

export const retryFailedFlow = defineRule({
  name: 'retry-failed-flow',
  summary: 'A failed flow run is tried again while its retry budget lasts, keeping what its tasks completed.',
  on: ['flow', 'subflow'],
  from: ['RUNNING', 'PAUSED', 'SCHEDULED'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite', 'reject'],
  judge: (transition, facts) => retryOpinion(transition, facts),
});
