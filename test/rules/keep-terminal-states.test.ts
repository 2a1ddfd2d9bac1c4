import { describe, expect, test } from 'vitest';
import { STATE_TYPES, type State, type StateType } from '../../protocol/states.ts';
import { keepTerminalStates } from '../../rules/keep-terminal-states.ts';
import type { Facts, Opinion, RunKind, Transition } from '../../rules/rule.ts';
import { ENDS, facts, RUN_KINDS, stateOf, testReach, transition, VALUE } from './fixtures.ts';

testReach(keepTerminalStates, { on: RUN_KINDS, from: ENDS, to: STATE_TYPES });

const NEVER: readonly StateType[] = ['CANCELLING', 'PAUSED', 'CRASHED'];
const RESUMABLE: readonly StateType[] = ['CRASHED', 'FAILED'];
const ROOTS = ['flow', 'background'] as const;
const CALLS = ['task', 'subflow'] as const;
const pairs = ENDS.flatMap((from) => STATE_TYPES.map((to) => ({ from, to })));
const ended = { type: 'REJECT', code: 'ALREADY_ENDED' };
const withResult: State = { type: 'COMPLETED', name: 'Done', result: VALUE };

/** A call that has run in execution 1 and round 0, which are current. */
function judge(from: StateType | State, to: StateType, ways: Partial<Transition>, known: Partial<Facts> = {}): Opinion {
  return keepTerminalStates.judge(
    transition(from, to, ways),
    facts({ ran: { execution: 1, round: 0 }, resume: { byWorker: true, used: 0 }, ...known }),
  );
}

describe.each(RUN_KINDS)('a %s', (kind) => {
  test.each(ENDS)('keeps the very state that it is in when a rule says so: %s', (type) => {
    const state = stateOf(type);
    expect(judge(state, type, { kind, to: state, stays: true })).toStrictEqual({ type: 'PASS' });
    expect(judge(withResult, 'COMPLETED', { kind, to: withResult, stays: true })).toStrictEqual({ type: 'PASS' });
  });

  test.each(pairs)('from $from to $to, without a reason', ({ from, to }) => {
    expect(judge(from, to, { kind })).toMatchObject(ended);
    expect(judge(from, to, { kind })).toMatchObject({ why: `the run ended as ${stateOf(from).name}` });
  });

  test.each(pairs)('from $from to $to, as a report, with a reason and a claim', ({ from, to }) => {
    expect(
      judge(from, to, { kind, report: true, claim: true, reason: 'late' }, { ran: { execution: 0, round: 0 } }),
    ).toMatchObject(ended);
  });

  test.each(pairs)('from $from to $to, by somebody who says why', ({ from, to }) => {
    const opinion = NEVER.includes(to) ? ended : { type: 'PASS', why: `${stateOf(from).name} is left: wrong data` };
    expect(judge(from, to, { kind, reason: 'wrong data' })).toMatchObject(opinion);
  });

  test.each(STATE_TYPES)('keeps a result that it completed with, whatever is said, from %s', (to) => {
    const opinion = NEVER.includes(to)
      ? ended
      : { type: 'REJECT', code: 'RESULT_KEPT', why: 'the run ended as Done, with a result' };
    expect(judge(withResult, to, { kind, reason: 'wrong data' })).toMatchObject(opinion);
  });
});

describe('a flow that completed with a result, and is to go on from one of its calls', () => {
  const again = { kind: 'flow', redo: true, claim: true } as const;
  test.each(['RUNNING', 'SCHEDULED'] as const)('becomes %s for somebody who says why', (to) => {
    expect(judge(withResult, to, { ...again, reason: 'so' })).toStrictEqual({ type: 'PASS', why: 'Done is left: so' });
    expect(judge(withResult, to, again)).toMatchObject({ code: 'RESULT_KEPT' });
  });
  test('does not become anything else', () => {
    for (const to of STATE_TYPES.filter((type) => type !== 'RUNNING' && type !== 'SCHEDULED')) {
      expect(judge(withResult, to, { ...again, reason: 'so' }).type).toBe('REJECT');
    }
  });
  test('is put back only where a worker finds it', () => {
    const known = { resume: { byWorker: false, used: 0 } };
    expect(judge(withResult, 'SCHEDULED', { ...again, reason: 'so' }, known)).toMatchObject({ code: 'NO_WORKER' });
  });
});

test('a long reason is cut in the trail', () => {
  const opinion = judge('FAILED', 'COMPLETED', { kind: 'flow', reason: 'x'.repeat(500) });
  expect(opinion).toStrictEqual({ type: 'PASS', why: `Failed is left: ${'x'.repeat(200)}` });
});

describe.each(ROOTS)('a %s', (kind) => {
  test.each(ENDS)('that is %s is resumed by a claim after a failure or a crash', (from) => {
    // That it ran in another execution is nothing to a run that has executions of its own.
    const known = { ran: { execution: 0, round: 0 } };
    const opinion = RESUMABLE.includes(from) ? { type: 'PASS' } : ended;
    expect(judge(from, 'RUNNING', { kind, claim: true }, known)).toMatchObject(opinion);
    expect(judge(from, 'RUNNING', { kind }, known)).toMatchObject(ended);
  });
  test('has no flow run, and is resumed all the same', () => {
    const { flow: _, ...known } = facts({ ran: { execution: 1, round: 0 } });
    const asked = transition('CRASHED', 'RUNNING', { kind, claim: true });
    expect(keepTerminalStates.judge(asked, known)).toStrictEqual({ type: 'PASS' });
  });
  test('is not completed by a claim', () => {
    expect(judge('FAILED', 'COMPLETED', { kind, claim: true })).toMatchObject(ended);
  });
  test('is put back only where a worker finds it', () => {
    const known = { resume: { byWorker: false, used: 0 } };
    expect(judge('FAILED', 'SCHEDULED', { kind, reason: 'so' }, known)).toMatchObject({ code: 'NO_WORKER' });
    expect(judge('FAILED', 'SCHEDULED', { kind }, known)).toMatchObject({ code: 'NO_WORKER' });
    expect(judge('FAILED', 'PENDING', { kind, reason: 'so' }, known)).toMatchObject({ type: 'PASS' });
    expect(judge('FAILED', 'SCHEDULED', { kind, reason: 'so' })).toMatchObject({ type: 'PASS' });
  });
});

describe.each(CALLS)('a %s that ran in execution 1, round 0', (kind) => {
  test.each([
    { execution: 1, round: 0, opinion: ended },
    { execution: 2, round: 0, opinion: { type: 'PASS' } },
    { execution: 1, round: 1, opinion: { type: 'PASS' } },
  ])('may be made again in execution $execution, round $round: $opinion', ({ execution, round, opinion }) => {
    const known = { execution: { current: execution, asked: execution }, flow: { type: 'RUNNING', round } } as const;
    expect(judge('CANCELLED', 'RUNNING', { kind }, known)).toMatchObject(opinion);
    for (const to of STATE_TYPES)
      if (to !== 'RUNNING') expect(judge('CANCELLED', to, { kind }, known)).toMatchObject(ended);
  });
  test('is not made again in the name of no execution, unless somebody says why', () => {
    const known = { execution: { current: 2 } };
    expect(judge('FAILED', 'RUNNING', { kind, by: 'engine' }, known)).toMatchObject(ended);
    expect(judge('FAILED', 'RUNNING', { kind, by: 'engine', reason: 'so' }, known)).toMatchObject({ type: 'PASS' });
  });
  test('that was cancelled keeps its evidence for nobody', () => {
    const cancelled: State = { type: 'CANCELLED', name: 'Cancelled', result: VALUE };
    expect(judge(cancelled, 'COMPLETED', { kind, reason: 'so' })).toMatchObject({ type: 'PASS' });
  });
  test('does not run again by a claim', () => {
    expect(judge('FAILED', 'RUNNING', { kind, claim: true })).toMatchObject(ended);
  });
  test('that is unknown to its execution may be made again', () => {
    const { flow: _, ...known } = facts();
    expect(keepTerminalStates.judge(transition('FAILED', 'RUNNING', { kind }), known)).toStrictEqual({ type: 'PASS' });
  });
  test('is put back whether or not a worker finds it', () => {
    const known = { resume: { byWorker: false, used: 0 } };
    expect(judge('FAILED', 'SCHEDULED', { kind, reason: 'so' }, known)).toMatchObject({ type: 'PASS' });
  });
});

describe('what another rule made of a call', () => {
  const other = { execution: { current: 2, asked: 2 } };
  test('is judged as what was asked for', () => {
    const kinds: readonly RunKind[] = CALLS;
    for (const kind of kinds) {
      expect(judge('FAILED', 'COMPLETED', { kind, asked: 'RUNNING' }, other)).toStrictEqual({ type: 'PASS' });
      expect(judge('FAILED', 'COMPLETED', { kind, asked: 'RUNNING' })).toMatchObject(ended);
      expect(judge('FAILED', 'RUNNING', { kind, asked: 'COMPLETED' }, other)).toMatchObject(ended);
    }
  });
  test('of a claim too', () => {
    expect(judge('CRASHED', 'COMPLETED', { kind: 'flow', claim: true, asked: 'RUNNING' })).toStrictEqual({
      type: 'PASS',
    });
  });
});
