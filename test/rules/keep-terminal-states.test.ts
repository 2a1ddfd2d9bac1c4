import { describe, expect, test } from 'vitest';
import { STATE_TYPES, type StateType } from '../../protocol/states.ts';
import { keepTerminalStates } from '../../rules/keep-terminal-states.ts';
import { ENDS, facts, stateOf, testReach, transition } from './fixtures.ts';

testReach(keepTerminalStates, { on: ['flow', 'subflow', 'task'], from: ENDS, to: STATE_TYPES });

const pairs = ENDS.flatMap((from) => STATE_TYPES.map((to) => ({ from, to })));

describe('the very state that it is in', () => {
  test.each(ENDS)('is kept when a rule says that the run stays as it is: %s', (type) => {
    const state = stateOf(type);
    for (const kind of ['flow', 'subflow', 'task'] as const) {
      expect(keepTerminalStates.judge(transition(state, state, { kind, stays: true }), facts())).toEqual({
        type: 'PASS',
      });
    }
  });
  test.each(ENDS)('is refused when it is asked for: %s', (type) => {
    const state = stateOf(type);
    expect(keepTerminalStates.judge(transition(state, state), facts())).toMatchObject({ code: 'ALREADY_ENDED' });
  });
});

describe('a flow run', () => {
  test.each(pairs)('from $from to $to, by a claim and without one', ({ from, to }) => {
    const judge = (claim: boolean): unknown =>
      keepTerminalStates.judge(transition(from, to, { kind: 'flow', claim }), facts());
    const resumable: readonly StateType[] = ['CRASHED', 'FAILED'];
    const resumes = to === 'RUNNING' && resumable.includes(from);
    expect(judge(true)).toMatchObject(resumes ? { type: 'PASS' } : { type: 'REJECT', code: 'ALREADY_ENDED' });
    expect(judge(false)).toMatchObject({ type: 'REJECT', code: 'ALREADY_ENDED' });
  });
});

describe.each(['task', 'subflow'] as const)('a %s that ran in execution 1, round 0', (kind) => {
  const judge = (to: StateType, execution: number, round: number, report = false): unknown =>
    keepTerminalStates.judge(
      transition('CANCELLED', to, { kind, report }),
      facts({
        execution: { current: execution, asked: execution },
        flow: { type: 'RUNNING', round },
        ran: { execution: 1, round: 0 },
      }),
    );

  test.each([
    { execution: 1, round: 0, opinion: 'REJECT' },
    { execution: 2, round: 0, opinion: 'PASS' },
    { execution: 1, round: 1, opinion: 'PASS' },
  ])('may run again in execution $execution, round $round: $opinion', ({ execution, round, opinion }) => {
    expect(judge('RUNNING', execution, round)).toMatchObject({ type: opinion });
  });
  test('a report that it runs does not make it run', () => {
    expect(judge('RUNNING', 2, 0, true)).toMatchObject({ code: 'ALREADY_ENDED' });
  });
  test.each(STATE_TYPES.filter((type) => type !== 'RUNNING'))('does not become %s, in no execution', (to) => {
    expect(judge(to, 2, 1)).toMatchObject({ code: 'ALREADY_ENDED' });
  });
});
