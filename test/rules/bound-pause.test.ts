import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { boundPause } from '../../rules/bound-pause.ts';
import { at, facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(boundPause, { on: RUN_KINDS, from: ['NONE', ...STATE_TYPES], to: ['PAUSED'] });

const paused = { type: 'PAUSED', name: 'Paused' } as const;

test('a pause without a time-out takes nothing', () => {
  expect(boundPause.judge(transition('RUNNING', paused, { kind: 'flow' }), facts())).toStrictEqual({ type: 'PASS' });
});

test.each(FROM_TYPES)('from %s, a pause with a time-out takes a timer for it', (from) => {
  const timeoutAtMs = at(123_456);
  expect(boundPause.judge(transition(from, { ...paused, timeoutAtMs }, { kind: 'flow' }), facts())).toStrictEqual({
    type: 'PASS',
    claims: [{ type: 'TIMER', timer: 'pause', dueAtMs: timeoutAtMs }],
  });
});
