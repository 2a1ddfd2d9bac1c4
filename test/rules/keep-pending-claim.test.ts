import { describe, expect, test } from 'vitest';
import { keepPendingClaim } from '../../rules/keep-pending-claim.ts';
import type { FromType, Opinion } from '../../rules/rule.ts';
import { facts, testReach, transition } from './fixtures.ts';

const FROM = ['PENDING', 'RUNNING', 'CANCELLING', 'CANCELLED'] as const;
testReach(keepPendingClaim, { on: ['flow', 'subflow', 'background'], from: FROM, to: ['PENDING'] });

const judge = (from: FromType | { type: 'PENDING'; name: string }, name: string, by = 'sdk'): Opinion =>
  keepPendingClaim.judge(transition(from, { type: 'PENDING', name }, { kind: 'flow', by }), facts());
const refused = { type: 'REJECT', code: 'ALREADY_PENDING' };

test.each(FROM)('a run that is %s is not another worker’s', (from) => {
  expect(judge(from, 'Pending')).toMatchObject(refused);
});

describe('a run that somebody has taken', () => {
  test('is dispatched again by the clock, when nobody began it', () => {
    expect(judge('PENDING', 'Pending', 'engine')).toStrictEqual({ type: 'PASS' });
  });
  test.each([
    { had: 'Pending', name: 'Submitting', opinion: 'PASS' },
    { had: 'Submitting', name: 'InfrastructurePending', opinion: 'PASS' },
    { had: 'Submitting', name: 'Submitting', opinion: 'REJECT' },
    { had: 'Submitting', name: 'Pending', opinion: 'REJECT' },
    { had: 'Pending', name: 'Pending', opinion: 'REJECT' },
  ])('and is $had may be said to be $name: $opinion', ({ had, name, opinion }) => {
    expect(judge({ type: 'PENDING', name: had }, name).type).toBe(opinion);
  });
  test('is refused with the words of where it is', () => {
    expect(judge({ type: 'PENDING', name: 'Submitting' }, 'Pending')).toMatchObject({
      why: 'the run is Submitting already',
    });
  });
});

test.each(['RUNNING', 'CANCELLING', 'CANCELLED'] as const)(
  'a run that is %s is past that, whatever it is called and whoever asks',
  (from) => {
    expect(judge(from, 'Submitting')).toMatchObject(refused);
    expect(judge(from, 'Pending', 'engine')).toMatchObject(refused);
  },
);
