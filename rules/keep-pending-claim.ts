/**
 * | from                         | wanted                                 | opinion                                          |
 * | ---------------------------- | -------------------------------------- | ------------------------------------------------ |
 * | PENDING                      | PENDING, by the engine's own clock     | PASS: nobody took it, it is dispatched again     |
 * | PENDING                      | another name than its own or `Pending` | PASS: whoever took it says how far it is         |
 * | PENDING                      | PENDING                                | REJECT ALREADY_PENDING: another worker has it    |
 * | RUNNING CANCELLING CANCELLED | PENDING                                | REJECT ALREADY_PENDING: it is past that          |
 */
import { defineRule, pass, reject } from './rule.ts';

export const keepPendingClaim = defineRule({
  name: 'keep-pending-claim',
  summary: 'Of several workers that want the same run, the first has it.',
  on: ['flow', 'subflow', 'background'],
  from: ['PENDING', 'RUNNING', 'CANCELLING', 'CANCELLED'],
  to: ['PENDING'],
  needs: [],
  may: ['reject'],
  judge: ({ from, to, by }) => {
    if (from?.type === 'PENDING') {
      if (by === 'engine') return pass();
      if (to.name !== from.name && to.name !== 'Pending') return pass();
    }
    return reject('ALREADY_PENDING', `the run is ${from?.name ?? 'not there'} already`);
  },
});
