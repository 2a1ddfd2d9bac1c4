import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { reuseCompletedTask } from '../../rules/reuse-completed-task.ts';
import type { Opinion } from '../../rules/rule.ts';
import { facts, stateOf, testReach, transition, VALUE } from './fixtures.ts';

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

describe('asked for with a reason', () => {
  const judge = (from: State): Opinion =>
    reuseCompletedTask.judge(
      transition(from, 'RUNNING', { reason: 'wrong data' }),
      facts({ flow: { type: 'RUNNING', round: 1 }, ran: { execution: 1, round: 1 } }),
    );
  test('a call is run again, whatever its end', () => {
    expect(judge(stateOf('FAILED'))).toStrictEqual({ type: 'PASS' });
    expect(judge(stateOf('COMPLETED'))).toStrictEqual({ type: 'PASS' });
  });
  test('but not when it completed with a result, which would be lost', () => {
    const done: State = { type: 'COMPLETED', name: 'Completed', result: VALUE };
    expect(judge(done)).toMatchObject({ type: 'REWRITE', to: done });
  });
});

test('to be done again, a call is run, whatever its end', () => {
  const done: State = { type: 'COMPLETED', name: 'Completed', result: VALUE };
  const known = facts({ flow: { type: 'RUNNING', round: 1 }, ran: { execution: 1, round: 1, redo: true } });
  for (const from of [done, stateOf('COMPLETED'), stateOf('FAILED')]) {
    expect(reuseCompletedTask.judge(transition(from, 'RUNNING'), known)).toStrictEqual({ type: 'PASS' });
  }
});

test('a call that is in no flow run has failed for good', () => {
  const { flow: _, ...known } = facts();
  expect(reuseCompletedTask.judge(transition('FAILED', 'RUNNING'), known)).toMatchObject({ type: 'REWRITE' });
  expect(
    reuseCompletedTask.judge(transition('FAILED', 'RUNNING'), { ...known, ran: { execution: 1, round: 0 } }),
  ).toStrictEqual({ type: 'PASS' });
});
