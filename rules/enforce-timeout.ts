/**
 * | time-out  | opinion                                                          |
 * | --------- | ---------------------------------------------------------------- |
 * | none      | PASS                                                             |
 * | some time | PASS, and CLAIM a timer: when it rings, the clock reports FAILED |
 */
import { later } from '../protocol/ids.ts';
import { defineRule, pass } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const enforceTimeout = defineRule({
  name: 'enforce-timeout',
  summary: 'An attempt that runs for longer than its time-out fails, whether or not its process notices.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['timeoutMs'],
  may: [],
  judge: (_, { timeoutMs, nowMs }) =>
    timeoutMs === undefined ? pass() : pass([{ type: 'TIMER', timer: 'timeout', dueAtMs: later(nowMs, timeoutMs) }]),
});
