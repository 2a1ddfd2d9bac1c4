/**
 * | the pause                               | opinion                                                                       |
 * | --------------------------------------- | ----------------------------------------------------------------------------- |
 * | is suspended, until a time              | PASS, and CLAIM a timer: when it rings, the clock proposes that the run go on |
 * | is suspended, until somebody resumes it | PASS                                                                          |
 * | has a process that waits                | PASS: that process goes on by itself                                          |
 */
import { defineRule, pass } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const wakeSleepingFlow = defineRule({
  name: 'wake-sleeping-flow',
  summary: 'A flow run that let go of its process for a time goes on when that is over.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ['PAUSED'],
  needs: [],
  may: [],
  judge: ({ to }) =>
    to.type === 'PAUSED' && to.suspended === true && to.wakeAtMs !== undefined
      ? pass([{ type: 'TIMER', timer: 'wake', dueAtMs: to.wakeAtMs }])
      : pass(),
});
