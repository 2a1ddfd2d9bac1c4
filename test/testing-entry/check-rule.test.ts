/** `checkRule`: the core rules keep to what rules are, and each way not to is found. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, pass, reject, type Rule } from '../../rules/rule.ts';
import { checkRule } from '../testing/index.ts';

const rules = new Map(Object.values(corePolicies).flatMap(({ rules: all }) => all.map((rule) => [rule.name, rule])));

describe('the core rules', () => {
  test.each([...rules])('%s is a rule', (_, rule) => {
    checkRule(rule, fc);
  });
});

const ruleThat = (judge: Rule['judge'], more: Partial<Rule> = {}): Rule => ({
  ...defineRule({
    name: 'bad',
    summary: 'It is bad.',
    on: ['flow'],
    from: ['NONE'],
    to: ['RUNNING'],
    needs: [],
    may: ['reject'],
    judge: () => pass(),
  }),
  judge,
  ...more,
});
let calls = 0;

test.each<[string, Rule, RegExp]>([
  [
    'throws',
    ruleThat(() => {
      throw new Error('no');
    }),
    /bad threw Error: no/,
  ],
  [
    'reads what it does not need',
    ruleThat((_, { retry }) => (retry.used > 0 ? pass() : pass())),
    /does not name in needs/,
  ],
  [
    'changes what it is given',
    ruleThat((to) => {
      (to as { by: string }).by = 'me';
      return pass();
    }),
    /changes what it is given/,
  ],
  ['says nonsense', ruleThat(() => ({ type: 'MAYBE' }) as never), /no opinion/],
  [
    'does not declare what it does',
    ruleThat(() => reject('NO', 'no'), { may: [] }),
    /REJECT, which it does not declare/,
  ],
  ['remembers', ruleThat(() => ((calls += 1) % 2 === 0 ? pass() : reject('NO', 'no'))), /two things about the same/],
])('a rule that %s is found out', (_, rule, problem) => {
  expect(() => {
    checkRule(rule, fc);
  }).toThrow(problem);
});
