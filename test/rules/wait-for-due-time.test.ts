import { expect, test } from 'vitest';
import { waitForDueTime } from '../../rules/wait-for-due-time.ts';
import { at, facts, testReach, transition } from './fixtures.ts';

testReach(waitForDueTime, { on: ['flow', 'subflow', 'task'], from: ['SCHEDULED'], to: ['PENDING', 'RUNNING'] });

test.each([
  { nowMs: 999, opinion: { type: 'HOLD', waits: { type: 'TIME', dueAtMs: 1000 } } },
  { nowMs: 1000, opinion: { type: 'PASS' } },
  { nowMs: 1001, opinion: { type: 'PASS' } },
])('a run that is due at 1000 and asks at $nowMs gets $opinion.type', ({ nowMs, opinion }) => {
  for (const to of ['PENDING', 'RUNNING'] as const) {
    const asked = transition({ type: 'SCHEDULED', name: 'Scheduled', dueAtMs: at(1000) }, to);
    expect(waitForDueTime.judge(asked, facts({ nowMs: at(nowMs) }))).toMatchObject(opinion);
  }
});
