import { expect, test } from 'vitest';
import { cancelIdleRuns } from '../../rules/cancel-idle-runs.ts';
import { facts, stateOf, testReach, transition } from './fixtures.ts';

testReach(cancelIdleRuns, {
  on: ['flow', 'subflow', 'task'],
  from: ['SCHEDULED', 'PENDING', 'PAUSED'],
  to: ['CANCELLING'],
});

test.each(['SCHEDULED', 'PENDING', 'PAUSED'] as const)('a run that is %s is cancelled at once', (from) => {
  expect(cancelIdleRuns.judge(transition(from, 'CANCELLING'), facts())).toMatchObject({
    type: 'REWRITE',
    to: { type: 'CANCELLED', name: 'Cancelled' },
  });
});

test('what the canceller said stays with the run', () => {
  const to = { ...stateOf('CANCELLING'), message: 'not needed any more' };
  expect(cancelIdleRuns.judge(transition('PENDING', to), facts())).toMatchObject({
    to: { message: 'not needed any more' },
  });
});
