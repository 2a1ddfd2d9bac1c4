import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { cancelIdleRuns } from '../../rules/cancel-idle-runs.ts';
import type { FromType, Opinion } from '../../rules/rule.ts';
import { facts, RUN_KINDS, stateOf, testReach, transition } from './fixtures.ts';

testReach(cancelIdleRuns, {
  on: RUN_KINDS,
  from: ['NONE', 'SCHEDULED', 'PENDING', 'PAUSED'],
  to: ['CANCELLING'],
});

const judge = (from: FromType | State, inHands: boolean): Opinion =>
  cancelIdleRuns.judge(transition(from, 'CANCELLING'), facts({ inHands }));
const paused: State = { type: 'PAUSED', name: 'Paused' };
const suspended: State = { type: 'PAUSED', name: 'Suspended', suspended: true };

test('one that is paused in a process that waits is asked to stop', () => {
  expect(judge(paused, true)).toStrictEqual({ type: 'PASS' });
});

test.each<{ what: string; from: FromType | State; inHands: boolean }>([
  { what: 'is not there yet', from: 'NONE', inHands: false },
  { what: 'is scheduled', from: 'SCHEDULED', inHands: false },
  { what: 'waits for its next attempt in its process', from: 'SCHEDULED', inHands: true },
  { what: 'is taken and not begun', from: 'PENDING', inHands: false },
  { what: 'is pending in its process', from: 'PENDING', inHands: true },
  { what: 'is paused, and its process is gone', from: paused, inHands: false },
  { what: 'is suspended', from: suspended, inHands: false },
  { what: 'is suspended, and its process is still ending', from: suspended, inHands: true },
])('one that $what is cancelled at once', ({ from, inHands }) => {
  expect(judge(from, inHands)).toMatchObject({ type: 'REWRITE', to: { type: 'CANCELLED', name: 'Cancelled' } });
});

describe('what is said about it', () => {
  test('by the canceller stays with the run', () => {
    const to = { ...stateOf('CANCELLING'), message: 'not needed any more' };
    expect(cancelIdleRuns.judge(transition('PENDING', to), facts())).toMatchObject({
      to: { type: 'CANCELLED', name: 'Cancelled', message: 'not needed any more' },
    });
  });
  test('is nothing more when the canceller said nothing', () => {
    expect(judge('PENDING', false)).toStrictEqual({
      type: 'REWRITE',
      to: { type: 'CANCELLED', name: 'Cancelled' },
      why: 'the run was Pending: nothing has to be stopped',
    });
  });
  test('names where it was', () => {
    expect(judge('NONE', false)).toMatchObject({ why: 'the run was not there: nothing has to be stopped' });
  });
});
