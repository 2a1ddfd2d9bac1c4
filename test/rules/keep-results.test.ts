import { expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { keepResults } from '../../rules/keep-results.ts';
import { facts, RUN_KINDS, stateOf, testReach, transition, VALUE } from './fixtures.ts';

testReach(keepResults, { on: RUN_KINDS, from: ['COMPLETED'], to: ['COMPLETED'] });

const without = stateOf('COMPLETED');
const withResult: State = { type: 'COMPLETED', name: 'Completed', result: VALUE };

test.each([
  { had: without, gets: without, opinion: { type: 'PASS' } },
  { had: without, gets: withResult, opinion: { type: 'PASS' } },
  { had: withResult, gets: withResult, opinion: { type: 'PASS' } },
  { had: withResult, gets: without, opinion: { type: 'REJECT', code: 'RESULT_KEPT' } },
])('an override from $had to $gets: $opinion', ({ had, gets, opinion }) => {
  expect(keepResults.judge(transition(had, gets, { forced: true, reason: 'so' }), facts())).toMatchObject(opinion);
});
