import { expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { finishCancelling } from '../../rules/finish-cancelling.ts';
import { facts, RUN_KINDS, testReach, transition } from './fixtures.ts';

testReach(finishCancelling, {
  on: RUN_KINDS,
  from: ['CANCELLING'],
  to: ['FAILED', 'COMPLETED', 'CRASHED'],
});

const value = { digest: 'd'.repeat(64), size: 1, inline: '1' } as unknown as Value;

test.each<{ reported: State; kept: object }>([
  { reported: { type: 'COMPLETED', name: 'Completed', result: value }, kept: { result: value } },
  { reported: { type: 'COMPLETED', name: 'Completed' }, kept: {} },
  { reported: { type: 'FAILED', name: 'Failed', error: value, retriable: true }, kept: { error: value } },
  { reported: { type: 'FAILED', name: 'Failed' }, kept: {} },
  { reported: { type: 'CRASHED', name: 'Crashed', error: value }, kept: { error: value } },
])('a run that is being cancelled and reports $reported.type is cancelled; evidence: $kept', ({ reported, kept }) => {
  const opinion = finishCancelling.judge(transition('CANCELLING', reported), facts());
  expect(opinion).toStrictEqual({
    type: 'REWRITE',
    to: { type: 'CANCELLED', name: 'Cancelled', ...kept },
    why: `it was being cancelled when it ${reported.type.toLowerCase()}`,
  });
});
