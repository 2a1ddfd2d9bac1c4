/**
 * | the call                                            | opinion                                            |
 * | --------------------------------------------------- | -------------------------------------------------- |
 * | was to begin, and ends with the message it received | PASS, and CLAIM the message: nobody else has it    |
 * | anything else                                       | PASS                                               |
 */
import { defineRule, pass } from './rule.ts';
import { RECEIVED } from './receive-message.ts';
import { FROM_ANY } from './state-sets.ts';

export const takeReceivedMessage = defineRule({
  name: 'take-received-message',
  summary: 'What a call has received leaves its mailbox.',
  on: ['task'],
  from: FROM_ANY,
  to: ['COMPLETED'],
  needs: ['message'],
  may: [],
  judge: ({ to, asked, stays }, { message }) => {
    // A call that has completed before is answered with what it received then.
    const isReceived = asked === 'RUNNING' && to.name === RECEIVED && stays !== true;
    if (!isReceived || message?.first === undefined) return pass();
    return pass([{ type: 'MESSAGE', mailbox: message.mailbox, id: message.first.id }]);
  },
});
