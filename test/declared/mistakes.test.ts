/** Every kind of mistake in a file of declared rules, with the line on which it is said to be. */
import { describe, expect, test } from 'vitest';
import { declaredRules, describeProblem } from '../../engine/declared/declared-rules.ts';
import type { DeclaredFormat } from '../../engine/declared/source.ts';

function problems(text: string, format: DeclaredFormat = 'yaml'): string[] {
  const read = declaredRules(text, format, `rules.${format}`);
  return read.ok ? [] : read.problems.map(describeProblem);
}

describe('a mistake is named with its line', () => {
  test.each<[string, string, DeclaredFormat?]>([
    ['', 'rules.yaml:1: expected object, received null'],
    ['rules: [', 'rules.yaml:1: Flow sequence'],
    ['rules: 3', 'rules.yaml:1: rules: expected array'],
    ['rules: []', 'rules.yaml:1: rules: Too small'],
    ['# A comment.\npolicies: []\nrules: []', `rules.yaml:2: there is no field 'policies'; there are: rules`],
    ['a: &a [*b]', 'rules.yaml:1: '],
    [
      'rules:\n  - name: One\n    summary: s\n    reject: {}',
      `rules.yaml:2: rule 'One': name: a name has lower-case words`,
    ],
    ['rules:\n  - name: arbiter\n    summary: s\n    reject: {}', `'arbiter' is the name of what is no rule`],
    ['rules:\n  - name: a\n    reject: {}', `rules.yaml:2: rule 'a': summary: expected string`],
    [
      'rules:\n  - name: a\n    summary: s',
      `rules.yaml:2: rule 'a': a rule has one of hold, reject, rewrite, retries, require: this one has none`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    wehn: x\n    reject: {}',
      `rules.yaml:4: rule 'a': there is no field 'wehn'; there are: name, summary, on, from, to, when`,
    ],
    ['rules:\n  - name: a\n    summary: s\n    reject: {}\n    hold: { for: 1s }', 'this one has hold and reject'],
    [
      'rules:\n  - name: a\n    summary: s\n    on: [flow, flwo]\n    reject: {}',
      `rules.yaml:4: rule 'a': on.1: expected one of "flow"|"subflow"|"task"|"background"`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    when: |\n      run.nam == "x"\n    reject: {}',
      `rules.yaml:4: rule 'a': when: at \`run.nam\`: no such word; there are: now, kind`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    hold:\n      until: Monday',
      `rules.yaml:5: rule 'a': hold.until: 'Monday' is no time of the week`,
    ],
    ['rules:\n  - name: a\n    summary: s\n    hold: {}', `rules.yaml:4: rule 'a': hold: either 'for' or 'until'`],
    ['rules:\n  - name: a\n    summary: s\n    hold: { for: 10 }', `rules.yaml:4: rule 'a': hold.for: expected string`],
    ['rules:\n  - name: a\n    summary: s\n    hold: { for: 10 minutes }', `no span of time: 30s, 10m`],
    [
      'rules:\n  - name: a\n    summary: s\n    to: COMPLETED\n    hold: { for: 1s }',
      `rules.yaml:4: rule 'a': COMPLETED cannot wait`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    reject: { code: FENCED }',
      `rules.yaml:4: rule 'a': reject.code: the engine has this code`,
    ],
    ['rules:\n  - name: a\n    summary: s\n    reject: { code: no }', 'a code has capitals'],
    [
      'rules:\n  - name: a\n    summary: s\n    rewrite: { to: CANCELLED }',
      `a rewrite says which 'from' and 'to' it governs`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    from: NONE\n    to: RUNNING\n    rewrite: { to: SCHEDULED }',
      `to SCHEDULED, either 'in' or 'at'`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    from: NONE\n    to: RUNNING\n    rewrite: { to: CANCELLED, in: 1h }',
      `go with SCHEDULED only`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    to: FAILED\n    retries: { max: 1 }',
      `rules.yaml:4: rule 'a': retries govern failures`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    reject: {}\n    after: follow-lifecycl',
      `rules.yaml:5: rule 'a': no policy that it governs has a rule 'follow-lifecycl'; there are: fence-stale-executions`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    reject: {}\n    before: take-slots\n    after: take-slots',
      `either 'before' or 'after'`,
    ],
    [
      'rules:\n  - name: a\n    summary: s\n    reject: {}\n  - name: a\n    summary: s\n    reject: {}',
      `rules.yaml:5: rule 'a': the file has a rule of that name already`,
    ],
    [
      'rules:\n  - name: take-slots\n    summary: s\n    reject: {}',
      `rules.yaml:2: rule 'take-slots': the policy has a rule of that name already`,
    ],
    ['[[rules]]\nname = "a"\n', `rules.toml:1: rule 'a': summary: expected string`, 'toml'],
    ['[[rules]\n', 'rules.toml:1: ', 'toml'],
    ['x = 1\n', 'rules.toml:1: ', 'toml'],
    [
      '# One.\n[[rules]]\nname = "a"\nsummary = "s"\nreject = {}\n\n[[rules]]\nname = "b"\nsummary = "s"\n[rules.hold]\nuntil = "Monday 8 UTC"\n',
      `rules.toml:11: rule 'b': hold.until: 'Monday 8 UTC' is no time`,
      'toml',
    ],
  ])('%j: %s', (text, expected, format) => {
    expect(problems(text, format).join('\n')).toContain(expected);
  });

  test('all of a file at once, in the order of its lines', () => {
    const text =
      'rules:\n  - name: A\n    summary: s\n    reject: {}\n  - name: b\n    reject: { code: x }\n    more: 1';
    expect(problems(text).map((line) => line.split(': ')[0])).toEqual([
      'rules.yaml:2',
      'rules.yaml:5',
      'rules.yaml:6',
      'rules.yaml:7',
    ]);
  });

  test('and a file that is too long is not read', () => {
    expect(problems(' '.repeat(300_000))).toEqual(['rules.yaml:1: the file has more than 262144 bytes']);
  });
});
