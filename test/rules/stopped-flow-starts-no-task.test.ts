import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { stoppedFlowStartsNoTask } from '../../rules/stopped-flow-starts-no-task.ts';
import { ENDS, facts, FROM_TYPES, testReach, transition } from './fixtures.ts';

const BEGINNINGS = ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'] as const;
testReach(stoppedFlowStartsNoTask, {
  on: ['task', 'subflow'],
  from: FROM_TYPES,
  to: BEGINNINGS,
});

describe.each(['NONE', ...ENDS] as const)('a call that is %s', (from) => {
  test.each(STATE_TYPES)('begins while its flow run is %s', (type) => {
    for (const to of BEGINNINGS) {
      const opinion = stoppedFlowStartsNoTask.judge(transition(from, to), facts({ flow: { type, round: 0 } }));
      if (type === 'RUNNING') expect(opinion).toStrictEqual({ type: 'PASS' });
      else if (type === 'PAUSED') expect(opinion).toMatchObject({ type: 'HOLD', waits: { type: 'FLOW' } });
      else expect(opinion).toMatchObject({ code: 'FLOW_NOT_RUNNING', why: `its flow run is ${type}` });
    }
  });
});

test.each(['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING'] as const)(
  'a call that has begun and is %s may be put off whatever its flow run is, but not run',
  (from) => {
    const known = facts({ flow: { type: 'CANCELLING', round: 0 } });
    for (const to of BEGINNINGS) {
      const opinion = stoppedFlowStartsNoTask.judge(transition(from, to), known);
      expect(opinion.type).toBe(to === 'RUNNING' ? 'REJECT' : 'PASS');
    }
  },
);

test.each(['NONE', ...ENDS] as const)(
  'a call that is %s and undoes what was done begins while it is cancelled too',
  (from) => {
    for (const type of STATE_TYPES) {
      for (const to of BEGINNINGS) {
        const known = facts({ flow: { type, round: 0 }, cleanup: true });
        const opinion = stoppedFlowStartsNoTask.judge(transition(from, to), known).type;
        const isLet = type === 'RUNNING' || type === 'CANCELLING';
        expect(opinion).toBe(isLet ? 'PASS' : type === 'PAUSED' ? 'HOLD' : 'REJECT');
      }
    }
  },
);

test('a call of nobody does not start', () => {
  const { flow: _, ...known } = facts();
  expect(stoppedFlowStartsNoTask.judge(transition('NONE', 'RUNNING'), known)).toMatchObject({
    code: 'FLOW_NOT_RUNNING',
    why: 'its flow run is unknown',
  });
});
