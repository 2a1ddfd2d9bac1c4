import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { court, judge } from '../../rules/judge.ts';
import { completesEarly, corePolicies } from '../../rules/policy.ts';
import { defineRule, pass, reject, type Rule } from '../../rules/rule.ts';
import { everyTransition, FROM_TYPES, MANY_FACTS, RUN_KINDS } from './fixtures.ts';
import { STATE_TYPES } from '../../protocol/states.ts';

const rules = [...new Set(RUN_KINDS.flatMap((kind) => corePolicies[kind].rules))];
const root = new URL('../../', import.meta.url);

test.each(rules.map(({ name }) => name))('%s has a file and a test of its name', (name) => {
  expect(existsSync(new URL(`rules/${name}.ts`, root))).toBe(true);
  expect(existsSync(new URL(`test/rules/${name}.test.ts`, root))).toBe(true);
});

describe.each(RUN_KINDS)('the policy of a %s', (kind) => {
  const policy = corePolicies[kind];

  test('holds rules for its kind of run only, each once', () => {
    expect(policy.name).toBe(kind);
    expect(policy.rules.filter((rule) => !rule.on.includes(kind))).toEqual([]);
    expect(new Set(policy.rules.map(({ name }) => name)).size).toBe(policy.rules.length);
  });

  test('asks first who may speak, and takes slots after every other wait', () => {
    const names = policy.rules.map(({ name }) => name);
    const holding = policy.rules.filter(({ may }) => may.includes('hold')).map(({ name }) => name);
    expect(names[0]).toBe('fence-stale-executions');
    expect(holding.at(-1)).toBe('take-slots');
  });

  test('has a verdict on all pairs of states, the same one each time, whatever the facts are', () => {
    const theCourt = court(corePolicies);
    for (const asked of everyTransition({ on: [kind], from: FROM_TYPES, to: STATE_TYPES })) {
      for (const known of MANY_FACTS) {
        const verdict = judge(theCourt, asked, () => known);
        expect(judge(theCourt, asked, () => known)).toEqual(verdict);
        expect(verdict.code).not.toBe('RULE_ERROR');
        expect(verdict.waits !== undefined).toBe(verdict.outcome === 'held');
        expect(verdict.code !== undefined).toBe(verdict.outcome === 'rejected');
      }
    }
  });
});

describe('a task’s value may be used before its completion is ruled on', () => {
  const withRule = (rule: Rule): boolean => {
    const { flow, subflow, task } = corePolicies;
    return completesEarly(court({ flow, subflow, task: { ...task, rules: [...task.rules, rule] } }));
  };
  const late = { name: 'late', summary: 'late', on: ['task'], from: ['RUNNING'], needs: [] } as const;

  test('under the core policies', () => {
    expect(completesEarly(court(corePolicies))).toBe(true);
  });
  test('not under a rule that may refuse the completion', () => {
    const rule = defineRule({ ...late, to: ['COMPLETED'], may: ['reject'], judge: () => reject('NO', 'no') });
    expect(withRule(rule)).toBe(false);
  });
  test('under a rule that only ever passes, or that governs something else', () => {
    expect(withRule(defineRule({ ...late, to: ['COMPLETED'], may: [], judge: () => pass() }))).toBe(true);
    expect(withRule(defineRule({ ...late, to: ['FAILED'], may: ['reject'], judge: () => reject('NO', 'no') }))).toBe(
      true,
    );
  });
});
