/** The rows that the tables of retry-failed-task and retry-failed-flow have in common. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import type { Facts, Rule, RunKind } from '../../rules/rule.ts';
import { facts, NOW_MS, stateOf, transition } from './fixtures.ts';

type Retry = Facts['retry'];
const failed = (more: object = {}): State => ({ ...stateOf('FAILED'), ...more });

export function testRetrying(rule: Rule, kind: RunKind): void {
  const judge = (to: State, retry: Retry, chance = 0): ReturnType<Rule['judge']> =>
    rule.judge(transition('RUNNING', to, { kind }), facts({ retry, chance }));

  describe(`${rule.name} on a ${kind}`, () => {
    test.each([
      { error: 'not retriable', to: failed({ retriable: false }), used: 0, retriesMax: 3, opinion: 'PASS' },
      { error: 'retriable, without a budget', to: failed(), used: 0, retriesMax: 0, opinion: 'PASS' },
      { error: 'retriable, the budget is spent', to: failed(), used: 3, retriesMax: 3, opinion: 'PASS' },
      { error: 'retriable, the last of the budget', to: failed(), used: 2, retriesMax: 3, opinion: 'REWRITE' },
      {
        error: 'retriable by its own word',
        to: failed({ retriable: true }),
        used: 0,
        retriesMax: 1,
        opinion: 'REWRITE',
      },
    ])('a failure that is $error gets $opinion', ({ to, used, retriesMax, opinion }) => {
      expect(judge(to, { used, retriesMax, delaysMs: [], jitter: 0 }).type).toBe(opinion);
    });

    test.each([
      { to: failed(), used: 0, retriesMax: 0, why: undefined },
      { to: failed({ retriable: false }), used: 0, retriesMax: 2, why: 'the error is not worth another attempt' },
      { to: failed(), used: 1, retriesMax: 1, why: 'its one retry is used' },
      { to: failed(), used: 2, retriesMax: 2, why: 'all 2 retries are used' },
      { to: failed(), used: 1, retriesMax: 2, why: 'retry 2 of 2 in 5 ms' },
      { to: failed({ message: 'no route' }), used: 0, retriesMax: 2, why: 'retry 1 of 2 in 5 ms, after: no route' },
      {
        to: failed({ message: 'x'.repeat(500) }),
        used: 0,
        retriesMax: 2,
        why: `retry 1 of 2 in 5 ms, after: ${'x'.repeat(200)}`,
      },
    ])('says why: $why', ({ to, used, retriesMax, why }) => {
      const opinion = judge(to, { used, retriesMax, delaysMs: [5], jitter: 0 });
      expect('why' in opinion ? opinion.why : undefined).toBe(why);
    });

    test('says no more than it knows', () => {
      expect(judge(failed(), { used: 0, retriesMax: 1, delaysMs: [], jitter: 0 })).toStrictEqual({
        type: 'REWRITE',
        to: { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: NOW_MS },
        why: 'retry 1 of 1 in 0 ms',
      });
    });

    test.each([
      { delaysMs: [], used: 0, delayMs: 0 },
      { delaysMs: [100], used: 0, delayMs: 100 },
      { delaysMs: [100], used: 5, delayMs: 100 },
      { delaysMs: [100, 200, 400], used: 1, delayMs: 200 },
      { delaysMs: [100, 200, 400], used: 9, delayMs: 400 },
    ])('of the delays $delaysMs, retry $used is due after $delayMs ms', ({ delaysMs, used, delayMs }) => {
      const opinion = judge(failed(), { used, retriesMax: 10, delaysMs, jitter: 0 }, 0.9);
      expect(opinion).toMatchObject({ to: { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: NOW_MS + delayMs } });
    });

    test('chance stretches the delay by the jitter at most, and never shortens it', () => {
      fc.assert(
        fc.property(
          fc.nat(100_000),
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.double({ min: 0, max: 0.999, noNaN: true }),
          (base, jitter, chance) => {
            const opinion = judge(failed(), { used: 0, retriesMax: 1, delaysMs: [base], jitter }, chance);
            if (opinion.type !== 'REWRITE' || opinion.to.type !== 'SCHEDULED') throw new Error(opinion.type);
            const delayMs = opinion.to.dueAtMs - NOW_MS;
            expect(delayMs).toBeGreaterThanOrEqual(base);
            expect(delayMs).toBeLessThanOrEqual(Math.ceil(base * (1 + jitter)));
          },
        ),
      );
    });

    test.each([
      { which: 'a late report', name: 'AwaitingRetry', report: true, opinion: 'REJECT' },
      { which: 'somebody who gives it up', name: 'AwaitingRetry', report: false, opinion: 'PASS' },
      { which: 'a report of a run that never began', name: 'Scheduled', report: true, opinion: 'PASS' },
    ])('while it waits for its retry, the failure of $which gets $opinion', ({ name, report, opinion }) => {
      const from = { ...stateOf('SCHEDULED'), name };
      const retry = { used: 1, retriesMax: 3, delaysMs: [], jitter: 0 };
      expect(rule.judge(transition(from, failed(), { kind, report }), facts({ retry })).type).toBe(opinion);
    });

    test('the failure itself stays with the run that waits for its retry', () => {
      const error = { digest: 'e'.repeat(64), size: 3, inline: '"x"' };
      const opinion = judge(failed({ message: 'no route', error }), {
        used: 0,
        retriesMax: 1,
        delaysMs: [],
        jitter: 0,
      });
      expect(opinion).toMatchObject({ to: { message: 'no route', error } });
    });
  });
}
