import { describe, expect, test } from 'vitest';
import {
  after,
  before,
  completePolicies,
  corePolicies,
  definePolicies,
  defineRule,
  pass,
  replace,
  without,
  type Policy,
} from '../../rules/index.ts';

const rule = (name: string) =>
  defineRule({ name, summary: 'A rule.', on: ['flow'], from: [], to: [], needs: [], may: [], judge: () => pass() });
const policy: Policy = { name: 'small', rules: [rule('one'), rule('two'), rule('three')], shadow: [rule('watch')] };
const names = ({ rules }: Policy): string[] => rules.map(({ name }) => name);

describe('a policy made of another', () => {
  test('has the rules before, after or instead of the one that is named, and the other is as it was', () => {
    expect(names(before(policy, 'two', rule('a'), rule('b')))).toEqual(['one', 'a', 'b', 'two', 'three']);
    expect(names(after(policy, 'three', rule('a')))).toEqual(['one', 'two', 'three', 'a']);
    expect(names(replace(policy, 'one', rule('a')))).toEqual(['a', 'two', 'three']);
    expect(names(without(policy, 'one', 'three'))).toEqual(['two']);
    expect(names(policy)).toEqual(['one', 'two', 'three']);
  });

  test('keeps its name and what is in the shadow', () => {
    expect(without(policy, 'one')).toMatchObject({ name: 'small', shadow: [{ name: 'watch' }] });
  });

  test.each([
    ['takes-slots', "no rule 'takes-slots': do you mean take-slots?"],
    ['slots', 'do you mean take-slots?'],
    ['take_slots', 'do you mean take-slots?'],
  ])('is refused for the name %s, with a hint', (name, hint) => {
    expect(() => before(corePolicies.flow, name, rule('a'))).toThrow(hint);
  });

  test('is refused for a name that is like no other, with all that there are', () => {
    expect(() => without(policy, 'quite-something-else')).toThrow(
      "'small' has no rule 'quite-something-else': it has one, two, three",
    );
  });
});

describe('policies by what they hold for', () => {
  const odd = { name: 'odd', rules: [rule('odd')] };
  const even = { name: 'even', rules: [rule('even')] };

  test('are complete: what a part leaves out is as it would be without it', () => {
    const { workspace, flows, tags } = completePolicies(
      definePolicies({ workspace: { task: odd }, flows: { nightly: { flow: even } }, tags: { paid: {} } }),
    );
    expect(workspace).toEqual({ ...corePolicies, task: odd });
    expect(flows).toEqual({ nightly: { ...corePolicies, task: odd, flow: even } });
    expect(tags).toEqual({ paid: { ...corePolicies, task: odd } });
  });

  test('may be functions of the core policies and of those that would hold otherwise', () => {
    const { flows } = completePolicies(
      definePolicies({
        workspace: (core) => ({ flow: { ...core.flow, rules: [] } }),
        flows: { nightly: (core, otherwise) => ({ task: core.flow, subflow: otherwise.flow }) },
      }),
    );
    expect(flows['nightly']?.task).toEqual(corePolicies.flow);
    expect(flows['nightly']?.subflow.rules).toEqual([]);
  });

  test('may be one change for the whole workspace', () => {
    expect(completePolicies({ task: odd })).toEqual({ workspace: { ...corePolicies, task: odd }, flows: {}, tags: {} });
    expect(completePolicies(() => ({ task: odd })).workspace.task).toBe(odd);
  });

  test('are refused where they name what does not exist', () => {
    expect(() => completePolicies({ tusk: odd } as never)).toThrow("workspace: there is no policy 'tusk', only flow,");
    expect(() => completePolicies({ parts: { flow: {} } } as never)).toThrow(
      'definePolicies knows workspace, flows, tags',
    );
    expect(() => completePolicies(definePolicies({ flows: { nightly: 7 as never } }))).toThrow(
      'flows.nightly is no record',
    );
  });
});
