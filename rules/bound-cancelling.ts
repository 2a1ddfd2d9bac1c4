/**
 * | opinion                                                                        |
 * | ------------------------------------------------------------------------------ |
 * | PASS, and CLAIM a timer: when the grace is over, the clock proposes CANCELLED  |
 */
import { later } from '../protocol/ids.ts';
import { defineRule, pass } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const boundCancelling = defineRule({
  name: 'bound-cancelling',
  summary: 'A cancelled run that does not end by itself is ended when its grace is over.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ['CANCELLING'],
  needs: ['graceMs'],
  may: [],
  judge: (_, { graceMs, nowMs }) => pass([{ type: 'TIMER', timer: 'grace', dueAtMs: later(nowMs, graceMs) }]),
});
