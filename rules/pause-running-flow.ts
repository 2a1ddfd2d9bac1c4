/**
 * | the flow run                                  | opinion                                                     |
 * | --------------------------------------------- | ----------------------------------------------------------- |
 * | is not RUNNING                                | REJECT NOT_RUNNING                                          |
 * | has paused with this key in this attempt      | REJECT PAUSE_FIRED: that pause is over, go on               |
 * | is to be suspended, and no worker can find it | REJECT NO_WORKER: nobody could go on with it                |
 * | is a subflow, and is to be suspended          | REJECT NO_WORKER: it has no process of its own              |
 * | is paused, and its process died               | PASS: resume-crashed-flow has suspended it                  |
 * | anything else                                 | PASS                                                        |
 */
import { defineRule, pass, reject } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const pauseRunningFlow = defineRule({
  name: 'pause-running-flow',
  summary: 'Only a running flow run can be paused, each of its pauses fires once an attempt.',
  on: ['flow', 'subflow'],
  from: FROM_ANY,
  to: ['PAUSED'],
  needs: ['pauses', 'resume'],
  may: ['reject'],
  judge: ({ from, to, kind, asked }, { pauses, resume }) => {
    if (to.type !== 'PAUSED' || asked === 'CRASHED') return pass();
    const what = to.suspended === true ? 'suspended' : 'paused';
    if (from?.type !== 'RUNNING') return reject('NOT_RUNNING', `only a running flow run can be ${what}`);
    if (to.key !== undefined && pauses.includes(to.key)) {
      return reject('PAUSE_FIRED', `the pause '${to.key}' has fired in this attempt`);
    }
    if (to.suspended === true && kind === 'subflow') {
      return reject('NO_WORKER', 'a subflow has no process of its own that could end: suspend the flow run at the top');
    }
    if (to.suspended === true && !resume.byWorker) {
      return reject('NO_WORKER', 'no worker could find it to go on with it: pause it instead, or serve the flow');
    }
    return pass();
  },
});
