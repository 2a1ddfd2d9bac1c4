/** What `arbitraries` makes is well-formed, reaches everything, and finds no rule of the core in error. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTerminal, STATE_TYPES } from '../../protocol/states.ts';
import { stateSchema } from '../../protocol/wire.ts';
import { court, judge } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { RUN_KINDS } from '../../rules/rule.ts';
import { arbitraries } from '../testing/index.ts';

const any = arbitraries(fc);
const core = court(corePolicies);

test('transitions are well-formed for their kind of run', () => {
  fc.assert(
    fc.property(any.transition(), ({ kind, from, to, report, claim }) => {
      for (const state of from === undefined ? [to] : [from, to])
        expect(stateSchema.safeParse(state).success).toBe(true);
      if (claim) expect([to.type, kind === 'flow' || kind === 'background']).toEqual(['RUNNING', true]);
      if (report) expect(isTerminal(to)).toBe(true);
    }),
  );
});

test('facts are those of their kind of run', () => {
  fc.assert(
    fc.property(
      any.kind.chain((kind) => fc.tuple(fc.constant(kind), any.facts(kind))),
      ([kind, facts]) => {
        expect('flow' in facts).toBe(kind === 'task' || kind === 'subflow');
        for (const { used, heldByAncestors } of facts.slots) expect(heldByAncestors).toBeLessThanOrEqual(used);
      },
    ),
  );
});

test('they reach every kind, every pair of types, every need and every policy', () => {
  const reached = new Set<string>();
  for (const { kind, from, to } of fc.sample(any.transition(), { numRuns: 5000, seed: 1 })) {
    reached.add(kind).add(`${from?.type ?? 'NONE'} ${to.type}`);
  }
  for (const facts of fc.sample(any.facts(), { numRuns: 500, seed: 1 })) {
    for (const need of Object.keys(facts)) reached.add(need);
  }
  for (const name of fc.sample(any.policyName, { numRuns: 100, seed: 1 })) reached.add(name);
  const pairs = ['NONE', ...STATE_TYPES].flatMap((from) => STATE_TYPES.map((to) => `${from} ${to}`));
  const needs = Object.values(corePolicies).flatMap(({ rules }) => rules.flatMap((rule) => rule.needs));
  const all = [...RUN_KINDS, ...Object.keys(corePolicies), ...pairs, ...needs];
  expect(all.filter((one) => !reached.has(one))).toEqual([]);
});

describe('the core policies', () => {
  test.each(RUN_KINDS)('of a %s have a lawful verdict on anything, the same one each time', (kind) => {
    fc.assert(
      fc.property(any.transition(kind), any.facts(kind), (transition, facts) => {
        const verdict = judge(core, transition, () => facts);
        expect(verdict.code).not.toBe('RULE_ERROR');
        expect(judge(core, transition, () => facts)).toEqual(verdict);
      }),
      { numRuns: 1000 },
    );
  });
});
