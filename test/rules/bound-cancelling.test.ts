import { expect, test } from 'vitest';
import { boundCancelling } from '../../rules/bound-cancelling.ts';
import { at, facts, FROM_TYPES, NOW_MS, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(boundCancelling, { on: RUN_KINDS, from: FROM_TYPES, to: ['CANCELLING'] });

test.each(FROM_TYPES)('a run that is cancelled while it is %s has its grace, and then the clock ends it', (from) => {
  expect(boundCancelling.judge(transition(from, 'CANCELLING'), facts({ graceMs: 30_000 }))).toStrictEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'grace', dueAtMs: at(NOW_MS + 30_000) }],
  });
});
