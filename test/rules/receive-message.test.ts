import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { receiveMessage } from '../../rules/receive-message.ts';
import { at, facts, FROM_TYPES, NOW_MS, testReach, transition, VALUE } from './fixtures.ts';

testReach(receiveMessage, { on: ['task'], from: ['NONE', ...STATE_TYPES], to: ['RUNNING'] });

const mailbox = 'flow message:approved';

test('a call with code of its own is none of its business', () => {
  expect(receiveMessage.judge(transition('NONE', 'RUNNING'), facts())).toStrictEqual({ type: 'PASS' });
});

describe.each(FROM_TYPES)('from %s', (from) => {
  const asked = transition(from, 'RUNNING');

  test.each([{}, { untilMs: at(NOW_MS - 1) }, { untilMs: at(NOW_MS + 1) }])(
    'the message that is there ends it, in time or not: %o',
    (until) => {
      const known = facts({ message: { mailbox, ...until, first: { id: '7/2', value: VALUE } } });
      expect(receiveMessage.judge(asked, known)).toStrictEqual({
        type: 'REWRITE',
        to: { type: 'COMPLETED', name: 'Received', result: VALUE },
        why: 'the message of ruling 7/2 was there for it',
      });
    },
  );

  test('a message that says nothing is one too', () => {
    const known = facts({ message: { mailbox, first: { id: '7/2' } } });
    expect(receiveMessage.judge(asked, known)).toMatchObject({ to: { type: 'COMPLETED', name: 'Received' } });
  });

  test.each([NOW_MS, at(NOW_MS - 1)])('at %i its time is over, and another try would be late as well', (untilMs) => {
    expect(receiveMessage.judge(asked, facts({ message: { mailbox, untilMs } }))).toStrictEqual({
      type: 'REWRITE',
      to: { type: 'FAILED', name: 'TimedOut', message: 'nothing came in time', retriable: false },
      why: 'the time that it waits for is over',
    });
  });

  test.each([{}, { untilMs: at(NOW_MS + 1) }, { topic: 'paid[7]' }])('it waits for what has not come: %o', (more) => {
    expect(receiveMessage.judge(asked, facts({ message: { mailbox, ...more } }))).toStrictEqual({
      type: 'HOLD',
      waits: { type: 'MESSAGE', mailbox, ...more },
      why: 'nothing has come for it yet',
    });
  });
});
