/**
 * | the run is due       | opinion                |
 * | -------------------- | ---------------------- |
 * | now, earlier, never  | PASS                   |
 * | later                | HOLD until it is due   |
 */
import { defineRule, hold, pass } from './rule.ts';

export const waitForDueTime = defineRule({
  name: 'wait-for-due-time',
  summary: 'A scheduled run does not start before it is due.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: ['SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  needs: [],
  may: ['hold'],
  judge: ({ from }, { nowMs }) => {
    const dueAtMs = from?.type === 'SCHEDULED' || from?.type === 'PENDING' ? from.dueAtMs : undefined;
    if (dueAtMs === undefined || dueAtMs <= nowMs) return pass();
    return hold({ type: 'TIME', dueAtMs }, `due in ${String(dueAtMs - nowMs)} ms`);
  },
});
