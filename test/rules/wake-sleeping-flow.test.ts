import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { wakeSleepingFlow } from '../../rules/wake-sleeping-flow.ts';
import { at, facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(wakeSleepingFlow, { on: RUN_KINDS, from: ['NONE', ...STATE_TYPES], to: ['PAUSED'] });

const paused = { type: 'PAUSED', name: 'Sleeping' } as const;
const wakeAtMs = at(123_456);

test.each(FROM_TYPES)('from %s, a suspended pause until a time takes a timer for it', (from) => {
  const asked = transition(from, { ...paused, suspended: true, wakeAtMs }, { kind: 'flow' });
  expect(wakeSleepingFlow.judge(asked, facts())).toStrictEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'wake', dueAtMs: wakeAtMs }],
  });
});

test.each([
  ['until somebody resumes it', { suspended: true, wakeOn: ['flow message:go'] } as const],
  ['with a process that waits by itself', { wakeAtMs }],
])('a pause %s takes none', (_, more) => {
  expect(
    wakeSleepingFlow.judge(transition('RUNNING', { ...paused, ...more }, { kind: 'flow' }), facts()),
  ).toStrictEqual({ type: 'PASS' });
});
