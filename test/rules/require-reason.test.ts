import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { requireReason } from '../../rules/require-reason.ts';
import { facts, FROM_TYPES, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(requireReason, { on: RUN_KINDS, from: FROM_TYPES, to: STATE_TYPES });

test.each([
  { reason: 'the vendor confirmed it', opinion: { type: 'PASS' } },
  { reason: undefined, opinion: { type: 'REJECT', code: 'REASON_NEEDED' } },
  { reason: '', opinion: { type: 'REJECT', code: 'REASON_NEEDED' } },
  { reason: ' \n', opinion: { type: 'REJECT', code: 'REASON_NEEDED' } },
])('an override with the reason "$reason": $opinion', ({ reason, opinion }) => {
  const asked = transition('FAILED', 'COMPLETED', { forced: true, ...(reason === undefined ? {} : { reason }) });
  expect(requireReason.judge(asked, facts())).toMatchObject(opinion);
});
