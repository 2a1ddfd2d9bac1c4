/**
 * | the pause            | opinion                                                                  |
 * | -------------------- | ------------------------------------------------------------------------ |
 * | has no time-out      | PASS                                                                     |
 * | has a time-out       | PASS, and CLAIM a timer: when it rings, the clock proposes FAILED        |
 */
import { defineRule, pass } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const boundPause = defineRule({
  name: 'bound-pause',
  summary: 'A paused run that nobody resumes in time fails.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ['PAUSED'],
  needs: [],
  may: [],
  judge: ({ to }) =>
    to.type === 'PAUSED' && to.timeoutAtMs !== undefined
      ? pass([{ type: 'TIMER', timer: 'pause', dueAtMs: to.timeoutAtMs }])
      : pass(),
});
