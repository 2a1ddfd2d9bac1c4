/**
 * | kind             | from           | to                                                          | opinion                 |
 * | ---------------- | -------------- | ----------------------------------------------------------- | ----------------------- |
 * | any              | CANCELLING     | CANCELLING                                                  | REJECT DUPLICATE        |
 * | flow, background | RUNNING        | RUNNING                                                     | REJECT DUPLICATE        |
 * | task, subflow    | RUNNING        | RUNNING, in the same execution and round of its flow        | REJECT DUPLICATE        |
 * | any              | CANCELLING     | anything but an end                                         | REJECT NOT_IN_LIFECYCLE |
 * | flow, background | PAUSED, alive  | RUNNING                                                     | PASS                    |
 * | flow, background | anything else  | RUNNING, without the claim of a process                     | REJECT NOT_IN_LIFECYCLE |
 * | subflow          | PAUSED, alive  | RUNNING                                                     | PASS                    |
 * | subflow          | anything else  | RUNNING, in the name of no execution                        | REJECT NOT_IN_LIFECYCLE |
 * | any              | anything else  | anything else                                               | PASS                    |
 *
 * Ends keep themselves (keep-terminal-states). A flow run in nobody's hands would be RUNNING for ever; one that is paused
 * and not suspended is alive in its process's hands, and goes on by anybody's word.
 */
import { isTerminal } from '../protocol/states.ts';
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, FROM_ANY } from './state-sets.ts';

export const followLifecycle = defineRule({
  name: 'follow-lifecycle',
  summary: 'A run goes only from where it is to where that can lead.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran'],
  may: ['reject'],
  judge: ({ from, to, kind, claim }, { execution, flow, ran }) => {
    const isRoot = kind === 'flow' || kind === 'background';
    const sameTry = ran?.execution === execution.current && ran.round === flow?.round;
    const again = from?.type === to.type && (to.type === 'RUNNING' || to.type === 'CANCELLING');
    if (again && (to.type === 'CANCELLING' || isRoot || sameTry)) {
      return reject('DUPLICATE', `the run is ${to.type} already`);
    }
    if (from?.type === 'CANCELLING' && !isTerminal(to)) {
      return reject('NOT_IN_LIFECYCLE', `CANCELLING cannot become ${to.type}`);
    }
    const waitsInProcess = from?.type === 'PAUSED' && from.suspended !== true;
    if (isRoot && to.type === 'RUNNING' && !claim && !waitsInProcess) {
      return reject('NOT_IN_LIFECYCLE', 'it starts by the claim of a process that executes it');
    }
    if (kind === 'subflow' && to.type === 'RUNNING' && execution.asked === undefined && !waitsInProcess) {
      return reject('NOT_IN_LIFECYCLE', 'it starts by the process that executes its flow run');
    }
    return pass();
  },
});
