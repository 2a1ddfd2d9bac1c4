import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { followLifecycle } from '../../rules/follow-lifecycle.ts';
import { facts, FROM_TYPES, testReach, transition } from './fixtures.ts';

testReach(followLifecycle, { on: ['flow', 'subflow', 'task'], from: FROM_TYPES, to: STATE_TYPES });

// All 90 pairs. The table is asked for its pairs, not for its answers: those are written out here.
const MAY: readonly string[] = [
  'NONE>SCHEDULED NONE>PENDING NONE>RUNNING',
  'SCHEDULED>SCHEDULED SCHEDULED>PENDING SCHEDULED>RUNNING SCHEDULED>CANCELLING',
  'SCHEDULED>FAILED SCHEDULED>CRASHED SCHEDULED>CANCELLED',
  'PENDING>SCHEDULED PENDING>PENDING PENDING>RUNNING PENDING>CANCELLING',
  'PENDING>FAILED PENDING>CRASHED PENDING>CANCELLED',
  'RUNNING>SCHEDULED RUNNING>RUNNING RUNNING>PAUSED RUNNING>CANCELLING',
  'RUNNING>COMPLETED RUNNING>FAILED RUNNING>CRASHED RUNNING>CANCELLED',
  'PAUSED>SCHEDULED PAUSED>RUNNING PAUSED>CANCELLING',
  'PAUSED>COMPLETED PAUSED>FAILED PAUSED>CRASHED PAUSED>CANCELLED',
  'CANCELLING>COMPLETED CANCELLING>FAILED CANCELLING>CRASHED CANCELLING>CANCELLED',
  'COMPLETED>RUNNING COMPLETED>COMPLETED',
  'FAILED>RUNNING FAILED>FAILED',
  'CRASHED>RUNNING CRASHED>CRASHED',
  'CANCELLED>RUNNING CANCELLED>CANCELLED',
].flatMap((line) => line.split(' '));

const pairs = FROM_TYPES.flatMap((from) => STATE_TYPES.map((to) => ({ from, to })));

test.each(pairs)('a task in a later execution, from $from to $to', ({ from, to }) => {
  const known = facts({ execution: { current: 2, asked: 2 }, ran: { execution: 1, round: 0 } });
  const opinion = followLifecycle.judge(transition(from, to), known);
  if (MAY.includes(`${from}>${to}`)) expect(opinion).toEqual({ type: 'PASS' });
  else if (from === 'CANCELLING' && to === 'CANCELLING') expect(opinion).toMatchObject({ code: 'DUPLICATE' });
  else expect(opinion).toMatchObject({ type: 'REJECT', code: 'NOT_IN_LIFECYCLE' });
});

describe('RUNNING once more', () => {
  const judge = (kind: 'flow' | 'subflow' | 'task', ran: number | undefined): unknown =>
    followLifecycle.judge(
      transition('RUNNING', 'RUNNING', { kind }),
      facts({
        execution: { current: 2, asked: 2 },
        ...(ran === undefined ? {} : { ran: { execution: ran, round: 0 } }),
      }),
    );

  test.each(['subflow', 'task'] as const)('a %s in the same execution is a duplicate', (kind) => {
    expect(judge(kind, 2)).toMatchObject({ type: 'REJECT', code: 'DUPLICATE' });
  });
  test.each(['subflow', 'task'] as const)('a %s in a later execution may', (kind) => {
    expect(judge(kind, 1)).toEqual({ type: 'PASS' });
  });
  test('a flow may not: whoever executes it must end, or be declared dead, first', () => {
    expect(judge('flow', undefined)).toMatchObject({ type: 'REJECT', code: 'DUPLICATE' });
  });
});

test.each(['flow', 'subflow', 'task'] as const)('cancelling a %s twice is a duplicate', (kind) => {
  expect(followLifecycle.judge(transition('CANCELLING', 'CANCELLING', { kind }), facts())).toMatchObject({
    type: 'REJECT',
    code: 'DUPLICATE',
  });
});

describe('a flow run starts', () => {
  const judge = (from: 'PENDING' | 'PAUSED', claim: boolean, execution: { current: number; asked?: number }): unknown =>
    followLifecycle.judge(transition(from, 'RUNNING', { kind: 'flow', claim }), facts({ execution }));

  test('by the claim of a process', () => {
    expect(judge('PENDING', true, { current: 0 })).toEqual({ type: 'PASS' });
    expect(judge('PAUSED', true, { current: 1 })).toEqual({ type: 'PASS' });
  });
  test('after a pause, by the word of the process that executes it', () => {
    expect(judge('PAUSED', false, { current: 2, asked: 2 })).toEqual({ type: 'PASS' });
    expect(judge('PAUSED', false, { current: 2 })).toMatchObject({ code: 'NOT_IN_LIFECYCLE' });
  });
  test('otherwise by nobody’s word, not even that of the execution that is current, for it may be in nobody’s hands', () => {
    expect(judge('PENDING', false, { current: 2, asked: 2 })).toMatchObject({ code: 'NOT_IN_LIFECYCLE' });
    expect(judge('PENDING', false, { current: 0, asked: 0 })).toMatchObject({ code: 'NOT_IN_LIFECYCLE' });
  });
});
