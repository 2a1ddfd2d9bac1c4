/** Business hours: flows begin while the office is open, urgent ones at any time. What has begun goes on. */
import { before, definePolicies, defineRule, hold, pass } from 'assent/rules';

const QUARTER_MS = 15 * 60_000;
const OFFICE = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/Berlin',
  weekday: 'short',
  hour: '2-digit',
  hourCycle: 'h23',
});

/** Monday to Friday, from 8 to 18, where the office is; clocks that are put forward or back are its own. */
function isOpen(atMs: number): boolean {
  const parts = new Map(OFFICE.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const hour = Number(parts.get('hour'));
  return !['Sat', 'Sun'].includes(parts.get('weekday') ?? '') && hour >= 8 && hour < 18;
}

/** Every zone's full hours are quarter hours of UTC. */
function opensAtMs(nowMs: number): number {
  let atMs = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS + QUARTER_MS;
  while (!isOpen(atMs)) atMs += QUARTER_MS;
  return atMs;
}

/**
 * | the run                 | the office | opinion              |
 * | ----------------------- | ---------- | -------------------- |
 * | has begun before        | any        | PASS                 |
 * | has the tag `urgent`    | any        | PASS                 |
 * | anything else           | is open    | PASS                 |
 * | anything else           | is closed  | HOLD until it opens  |
 */
export const businessHours = defineRule({
  name: 'business-hours',
  summary: 'A flow begins while the office is open; an urgent one at any time.',
  on: ['flow'],
  from: ['NONE', 'SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  needs: ['attempt', 'run'],
  may: ['hold'],
  judge: (_, { nowMs, attempt, run }) => {
    if (attempt > 0 || run.tags.includes('urgent') || isOpen(nowMs)) return pass();
    return hold({ type: 'TIME', dueAtMs: opensAtMs(nowMs) as typeof nowMs }, 'the office is closed');
  },
});

export default definePolicies({
  // Before the slots: what waits for the morning must not keep others from working at night.
  workspace: (core) => ({ flow: before(core.flow, 'take-slots', businessHours) }),
});
