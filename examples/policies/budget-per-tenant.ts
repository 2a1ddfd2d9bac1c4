/**
 * A budget per tenant: the limit `model-calls` counts by tenant and gives its slots back by time. What would wait for
 * long is refused instead, and what costs money is retried once.
 */
import { before, definePolicies, defineRule, pass, reject, rewrite } from 'assent/rules';

const WAIT_MAX_MS = 10 * 60_000;

/**
 * | the limit `model-calls`                          | opinion            |
 * | ------------------------------------------------ | ------------------ |
 * | is not asked for, not set, or is no rate limit   | PASS               |
 * | has a slot for it within ten minutes             | PASS               |
 * | has more of its tenant's calls waiting than that | REJECT OVER_BUDGET |
 */
export const refuseOverBudget = defineRule({
  name: 'refuse-over-budget',
  summary: 'A model call is refused if its tenant’s budget has no room for it within ten minutes.',
  on: ['task'],
  from: ['NONE'],
  to: ['RUNNING'],
  needs: ['slots'],
  may: ['reject'],
  judge: (_, { slots, nowMs }) => {
    const budget = slots.find(({ limit }) => limit === 'model-calls');
    if (budget?.rate === undefined || budget.slotsMax === undefined) return pass();
    const { everyMs, emptyAtMs } = budget.rate;
    const spent = Math.max(0, emptyAtMs - nowMs) / everyMs;
    // Each of those that wait already will take one.
    const waitMs = (spent + budget.ahead + budget.wanted - budget.slotsMax) * everyMs;
    if (waitMs <= WAIT_MAX_MS) return pass();
    const minutes = Math.ceil(waitMs / 60_000);
    return reject('OVER_BUDGET', `${budget.by ?? 'everybody'} has spent it; there is room in ${String(minutes)} min`);
  },
});

/**
 * | the task                      | opinion                        |
 * | ----------------------------- | ------------------------------ |
 * | has no tag `paid`             | PASS                           |
 * | was not retried yet           | PASS                           |
 * | was retried once              | REWRITE: the failure is final  |
 */
export const retryPaidOnce = defineRule({
  name: 'retry-paid-once',
  summary: 'A task with the tag `paid` is retried once at most, whatever its author allows.',
  on: ['task'],
  from: ['RUNNING'],
  to: ['FAILED'],
  needs: ['retry', 'run'],
  may: ['rewrite'],
  judge: ({ to }, { retry, run }) => {
    if (to.type !== 'FAILED' || to.retriable === false) return pass();
    if (!run.tags.includes('paid') || retry.used < 1) return pass();
    return rewrite({ ...to, retriable: false }, 'every attempt costs money, and this was the second');
  },
});

export default definePolicies({
  workspace: (core) => ({
    task: before(before(core.task, 'take-slots', refuseOverBudget), 'retry-failed-task', retryPaidOnce),
  }),
});
