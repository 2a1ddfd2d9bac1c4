/**
 * | the enclosing flow run is | opinion                                       |
 * | ------------------------- | --------------------------------------------- |
 * | RUNNING                   | PASS                                          |
 * | PAUSED                    | HOLD until it moves                           |
 * | CANCELLING                | PASS, if the call undoes what was done        |
 * | anything else             | REJECT FLOW_NOT_RUNNING                       |
 *
 * It governs every way to begin, and to begin again, not only RUNNING: a call that is put under a flow run that has ended
 * would never end.
 */
import { isTerminal } from '../protocol/states.ts';
import { defineRule, hold, pass, reject } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const stoppedFlowStartsNoTask = defineRule({
  name: 'stopped-flow-starts-no-task',
  summary: 'Only a running flow run starts tasks and flow runs of its own.',
  on: ['task', 'subflow'],
  from: FROM_ANY,
  to: ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'],
  needs: ['flow', 'cleanup'],
  may: ['reject', 'hold'],
  judge: ({ from, to }, { flow, cleanup }) => {
    const begins = from === undefined || isTerminal(from) || to.type === 'RUNNING';
    if (!begins) return pass();
    if (flow?.type === 'RUNNING') return pass();
    if (flow?.type === 'CANCELLING' && cleanup === true) return pass();
    if (flow?.type === 'PAUSED') return hold({ type: 'FLOW' }, 'the flow run is paused');
    return reject('FLOW_NOT_RUNNING', flow === undefined ? 'its flow run is unknown' : `its flow run is ${flow.type}`);
  },
});
