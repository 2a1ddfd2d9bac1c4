/**
 * | the run is due  | opinion                |
 * | --------------- | ---------------------- |
 * | now or earlier  | PASS                   |
 * | later           | HOLD until it is due   |
 */
import { defineRule, hold, pass } from './rule.ts';

export const waitForDueTime = defineRule({
  name: 'wait-for-due-time',
  summary: 'A scheduled run does not start before it is due.',
  on: ['flow', 'subflow', 'task'],
  from: ['SCHEDULED'],
  to: ['PENDING', 'RUNNING'],
  needs: [],
  may: ['hold'],
  judge: ({ from }, { nowMs }) => {
    if (from?.type !== 'SCHEDULED' || from.dueAtMs <= nowMs) return pass();
    return hold({ type: 'TIME', dueAtMs: from.dueAtMs }, `due in ${String(from.dueAtMs - nowMs)} ms`);
  },
});
