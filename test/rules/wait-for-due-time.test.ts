import { expect, test } from 'vitest';
import { waitForDueTime } from '../../rules/wait-for-due-time.ts';
import { at, facts, RUN_KINDS, stateOf, testReach, transition } from './fixtures.ts';

testReach(waitForDueTime, { on: RUN_KINDS, from: ['SCHEDULED', 'PENDING'], to: ['RUNNING'] });

test.each([
  { nowMs: 999, opinion: { type: 'HOLD', waits: { type: 'TIME', dueAtMs: 1000 }, why: 'due in 1 ms' } },
  { nowMs: 1000, opinion: { type: 'PASS' } },
  { nowMs: 1001, opinion: { type: 'PASS' } },
])('a run that is due at 1000 and asks at $nowMs gets $opinion.type', ({ nowMs, opinion }) => {
  for (const type of ['SCHEDULED', 'PENDING'] as const) {
    const asked = transition({ type, name: type, dueAtMs: at(1000) }, 'RUNNING');
    expect(waitForDueTime.judge(asked, facts({ nowMs: at(nowMs) }))).toStrictEqual(opinion);
  }
});

test('a run that is due at no time starts', () => {
  expect(waitForDueTime.judge(transition(stateOf('PENDING'), 'RUNNING'), facts())).toStrictEqual({ type: 'PASS' });
});
