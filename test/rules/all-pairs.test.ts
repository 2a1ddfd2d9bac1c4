/** Each policy, on all pairs of states, in their variants, asked in every way, under facts at the edges of everything. */
import { expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { court, judge, type PolicyName, type Verdict } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Transition } from '../../rules/rule.ts';
import { everyTransition, FROM_TYPES, MANY_FACTS, RUN_KINDS } from './fixtures.ts';

const theCourt = court(corePolicies);

test.each([...RUN_KINDS, 'forced'] as const)(
  'the policy %s has a verdict on all pairs of states, the same one each time, whatever the facts are',
  (name) => {
    const wrong: unknown[] = [];
    const outcomes = new Set<string>();
    for (const asked of everyAsking(name)) {
      for (const known of MANY_FACTS) {
        const verdict = judge(theCourt, asked, () => known);
        outcomes.add(verdict.outcome);
        const again = judge(theCourt, asked, () => known);
        const isLawful = isSound(verdict) && JSON.stringify(again) === JSON.stringify(verdict);
        if (!isLawful && wrong.length < 3) wrong.push({ asked, known, verdict });
      }
    }
    expect(wrong).toStrictEqual([]);
    expect([...outcomes].sort()).toStrictEqual(['accepted', 'held', 'rejected', 'rewritten']);
  },
);

function* everyAsking(name: PolicyName): Generator<Transition> {
  for (const asked of everyTransition({
    on: name === 'forced' ? RUN_KINDS : [name],
    from: FROM_TYPES,
    to: STATE_TYPES,
  })) {
    // No proposal says that it stays, or what else was asked for.
    if (asked.asked !== undefined) continue;
    yield name === 'forced' ? { ...asked, forced: true } : asked;
  }
}

/** Nothing failed, and what the outcome needs is there, and nothing that belongs to another one. */
function isSound({ outcome, code, waits, claims, trail }: Verdict): boolean {
  const failed = code === 'RULE_ERROR' || code === 'RULE_IMPURE';
  const moves = outcome === 'accepted' || outcome === 'rewritten';
  return (
    !failed &&
    (waits !== undefined) === (outcome === 'held') &&
    (code !== undefined) === (outcome === 'rejected') &&
    (moves || claims.length === 0) &&
    trail.length > 0
  );
}
