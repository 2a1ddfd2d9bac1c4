import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkPolicy } from '../../engine/policy/check.ts';
import { folder, moduleWith, writeModule } from './policy-files.ts';

const problemOf = (source: string, name?: string): Promise<string> =>
  problemOfFile(writeModule(source, folder(), name));
const problemOfFile = (file: string): Promise<string> =>
  checkPolicy(file).then(
    () => 'it is valid',
    (error: unknown) => String(error),
  );

const rule = (more: string): string => `
import { defineRule, definePolicies, before, pass } from 'assent/rules';
const mine = {
  name: 'mine', summary: 'Mine.', on: ['flow'], from: ['NONE'], to: ['RUNNING'], needs: [], may: [],
  judge: () => pass(),
  ${more}
};
export default definePolicies({ workspace: (core) => ({ flow: before(core.flow, 'take-slots', mine) }) });`;

describe('a policy module is not valid', () => {
  test.each<[string, string, string]>([
    ['that is no TypeScript', 'export default {', 'policy.ts:1:17: '],
    ['that imports what is not there', "import './nothing.ts';", 'policy.ts:1:8: '],
    [
      'that imports I/O',
      "import { readFileSync } from 'node:fs'; export default readFileSync;",
      'policy.ts:1:30: a rule knows no I/O',
    ],
    [
      'that imports the SDK',
      "import { flow } from 'assent'; export default flow;",
      "policy.ts:1:22: a policy imports 'assent/rules'",
    ],
    ['that exports nothing', 'export const x = 1;', 'it exports no policies'],
    ['that exports something else', 'export default 7;', 'workspace is no record of policies'],
    ['that throws', "\nthrow new Error('not today');", 'policy.ts:2:7: not today'],
    ['that never comes to an end', 'while (true) {}', 'policy.ts: the module did not come to an end within 3 s'],
    [
      'that names no rule of the core',
      moduleWith('return pass();').replace('follow-lifecycle', 'follow-life'),
      "policy.ts:12:63: the policy 'flow' has no rule 'follow-life': do you mean follow-lifecycle?",
    ],
    ['that names no policy', 'export default { flows: {} };', "there is no policy 'flows'"],
    [
      'with two rules of one name',
      rule("name: 'take-slots',"),
      "policy.ts:6: workspace.flow has two rules with the name 'take-slots'",
    ],
    ['with a rule that has no name', rule('name: undefined,'), 'not undefined'],
    ['with a rule that has a bad name', rule("name: 'My Rule',"), "not 'My Rule'"],
    [
      'with a rule that needs an unknown fact',
      rule("needs: ['weather'],"),
      "policy.ts:4: the rule 'mine': needs knows no 'weather', only execution,",
    ],
    ['with a rule about an unknown state', rule("to: ['DONE'],"), "to knows no 'DONE'"],
    [
      'with a rule that is async',
      rule('judge: async () => pass(),'),
      "policy.ts:4: the rule 'mine': a rule answers at once, its judge is async",
    ],
    ['with a rule without a judge', rule('judge: 7,'), "has no function 'judge'"],
    [
      'with a rule that reads the clock',
      moduleWith('return Date.now() > 0 ? pass() : pass();'),
      'policy.ts:8:12: a rule may not use Date.now',
    ],
    [
      'with a rule that hides that it does',
      moduleWith('return new Date() > 0 ? pass() : pass();'),
      'policy.ts:8:12: TypeError: a rule may not use new Date()',
    ],
    [
      'with a rule that throws',
      moduleWith("throw new Error('ouch');"),
      "policy.ts:8:11: ouch (the rule 'house-rule', asked about flow NONE → RUNNING)",
    ],
    ['with a rule that changes what it is given', moduleWith("transition.by = 'me'; return pass();"), 'policy.ts:8:'],
    [
      'with a rule that says nonsense',
      moduleWith('return 7;'),
      "policy.ts:4: it returned something that is no opinion (the rule 'house-rule'",
    ],
    [
      'with a rule that says two things',
      moduleWith('globalThis.n = -(globalThis.n ?? 1); return globalThis.n > 0 ? pass() : reject("N", "n");'),
      'asked twice about the same',
    ],
    [
      'with a rule that never answers',
      moduleWith('while (true) {}'),
      "the rule 'house-rule' did not come to an end within 3 s",
    ],
  ])('%s', async (_, source, problem) => {
    const said = await problemOf(source);
    expect(said).toContain(problem);
    expect(said).toContain('POLICY_INVALID');
  });

  test('that is no module at all', async () => {
    expect(await problemOf('{}', 'policy.json')).toContain(
      'a policy is a file .ts, .mts, .js, .mjs, .yaml, .yml, .toml',
    );
    expect(await problemOfFile(join(folder(), 'nothing.ts'))).toContain('there is no such file');
    const path = join(folder(), 'folder.ts');
    mkdirSync(path);
    expect(await problemOfFile(path)).toContain('there is no such file');
  });

  test('for what an imported file of the author does', async () => {
    const into = folder();
    writeModule('\nexport const random = (): number => Math.random();', into, 'chance.ts');
    const file = writeModule(
      moduleWith('return random() > 2 ? reject("R", "r") : pass();', "import { random } from './chance.ts';"),
      into,
    );
    expect(await problemOfFile(file)).toContain('chance.ts:2:37: a rule may not use Math.random');
  });
});

test('a valid one is told what it would change', async () => {
  const { report, bundle } = await checkPolicy(
    writeModule(moduleWith("return run.name === 'work' ? reject('NO', 'no') : pass();")),
    {
      compare: true,
    },
  );
  expect(bundle.source).toContain("'use strict'");
  expect(report.changes).toEqual([
    { part: 'workspace', policy: 'flow', added: ['house-rule'], removed: [], shadow: [] },
  ]);
  expect(report.differences).toContainEqual({
    part: 'workspace',
    kind: 'flow',
    from: 'NONE',
    to: 'RUNNING',
    before: 'accepted',
    after: 'rejected NO',
    rule: 'house-rule',
  });
  expect(report.rules.map(({ rule }) => rule)).toContain('take-slots');
});
