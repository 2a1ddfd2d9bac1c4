import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { failAsCancelled } from '../../rules/fail-as-cancelled.ts';
import { facts, stateOf, testReach, transition } from './fixtures.ts';

testReach(failAsCancelled, { on: ['task', 'subflow'], from: ['RUNNING', 'PAUSED'], to: ['FAILED'] });

test.each(STATE_TYPES)('a call that fails while its flow run is %s', (type) => {
  const opinion = failAsCancelled.judge(transition('RUNNING', 'FAILED'), facts({ flow: { type, round: 0 } }));
  expect(opinion.type).toBe(type === 'CANCELLING' ? 'REWRITE' : 'PASS');
});

test('a call that undoes what was done fails by itself', () => {
  const known = facts({ flow: { type: 'CANCELLING', round: 0 }, cleanup: true });
  expect(failAsCancelled.judge(transition('RUNNING', 'FAILED'), known)).toStrictEqual({ type: 'PASS' });
});

test('the error that it failed with is kept as evidence', () => {
  const error = { digest: 'd'.repeat(64), size: 2, inline: '{}' } as never;
  const to = { ...stateOf('FAILED'), error } as never;
  const opinion = failAsCancelled.judge(transition('RUNNING', to), facts({ flow: { type: 'CANCELLING', round: 0 } }));
  expect(opinion).toMatchObject({ to: { type: 'CANCELLED', name: 'Cancelled', error } });
});
