/**
 * | the override    | opinion               |
 * | --------------- | --------------------- |
 * | says why        | PASS                  |
 * | says nothing    | REJECT REASON_NEEDED  |
 */
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, FROM_ANY } from './state-sets.ts';

export const requireReason = defineRule({
  name: 'require-reason',
  summary: 'Whoever overrides the rules says why.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: [],
  may: ['reject'],
  judge: ({ reason }) =>
    reason === undefined || reason.trim() === '' ? reject('REASON_NEEDED', 'an override says why') : pass(),
});
