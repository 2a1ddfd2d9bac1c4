import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { rejectStaleWishes } from '../../rules/reject-stale-wishes.ts';
import { facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(rejectStaleWishes, { on: RUN_KINDS, from: FROM_TYPES, to: STATE_TYPES });

test.each([
  { basedOn: undefined, opinion: 'PASS' },
  { basedOn: 3, opinion: 'PASS' },
  { basedOn: 2, opinion: 'REJECT' },
  { basedOn: 4, opinion: 'REJECT' },
])('at version 3, a wish based on $basedOn gets $opinion', ({ basedOn, opinion }) => {
  const version = { current: 3, ...(basedOn === undefined ? {} : { basedOn }) };
  const got = rejectStaleWishes.judge(transition('RUNNING', 'CANCELLING'), facts({ version }));
  expect(got.type).toBe(opinion);
  if (got.type === 'REJECT') expect(got.code).toBe('STALE');
});
