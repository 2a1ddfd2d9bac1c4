/**
 * | kind             | wanted after the end                                          | opinion                              |
 * | ---------------- | ------------------------------------------------------------- | ------------------------------------ |
 * | any              | the very state that it is in (a reuse)                        | PASS                                 |
 * | any              | anything, as a report of what happened                        | REJECT ALREADY_ENDED                 |
 * | any              | CANCELLING, PAUSED, CRASHED                                   | REJECT ALREADY_ENDED                 |
 * | task, subflow    | RUNNING, in the name of a later execution or round            | PASS: the call is made again         |
 * | flow, background | RUNNING by a claim, after CRASHED or FAILED                   | PASS: it is resumed                  |
 * | any              | anything, after COMPLETED with a result, but for the next row | REJECT RESULT_KEPT                   |
 * | flow             | RUNNING, SCHEDULED from a call on, by somebody who says why   | PASS: that result is made anew       |
 * | flow, background | SCHEDULED, when no worker can find it                         | REJECT NO_WORKER                     |
 * | any              | reopening or correcting it, by somebody who says why          | PASS                                 |
 * | any              | anything else                                                 | REJECT ALREADY_ENDED                 |
 *
 * What another rule makes of a call is judged as what was asked for.
 * Prefect 3 lets a late report overwrite an end, and anybody reopen one in silence (docs/adr/0013).
 */
import { defineRule, pass, reject } from './rule.ts';
import { ANY_STATE, TERMINAL } from './state-sets.ts';
import type { StateType } from '../protocol/states.ts';

const NEVER_AFTER_THE_END: readonly StateType[] = ['CANCELLING', 'PAUSED', 'CRASHED'];

export const keepTerminalStates = defineRule({
  name: 'keep-terminal-states',
  summary: 'A run that has ended stays ended, unless it is resumed, called again, or somebody says why not.',
  on: ['flow', 'subflow', 'task', 'background'],
  from: TERMINAL,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran', 'resume'],
  may: ['reject'],
  judge: (
    { kind, from, to, asked = to.type, stays, claim, report, reason, redo },
    { execution, flow, ran, resume },
  ) => {
    if (from === undefined || stays === true) return pass();
    const ended = reject('ALREADY_ENDED', `the run ended as ${from.name}`);
    if (report || NEVER_AFTER_THE_END.includes(asked)) return ended;
    const isRoot = kind === 'flow' || kind === 'background';
    if (asked === 'RUNNING') {
      const isLater = ran?.execution !== execution.current || ran.round !== flow?.round;
      if (!isRoot && execution.asked !== undefined && isLater) return pass();
      if (isRoot && claim && (from.type === 'CRASHED' || from.type === 'FAILED')) return pass();
    }
    const isRedone = redo === true && reason !== undefined && (asked === 'RUNNING' || asked === 'SCHEDULED');
    if (from.type === 'COMPLETED' && from.result !== undefined && !isRedone) {
      return reject('RESULT_KEPT', `the run ended as ${from.name}, with a result`);
    }
    if (isRoot && asked === 'SCHEDULED' && !resume.byWorker) {
      return reject('NO_WORKER', 'no worker could find it: start it again where it was started');
    }
    return reason === undefined ? ended : pass(undefined, `${from.name} is left: ${reason.slice(0, 200)}`);
  },
});
