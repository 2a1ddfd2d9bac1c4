/**
 * | kind          | wanted after the end                                 | opinion                                     |
 * | ------------- | ---------------------------------------------------- | ------------------------------------------- |
 * | any           | the very state that it is in (a reuse)               | PASS                                        |
 * | flow          | RUNNING by a claim, after CRASHED or FAILED          | PASS: it is resumed                         |
 * | task, subflow | RUNNING, by a later execution or round of its flow   | PASS: the call is made again                |
 * | any           | anything else                                        | REJECT ALREADY_ENDED: the first end stands  |
 */
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, TERMINAL } from './state-sets.ts';

export const keepTerminalStates = defineRule({
  name: 'keep-terminal-states',
  summary: 'A run that has ended stays ended, unless it is resumed or its flow run calls it again.',
  on: ['flow', 'subflow', 'task'],
  from: TERMINAL,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran'],
  may: ['reject'],
  judge: ({ kind, from, to, stays, claim, report }, { execution, flow, ran }) => {
    if (from === undefined || stays) return pass();
    if (kind === 'flow') {
      if (to.type === 'RUNNING' && claim && (from.type === 'CRASHED' || from.type === 'FAILED')) return pass();
    } else if (to.type === 'RUNNING' && !report) {
      if (ran?.execution !== execution.current || ran.round !== flow?.round) return pass();
    }
    return reject('ALREADY_ENDED', `the run ended as ${from.name}`);
  },
});
