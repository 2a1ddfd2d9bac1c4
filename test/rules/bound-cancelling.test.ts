import { expect, test } from 'vitest';
import { boundCancelling } from '../../rules/bound-cancelling.ts';
import { at, facts, NOW_MS, testReach, transition } from './fixtures.ts';

testReach(boundCancelling, { on: ['flow', 'subflow', 'task'], from: ['RUNNING'], to: ['CANCELLING'] });

test('a run that is cancelled while it runs has its grace, and then the clock ends it', () => {
  const opinion = boundCancelling.judge(transition('RUNNING', 'CANCELLING'), facts({ graceMs: 30_000 }));
  expect(opinion).toEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'grace', dueAtMs: at(NOW_MS + 30_000) }],
  });
});
