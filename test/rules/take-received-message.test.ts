import { expect, test } from 'vitest';
import { STATE_TYPES, type State } from '../../protocol/states.ts';
import { takeReceivedMessage } from '../../rules/take-received-message.ts';
import { facts, FROM_TYPES, stateOf, testReach, transition } from './fixtures.ts';

testReach(takeReceivedMessage, { on: ['task'], from: ['NONE', ...STATE_TYPES], to: ['COMPLETED'] });

const mailbox = 'flow message:approved';
const known = facts({ message: { mailbox, first: { id: '7/2' } } });
const received: State = { type: 'COMPLETED', name: 'Received' };

test.each(FROM_TYPES)(
  'from %s, a call that was to begin and ends with its message takes it out of the mailbox',
  (from) => {
    expect(takeReceivedMessage.judge(transition(from, received, { asked: 'RUNNING' }), known)).toStrictEqual({
      type: 'PASS',
      claims: [{ type: 'MESSAGE', mailbox, id: '7/2' }],
    });
  },
);

test.each([
  ['has received its message before', transition(received, received, { asked: 'RUNNING', stays: true }), known],
  ['was asked to complete', transition('RUNNING', received), known],
  ['completes with what is kept', transition('NONE', stateOf('COMPLETED'), { asked: 'RUNNING' }), known],
  ['waits for no message', transition('NONE', received, { asked: 'RUNNING' }), facts()],
] as const)('a call that %s takes nothing', (_, asked, about) => {
  expect(takeReceivedMessage.judge(asked, about)).toStrictEqual({ type: 'PASS' });
});
