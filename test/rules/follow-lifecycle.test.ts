import { describe, expect, test } from 'vitest';
import { STATE_TYPES, type State } from '../../protocol/states.ts';
import { followLifecycle } from '../../rules/follow-lifecycle.ts';
import type { Facts, FromType, Opinion, RunKind, Transition } from '../../rules/rule.ts';
import { ENDS, facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(followLifecycle, { on: RUN_KINDS, from: FROM_TYPES, to: STATE_TYPES });

const pairs = FROM_TYPES.flatMap((from) => STATE_TYPES.map((to) => ({ from, to })));
const ROOTS = ['flow', 'background'] as const;
const CALLS = ['task', 'subflow'] as const;
/** A call that ran in an earlier execution. */
const later = facts({ execution: { current: 2, asked: 2 }, ran: { execution: 1, round: 0 } });

const judge = (kind: RunKind, from: FromType | State, to: Transition['to']['type'], claim = false): Opinion =>
  followLifecycle.judge(transition(from, to, { kind, claim }), later);
const duplicate = { type: 'REJECT', code: 'DUPLICATE' };
const noStep = { type: 'REJECT', code: 'NOT_IN_LIFECYCLE' };

// All 90 pairs for each kind, a claim with it.
describe.each(RUN_KINDS)('a %s, by a claim', (kind) => {
  test.each(pairs)('from $from to $to', ({ from, to }) => {
    const isRoot = kind === 'flow' || kind === 'background';
    const opinion = judge(kind, from, to, true);
    if (from === 'CANCELLING' && to === 'CANCELLING') expect(opinion).toMatchObject(duplicate);
    else if (isRoot && from === 'RUNNING' && to === 'RUNNING') expect(opinion).toMatchObject(duplicate);
    else if (from === 'CANCELLING' && !ENDS.includes(to)) expect(opinion).toMatchObject(noStep);
    else expect(opinion).toStrictEqual({ type: 'PASS' });
  });
});

describe('RUNNING once more', () => {
  const again = (kind: RunKind, ran: Facts['ran'], round = 0): Opinion =>
    followLifecycle.judge(
      transition('RUNNING', 'RUNNING', { kind, claim: true }),
      facts({
        execution: { current: 2, asked: 2 },
        flow: { type: 'RUNNING', round },
        ...(ran === undefined ? {} : { ran }),
      }),
    );

  test.each(CALLS)('a %s in the same execution and round is a duplicate', (kind) => {
    expect(again(kind, { execution: 2, round: 0 })).toMatchObject({ ...duplicate, why: 'the run is RUNNING already' });
  });
  test.each(CALLS)('a %s in a later execution or round may', (kind) => {
    expect(again(kind, { execution: 1, round: 0 })).toStrictEqual({ type: 'PASS' });
    expect(again(kind, { execution: 2, round: 0 }, 1)).toStrictEqual({ type: 'PASS' });
    expect(again(kind, undefined)).toStrictEqual({ type: 'PASS' });
  });
  test.each(CALLS)('a %s whose flow run is unknown may: its round is another', (kind) => {
    const { flow: _, ...known } = facts({ ran: { execution: 1, round: 0 } });
    expect(followLifecycle.judge(transition('RUNNING', 'RUNNING', { kind }), known)).toStrictEqual({ type: 'PASS' });
  });
  test.each(ROOTS)('a %s may not: whoever executes it must end, or be declared dead, first', (kind) => {
    expect(again(kind, { execution: 1, round: 0 })).toMatchObject(duplicate);
    expect(again(kind, undefined)).toMatchObject(duplicate);
  });
  test.each(CALLS)('a %s that is not RUNNING may in the same execution: it waited for its retry', (kind) => {
    const known = facts({ ran: { execution: 1, round: 0 } });
    expect(followLifecycle.judge(transition('SCHEDULED', 'RUNNING', { kind }), known)).toStrictEqual({ type: 'PASS' });
  });
});

test('the same state once more is a duplicate of nothing else', () => {
  for (const type of STATE_TYPES) {
    if (type === 'RUNNING' || type === 'CANCELLING') continue;
    const known = facts({ ran: { execution: 1, round: 0 } });
    expect(followLifecycle.judge(transition(type, type, { kind: 'task' }), known)).toStrictEqual({ type: 'PASS' });
  }
});

describe.each(ROOTS)('a %s starts', (kind) => {
  test.each(FROM_TYPES.filter((from) => !['RUNNING', 'CANCELLING', 'PAUSED'].includes(from)))(
    'from %s by the claim of a process, and by nobody’s word',
    (from) => {
      expect(judge(kind, from, 'RUNNING', true)).toStrictEqual({ type: 'PASS' });
      expect(judge(kind, from, 'RUNNING')).toMatchObject(noStep);
    },
  );
  test('after a pause by anybody’s word, because its process waits', () => {
    expect(judge(kind, 'PAUSED', 'RUNNING')).toStrictEqual({ type: 'PASS' });
  });
  test('after it was suspended by a claim, because its process is gone', () => {
    const suspended: State = { type: 'PAUSED', name: 'Suspended', suspended: true };
    expect(judge(kind, suspended, 'RUNNING')).toMatchObject(noStep);
    expect(judge(kind, suspended, 'RUNNING', true)).toStrictEqual({ type: 'PASS' });
  });
  test('and takes any other step without a claim', () => {
    for (const to of STATE_TYPES)
      if (to !== 'RUNNING') expect(judge(kind, 'PENDING', to)).toStrictEqual({ type: 'PASS' });
  });
});

test.each(CALLS)('a %s is run by its flow run, which claims nothing for it', (kind) => {
  expect(judge(kind, 'NONE', 'RUNNING')).toStrictEqual({ type: 'PASS' });
});
