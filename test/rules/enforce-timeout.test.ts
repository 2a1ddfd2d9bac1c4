import { expect, test } from 'vitest';
import { enforceTimeout } from '../../rules/enforce-timeout.ts';
import { at, facts, FROM_TYPES, NOW_MS, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(enforceTimeout, { on: RUN_KINDS, from: FROM_TYPES, to: ['RUNNING'] });

test('a run without a time-out may run for ever', () => {
  expect(enforceTimeout.judge(transition('NONE', 'RUNNING'), facts())).toStrictEqual({ type: 'PASS' });
});

test('a run with a time-out takes a timer along', () => {
  expect(enforceTimeout.judge(transition('NONE', 'RUNNING'), facts({ timeoutMs: 750 }))).toStrictEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'timeout', dueAtMs: at(NOW_MS + 750) }],
  });
});
