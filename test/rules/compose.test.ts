import { describe, expect, test } from 'vitest';
import {
  after,
  before,
  completePolicies,
  definePolicies,
  replace,
  without,
  type PolicyChange,
} from '../../rules/compose.ts';
import type { Policies, Policy } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, pass, type Rule } from '../../rules/rule.ts';

const ruleOf = (name: string): Rule =>
  defineRule({
    name,
    summary: 'Toy.',
    on: ['task'],
    from: ['NONE'],
    to: ['RUNNING'],
    needs: [],
    may: [],
    judge: () => pass(),
  });
const [one, two, three, extra, more] = ['one', 'two', 'three', 'extra', 'more'].map(ruleOf) as [
  Rule,
  Rule,
  Rule,
  Rule,
  Rule,
];
const shadow = [ruleOf('shadow')];
const policy: Policy = Object.freeze({ name: 'toy', rules: Object.freeze([one, two, three]), shadow });
const namesOf = ({ rules }: Policy): string => rules.map(({ name }) => name).join(' ');

describe('a policy made of another', () => {
  test.each<{ how: string; made: Policy; names: string }>([
    { how: 'before the first', made: before(policy, 'one', extra), names: 'extra one two three' },
    { how: 'before one', made: before(policy, 'two', extra, more), names: 'one extra more two three' },
    { how: 'after one', made: after(policy, 'two', extra, more), names: 'one two extra more three' },
    { how: 'after the last', made: after(policy, 'three', extra), names: 'one two three extra' },
    { how: 'instead of one', made: replace(policy, 'two', extra, more), names: 'one extra more three' },
    { how: 'without one', made: without(policy, 'two'), names: 'one three' },
    { how: 'without several', made: without(policy, 'three', 'one'), names: 'two' },
    { how: 'without none', made: without(policy), names: 'one two three' },
  ])('$how', ({ made, names }) => {
    expect(namesOf(made)).toBe(names);
    expect(made).toMatchObject({ name: 'toy', shadow });
    expect(namesOf(policy)).toBe('one two three');
  });

  test.each<{ wrong: string; make: () => Policy }>([
    { wrong: 'before', make: () => before(policy, 'four', extra) },
    { wrong: 'after', make: () => after(policy, 'four', extra) },
    { wrong: 'replace', make: () => replace(policy, 'four', extra) },
    { wrong: 'without', make: () => without(policy, 'one', 'four') },
  ])('of a rule that is not there is an error: $wrong', ({ make }) => {
    expect(make).toThrow("the policy 'toy' has no rule 'four'");
  });

  test.each([
    { name: 'take-slot', hint: 'do you mean take-slots?' },
    { name: 'retry-faild-flow', hint: 'do you mean retry-failed-flow?' },
    { name: 'slots', hint: 'do you mean take-slots?' },
    { name: 'failed-retry', hint: 'do you mean retry-failed-flow?' },
    { name: 'terminal', hint: 'do you mean keep-terminal-states?' },
    { name: 'paused', hint: 'do you mean resume-paused-flow?' },
  ])('says what was probably meant by $name', ({ name, hint }) => {
    expect(() => without(corePolicies.flow, name)).toThrow(`the policy 'flow' has no rule '${name}': ${hint}`);
  });
  test('says all that could be meant', () => {
    expect(() => without(corePolicies.flow, 'cancelling')).toThrow(
      'do you mean finish-cancelling or bound-cancelling?',
    );
  });
  test('words of two letters say nothing', () => {
    const { rules } = policy;
    expect(() => without({ name: 'toy', rules: [ruleOf('zu-einem-flow'), ...rules] }, 'zu-flow')).toThrow(
      'mean zu-einem-flow?',
    );
    expect(() => without({ name: 'toy', rules: [ruleOf('my-second-flow'), ...rules] }, 'zu-flow')).toThrow(
      'mean my-second-flow?',
    );
  });
  test('says what there is when nothing is near', () => {
    expect(() => without(policy, 'zebra')).toThrow("no rule 'zebra': it has one, two, three");
    expect(() => without(policy, '')).toThrow("no rule '': it has one, two, three");
    expect(() => without({ name: 'toy', rules: [] }, 'one')).toThrow("no rule 'one': it has none");
  });
  test.each([
    { name: 'onf', near: true },
    { name: 'oen', near: false },
    { name: 'threw', near: true },
    { name: 'thxxe', near: true },
    { name: 'thxxx', near: false },
    { name: 'to', near: true },
  ])('a name is near when every third letter is another: $name, $near', ({ name, near }) => {
    expect(() => without(policy, name)).toThrow(near ? 'do you mean' : 'it has one');
  });
});

describe('the policies of a module', () => {
  const flow: Policy = { name: 'flow', rules: [one] };
  const task: Policy = { name: 'task', rules: [two] };
  const complete = (change: PolicyChange): Policies => completePolicies(change).workspace;

  test('are the core ones where it says nothing', () => {
    expect(completePolicies({})).toStrictEqual({ workspace: corePolicies, flows: {}, tags: {} });
    expect(completePolicies(definePolicies({}))).toStrictEqual({ workspace: corePolicies, flows: {}, tags: {} });
  });
  test('take the place of the core ones, one by one', () => {
    expect(complete({ flow })).toStrictEqual({ ...corePolicies, flow });
    expect(complete((core) => ({ flow: before(core.flow, 'take-slots', one) })).flow.rules).toContain(one);
    expect(completePolicies({ flow }, { ...corePolicies, task }).workspace).toStrictEqual({
      ...corePolicies,
      flow,
      task,
    });
  });
  test('of single flows and tags are made from the core, or from what would hold otherwise', () => {
    const seen: Policies[] = [];
    const parts = definePolicies({
      workspace: { flow },
      flows: { nightly: { task }, core: (core) => ({ flow: core.flow }) },
      tags: {
        production: (core, otherwise) => {
          seen.push(core, otherwise);
          return { task };
        },
      },
    });
    const workspace = { ...corePolicies, flow };
    expect(completePolicies(parts)).toStrictEqual({
      workspace,
      flows: { nightly: { ...workspace, task }, core: corePolicies },
      tags: { production: { ...workspace, task } },
    });
    expect(seen).toStrictEqual([corePolicies, workspace]);
  });
  test('of the workspace have nothing else that would hold', () => {
    const seen: Policies[] = [];
    completePolicies((core, otherwise) => {
      seen.push(core, otherwise);
      return {};
    });
    expect(seen).toStrictEqual([corePolicies, corePolicies]);
  });

  test.each<{ what: string; given: unknown; problem: string }>([
    {
      what: 'parts that there are not',
      given: { parts: { flow: {}, tag: {}, tags: {} } },
      problem: 'definePolicies knows workspace, flows, tags, not flow, tag',
    },
    {
      what: 'a policy that there is not',
      given: { flows: {} },
      problem: "workspace: there is no policy 'flows', only flow, subflow, task, background, forced",
    },
    {
      what: 'no record',
      given: () => 7,
      problem: 'workspace is no record of policies, and no function that returns one',
    },
    { what: 'nothing', given: () => null, problem: 'workspace is no record' },
    { what: 'a list', given: () => [], problem: 'workspace is no record' },
    {
      what: 'wrong for a flow',
      given: { parts: { flows: { nightly: () => 7 } } },
      problem: 'flows.nightly is no record',
    },
    {
      what: 'wrong for a tag',
      given: { parts: { tags: { production: { flows: flow } } } },
      problem: "tags.production: there is no policy 'flows'",
    },
  ])('are refused when they are $what', ({ given, problem }) => {
    expect(() => completePolicies(given as PolicyChange)).toThrow(problem);
  });
});
