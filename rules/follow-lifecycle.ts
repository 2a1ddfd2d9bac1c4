/**
 * | from       | may go to                                                                      |
 * | ---------- | ------------------------------------------------------------------------------ |
 * | nothing    | SCHEDULED PENDING RUNNING                                                      |
 * | SCHEDULED  | SCHEDULED PENDING RUNNING CANCELLING and every end but COMPLETED               |
 * | PENDING    | SCHEDULED PENDING RUNNING CANCELLING and every end but COMPLETED               |
 * | RUNNING    | SCHEDULED PAUSED CANCELLING and every end; RUNNING in a later execution, round |
 * | PAUSED     | SCHEDULED RUNNING CANCELLING and every end                                     |
 * | CANCELLING | every end                                                                      |
 * | an end     | RUNNING, and itself (keep-terminal-states has seen to it)                      |
 *
 * RUNNING again in the same execution and round is a DUPLICATE, and so is CANCELLING twice. A flow run becomes RUNNING only by the
 * claim of a process, or, after a pause, by the word of the one that executes it: one in nobody's hands would run for ever.
 */
import type { StateType } from '../protocol/states.ts';
import { defineRule, pass, reject, type FromType } from './rule.ts';
import { ANY_STATE, FROM_ANY } from './state-sets.ts';

const ENDS: readonly StateType[] = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];
const BROKEN_ENDS: readonly StateType[] = ['FAILED', 'CRASHED', 'CANCELLED'];

export const SUCCESSORS: Readonly<Record<FromType, readonly StateType[]>> = {
  NONE: ['SCHEDULED', 'PENDING', 'RUNNING'],
  SCHEDULED: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...BROKEN_ENDS],
  PENDING: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...BROKEN_ENDS],
  RUNNING: ['SCHEDULED', 'RUNNING', 'PAUSED', 'CANCELLING', ...ENDS],
  PAUSED: ['SCHEDULED', 'RUNNING', 'CANCELLING', ...ENDS],
  CANCELLING: ENDS,
  COMPLETED: ['RUNNING', 'COMPLETED'],
  FAILED: ['RUNNING', 'FAILED'],
  CRASHED: ['RUNNING', 'CRASHED'],
  CANCELLED: ['RUNNING', 'CANCELLED'],
};

export const followLifecycle = defineRule({
  name: 'follow-lifecycle',
  summary: 'A run goes only from where it is to where that can lead.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran'],
  may: ['reject'],
  judge: ({ from, to, kind, claim }, { execution, flow, ran }) => {
    const fromType = from?.type ?? 'NONE';
    const again = fromType === to.type && (fromType === 'RUNNING' || fromType === 'CANCELLING');
    const sameTry = ran?.execution === execution.current && ran.round === flow?.round;
    if (again && (fromType === 'CANCELLING' || kind === 'flow' || sameTry)) {
      return reject('DUPLICATE', `the run is ${fromType} already`);
    }
    const executed = fromType === 'PAUSED' && execution.asked === execution.current;
    if (kind === 'flow' && to.type === 'RUNNING' && !claim && !executed) {
      return reject('NOT_IN_LIFECYCLE', 'a flow run starts by the claim of a process that executes it');
    }
    if (SUCCESSORS[fromType].includes(to.type)) return pass();
    return reject('NOT_IN_LIFECYCLE', `${fromType === 'NONE' ? 'a new run' : fromType} cannot become ${to.type}`);
  },
});
