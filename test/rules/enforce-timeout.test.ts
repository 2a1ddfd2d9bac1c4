import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { enforceTimeout } from '../../rules/enforce-timeout.ts';
import { at, facts, NOW_MS, testReach, transition } from './fixtures.ts';

testReach(enforceTimeout, { on: ['flow', 'subflow', 'task'], from: ['NONE', ...STATE_TYPES], to: ['RUNNING'] });

test('a run without a time-out may run for ever', () => {
  expect(enforceTimeout.judge(transition('NONE', 'RUNNING'), facts())).toEqual({ type: 'PASS' });
});

test('a run with a time-out takes a timer along', () => {
  expect(enforceTimeout.judge(transition('NONE', 'RUNNING'), facts({ timeoutMs: 750 }))).toEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'timeout', dueAtMs: at(NOW_MS + 750) }],
  });
});
