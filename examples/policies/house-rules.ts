/**
 * House rules: a policy module. Put it in force with `assent server --policy examples/policies/house-rules.ts`; look at it
 * without an engine with `assent policy check examples/policies/house-rules.ts`.
 */
import { before, definePolicies, defineRule, hold, pass, reject, without, type Policies } from 'assent/rules';

const HOUR_MS = 3_600_000;
const BERLIN = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', weekday: 'short', hour: '2-digit' });

/**
 * | when                       | opinion                                  |
 * | -------------------------- | ---------------------------------------- |
 * | Monday to Friday, 8 to 18  | PASS                                     |
 * | else                       | HOLD until the next full hour, ask again |
 */
const officeHours = defineRule({
  name: 'office-hours',
  summary: 'Holds back the start of a flow outside of office hours in Berlin.',
  on: ['flow'],
  from: ['NONE', 'SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  needs: [],
  may: ['hold'],
  judge: (_, { nowMs }) => {
    const parts = BERLIN.formatToParts(nowMs);
    const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
    const hour = Number(part('hour'));
    if (!['Sat', 'Sun'].includes(part('weekday')) && hour >= 8 && hour < 18) return pass();
    const dueAtMs = (Math.floor(nowMs / HOUR_MS) + 1) * HOUR_MS;
    return hold(
      { type: 'TIME', dueAtMs: dueAtMs as typeof nowMs },
      `it is ${part('weekday')}, ${part('hour')} o'clock`,
    );
  },
});

/**
 * | who cancels | gives a reason | opinion |
 * | ----------- | -------------- | ------- |
 * | the engine  | any            | PASS    |
 * | else        | yes            | PASS    |
 * | else        | no             | REJECT  |
 */
const cancelWithReason = defineRule({
  name: 'cancel-with-reason',
  summary: 'Refuses to cancel a production run without a reason.',
  on: ['flow', 'subflow'],
  from: ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'],
  to: ['CANCELLING', 'CANCELLED'],
  needs: [],
  may: ['reject'],
  judge: ({ by, reason }) =>
    by === 'engine' || (reason ?? '').trim() !== '' ? pass() : reject('NO_REASON', 'a production run needs a reason'),
});

export default definePolicies({
  // What holds for everybody: nothing but the core rules.
  tags: {
    production: (core: Policies) => ({ flow: before(core.flow, 'follow-lifecycle', cancelWithReason) }),
  },
  flows: {
    // Whoever watches the machines at night has no use for retries: a failure is news.
    report: (core: Policies) => ({
      flow: before(core.flow, 'take-slots', officeHours),
      task: without(core.task, 'retry-failed-task'),
    }),
  },
});
