import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { court, type PolicyName } from '../../rules/judge.ts';
import { completesEarly, corePolicies } from '../../rules/policy.ts';
import { defineRule, pass, reject, rewrite, type Rule, type Transition } from '../../rules/rule.ts';
import { RUN_KINDS } from './fixtures.ts';

const NAMES = [...RUN_KINDS, 'forced'] as const satisfies readonly PolicyName[];
const rules = [...new Set(NAMES.flatMap((name) => corePolicies[name].rules))];
const root = new URL('../../', import.meta.url);
const theCourt = court(corePolicies);
const namesOf = (name: PolicyName): readonly string[] => corePolicies[name].rules.map((rule) => rule.name);

describe.each(rules.map((rule) => [rule.name, rule] as const))('%s', (name, rule) => {
  test('has a file and a test of its name', () => {
    expect(existsSync(new URL(`rules/${name}.ts`, root))).toBe(true);
    expect(existsSync(new URL(`test/rules/${name}.test.ts`, root))).toBe(true);
  });
  test('says in one sentence what it is for', () => {
    expect(rule.summary).toMatch(/^[A-Z].*[^.]\.$/);
  });
  test('governs something in every policy that it is in', () => {
    const idle = NAMES.filter((policy) => namesOf(policy).includes(name)).filter(
      (policy) => !kindsOf(policy).some((kind) => rule.on.includes(kind)),
    );
    expect(idle).toStrictEqual([]);
  });
});

function kindsOf(name: PolicyName): readonly Transition['kind'][] {
  return name === 'forced' ? RUN_KINDS : [name];
}

test('there is a policy for each kind of run, and one for overrides', () => {
  expect(Object.keys(corePolicies)).toStrictEqual(NAMES);
});

describe.each(NAMES)('the policy %s', (name) => {
  const policy = corePolicies[name];

  test('has its own name, and each rule once', () => {
    expect(policy.name).toBe(name);
    expect(new Set(namesOf(name)).size).toBe(policy.rules.length);
    expect(policy.shadow).toBeUndefined();
  });
});

describe('the order', () => {
  test.each(RUN_KINDS)('of a %s: first who may speak, then whether it is about the run as it is', (kind) => {
    expect(namesOf(kind).slice(0, 2)).toStrictEqual(['fence-stale-executions', 'reject-stale-wishes']);
  });

  test.each(RUN_KINDS)('of a %s: slots are taken after every other wait', (kind) => {
    const holding = corePolicies[kind].rules.filter(({ may }) => may.includes('hold')).map(({ name }) => name);
    expect(holding.at(-1)).toBe('take-slots');
  });

  test.each(['subflow', 'task'] as const)('of a %s: what has ended before is reused before it is kept', (kind) => {
    expect(namesOf(kind).indexOf('reuse-completed-task')).toBeLessThan(namesOf(kind).indexOf('keep-terminal-states'));
  });

  test.each(['flow', 'subflow', 'task'] as const)(
    'of a %s: what cancelling makes of a failure comes before its retry',
    (kind) => {
      const names = namesOf(kind);
      const retry = names.findIndex((name) => name.startsWith('retry-failed'));
      for (const name of ['cancel-idle-runs', 'finish-cancelling', 'fail-as-cancelled']) {
        expect(names.indexOf(name)).toBeLessThan(retry);
      }
    },
  );

  test('of an override: its reason comes first', () => {
    expect(namesOf('forced')[0]).toBe('require-reason');
  });
});

describe('a task’s value may be used before its completion is ruled on', () => {
  const withRule = (rule: Rule): boolean => {
    const { task } = corePolicies;
    return completesEarly(court({ ...corePolicies, task: { ...task, rules: [...task.rules, rule] } }));
  };
  const late = { name: 'late', summary: 'late', on: ['task'], from: ['RUNNING'], needs: [] } as const;
  const refusing = defineRule({ ...late, to: ['COMPLETED'], may: ['reject'], judge: () => reject('NO', 'no') });
  const guards = ['fence-stale-executions', 'reject-stale-wishes', 'follow-lifecycle'] as const;

  test('under the core policies', () => {
    expect(completesEarly(theCourt)).toBe(true);
  });
  test('not under a rule that may refuse the completion', () => {
    expect(withRule(refusing)).toBe(false);
  });
  test.each(guards)('under %s, which refuses only a process that must stop anyway', (name) => {
    expect(withRule({ ...refusing, name })).toBe(true);
  });
  test('not under one of that name which does more', () => {
    const may = ['reject', 'rewrite'] as const;
    expect(withRule({ ...refusing, name: guards[0], may })).toBe(false);
    expect(withRule({ ...refusing, name: guards[0], may: ['hold'] })).toBe(false);
  });
  test('not under a rule that may make something else of it', () => {
    const failing = () => rewrite({ type: 'FAILED', name: 'Failed' }, 'so');
    expect(withRule(defineRule({ ...late, to: ['COMPLETED'], may: ['rewrite'], judge: failing }))).toBe(false);
  });
  test('under a rule that only ever passes, or that governs something else', () => {
    expect(withRule(defineRule({ ...late, to: ['COMPLETED'], may: [], judge: () => pass() }))).toBe(true);
    expect(withRule({ ...refusing, to: ['FAILED'] })).toBe(true);
    expect(withRule({ ...refusing, from: ['PENDING'] })).toBe(true);
    expect(withRule({ ...refusing, on: ['background'] })).toBe(true);
  });
});
