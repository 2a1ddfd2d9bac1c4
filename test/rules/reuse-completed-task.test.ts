import { expect, test } from 'vitest';
import { reuseCompletedTask } from '../../rules/reuse-completed-task.ts';
import { facts, stateOf, testReach, transition } from './fixtures.ts';

testReach(reuseCompletedTask, { on: ['task', 'subflow'], from: ['COMPLETED', 'FAILED'], to: ['RUNNING'] });

test.each([
  { from: 'COMPLETED', round: 0, opinion: 'REWRITE' },
  { from: 'COMPLETED', round: 1, opinion: 'REWRITE' },
  { from: 'FAILED', round: 1, opinion: 'REWRITE' },
  { from: 'FAILED', round: 0, opinion: 'PASS' },
] as const)(
  'a call that ended $from in round $round is, in round 1, answered with $opinion',
  ({ from, round, opinion }) => {
    const state = stateOf(from);
    const known = facts({ flow: { type: 'RUNNING', round: 1 }, ran: { execution: 1, round } });
    const got = reuseCompletedTask.judge(transition(state, 'RUNNING'), known);
    expect(got.type).toBe(opinion);
    // The very object, by which the hearing knows that the run stays as it is.
    if (got.type === 'REWRITE') expect(got.to).toBe(state);
  },
);
