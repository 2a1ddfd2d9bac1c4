/**
 * | the run             | the wanted PENDING state                          | opinion                            |
 * | ------------------- | ------------------------------------------------- | ---------------------------------- |
 * | has no time         | any                                               | PASS                               |
 * | is due at some time | says when it is due                               | PASS                               |
 * | is due later        | is the clock's, from before it was put off        | HOLD until it is due               |
 * | is due by now       | is the clock's, from before it was put off        | REWRITE to the same, with its time |
 * | is due at some time | does not                                          | REWRITE to the same, with its time |
 *
 * So that a run does not start before its time because a worker was early, or says how far it is.
 */
import { defineRule, hold, pass, rewrite } from './rule.ts';

export const keepDueTime = defineRule({
  name: 'keep-due-time',
  summary: 'A run that is handed out early keeps the time that it is due at.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: ['SCHEDULED', 'PENDING'],
  to: ['PENDING'],
  needs: [],
  may: ['rewrite', 'hold'],
  judge: ({ from, to, by }, { nowMs }) => {
    const dueAtMs = from?.type === 'SCHEDULED' || from?.type === 'PENDING' ? from.dueAtMs : undefined;
    if (dueAtMs === undefined || to.type !== 'PENDING') return pass();
    if (to.dueAtMs !== undefined && (by !== 'engine' || to.dueAtMs >= dueAtMs)) return pass();
    if (by === 'engine' && dueAtMs > nowMs) return hold({ type: 'TIME', dueAtMs }, 'it was put off');
    return rewrite({ ...to, dueAtMs }, 'it keeps the time that it is due at');
  },
});
