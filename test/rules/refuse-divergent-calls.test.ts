import { describe, expect, test } from 'vitest';
import type { Digest, RunId } from '../../protocol/ids.ts';
import { refuseDivergentCalls } from '../../rules/refuse-divergent-calls.ts';
import type { Facts, FromType, Opinion } from '../../rules/rule.ts';
import { facts, FROM_TYPES, testReach, transition } from './fixtures.ts';

testReach(refuseDivergentCalls, {
  on: ['task', 'subflow'],
  from: FROM_TYPES,
  to: ['SCHEDULED', 'PENDING', 'RUNNING'],
});

const ONE = 'a'.repeat(64) as Digest;
const OTHER = 'b'.repeat(64) as Digest;
const expected = { run: 'flow.charge-1' as RunId, key: 'charge' };

const judge = (call: Facts['call'], from: FromType = 'NONE'): Opinion =>
  refuseDivergentCalls.judge(transition(from, 'RUNNING'), facts(call === undefined ? {} : { call }));

test('of which nothing is known but what it is, a call passes', () => {
  expect(judge(undefined)).toStrictEqual({ type: 'PASS' });
  expect(judge({ key: 'work', inputs: ONE })).toStrictEqual({ type: 'PASS' });
});

describe.each(FROM_TYPES)('a call with a key of its own that is %s', (from) => {
  test('passes with the inputs that it had before', () => {
    expect(judge({ key: 'k', inputs: ONE, recorded: { inputs: ONE } }, from)).toStrictEqual({ type: 'PASS' });
    expect(judge({ key: 'k', recorded: {} }, from)).toStrictEqual({ type: 'PASS' });
  });

  test.each([
    { now: OTHER, before: ONE, why: 'with inputs aaaaaaaaaaaa, and is made now with inputs bbbbbbbbbbbb' },
    { now: undefined, before: ONE, why: 'with inputs aaaaaaaaaaaa, and is made now with inputs without a digest' },
    { now: OTHER, before: undefined, why: 'with inputs without a digest, and is made now with inputs bbbbbbbbbbbb' },
  ])('is refused with others: $why', ({ now, before, why }) => {
    const call = {
      key: 'k',
      ...(now === undefined ? {} : { inputs: now }),
      recorded: before === undefined ? {} : { inputs: before },
    };
    expect(judge(call, from)).toStrictEqual({ type: 'REJECT', code: 'DIVERGED', why: `call 'k' was made ${why}` });
  });
});

test('made for the first time, in place of one that was expected, it is refused', () => {
  expect(judge({ key: 'refund', inputs: ONE, expected })).toStrictEqual({
    type: 'REJECT',
    code: 'DIVERGED',
    why: "expected was call 'charge' (flow.charge-1), as before; made was a new call, 'refund'",
  });
});
