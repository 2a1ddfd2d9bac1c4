/**
 * | the call waits for a message, and | until               | opinion                                                 |
 * | --------------------------------- | ------------------- | ------------------------------------------------------- |
 * | does not: it has code to run      | -                   | PASS                                                    |
 * | one is there                      | any                 | REWRITE to COMPLETED `Received`, with what it says      |
 * | none is there                     | now, or earlier     | REWRITE to FAILED `TimedOut`: another try would be late |
 * | none is there                     | later, or for ever  | HOLD until one comes, or the time is over               |
 *
 * The message leaves its mailbox with the ruling: take-received-message claims it.
 */
import { defineRule, hold, pass, rewrite } from './rule.ts';
import { FROM_ANY } from './state-sets.ts';

export const RECEIVED = 'Received';

export const receiveMessage = defineRule({
  name: 'receive-message',
  summary: 'A call that waits for a message or an event ends with it, or when its time is over.',
  on: ['task'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['message'],
  may: ['rewrite', 'hold'],
  judge: (_, { message, nowMs }) => {
    if (message === undefined) return pass();
    const { mailbox, topic, untilMs, first } = message;
    if (first !== undefined) {
      const { id, value } = first;
      return rewrite(
        { type: 'COMPLETED', name: RECEIVED, ...(value === undefined ? {} : { result: value }) },
        `the message of ruling ${id} was there for it`,
      );
    }
    if (untilMs !== undefined && untilMs <= nowMs) {
      return rewrite(
        { type: 'FAILED', name: 'TimedOut', message: 'nothing came in time', retriable: false },
        'the time that it waits for is over',
      );
    }
    const until = untilMs === undefined ? {} : { untilMs };
    const heard = topic === undefined ? {} : { topic };
    return hold({ type: 'MESSAGE', mailbox, ...heard, ...until }, 'nothing has come for it yet');
  },
});
