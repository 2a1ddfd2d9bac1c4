import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { stoppedFlowStartsNoTask } from '../../rules/stopped-flow-starts-no-task.ts';
import { facts, FROM_TYPES, testReach, transition } from './fixtures.ts';

testReach(stoppedFlowStartsNoTask, {
  on: ['task', 'subflow'],
  from: FROM_TYPES,
  to: ['SCHEDULED', 'PENDING', 'RUNNING'],
});

test.each(STATE_TYPES)('a call begins while its flow run is %s', (type) => {
  for (const to of ['SCHEDULED', 'PENDING', 'RUNNING'] as const) {
    const opinion = stoppedFlowStartsNoTask.judge(transition('NONE', to), facts({ flow: { type, round: 0 } }));
    if (type === 'RUNNING') expect(opinion).toEqual({ type: 'PASS' });
    else if (type === 'PAUSED') expect(opinion).toMatchObject({ type: 'HOLD', waits: { type: 'FLOW' } });
    else expect(opinion).toMatchObject({ type: 'REJECT', code: 'FLOW_NOT_RUNNING' });
  }
});

test('a call that has begun may be put off whatever its flow run is, but not run', () => {
  const known = facts({ flow: { type: 'CANCELLING', round: 0 } });
  expect(stoppedFlowStartsNoTask.judge(transition('RUNNING', 'SCHEDULED'), known)).toEqual({ type: 'PASS' });
  expect(stoppedFlowStartsNoTask.judge(transition('SCHEDULED', 'RUNNING'), known)).toMatchObject({ type: 'REJECT' });
});

test('a call of nobody does not start', () => {
  const { flow: _, ...known } = facts();
  expect(stoppedFlowStartsNoTask.judge(transition('NONE', 'RUNNING'), known)).toMatchObject({
    code: 'FLOW_NOT_RUNNING',
  });
});
