/** Taking a rule out of the shadow by editing the file: only that changes, and only where it can be done for certain. */
import { describe, expect, test } from 'vitest';
import { promoted } from '../../engine/declared/promote.ts';
import type { DeclaredFormat } from '../../engine/declared/source.ts';

const YAML = `# House rules.
rules:
  - name: in-force  # a comment
    summary: s
    reject: {}

  - name: in-shadow
    summary:   "spaced   out"
    shadow: true   # until we know
    # A comment that stays.
    reject: {}
  - { name: on-one-line, summary: s, shadow: true, reject: {} }
  - shadow: true
    name: first-field
    summary: s
    reject: {}
`;
const TOML = `# House rules.
[[rules]]
name = "in-force"
summary = "s"
reject = {}

[[rules]]
name = "in-shadow"
summary = 's'
shadow = true # until we know
reject = {}
`;

describe('a rule in the shadow', () => {
  test.each<[string, DeclaredFormat, string, string, string]>([
    ['has its line taken away in YAML', 'yaml', 'in-shadow', YAML, '    shadow: true   # until we know\n'],
    ['has its line taken away in TOML', 'toml', 'in-shadow', TOML, 'shadow = true # until we know\n'],
  ])('%s, and nothing else', (_, format, rule, text, line) => {
    const promotion = promoted(text, format, rule, `rules.${format}`);
    expect(promotion).toEqual({
      type: 'PROMOTED',
      text: text.replace(line, ''),
      line: text.split(line)[0]!.split('\n').length,
    });
  });

  test.each([
    ['on-one-line', 'summary: s, shadow: true, reject', 'summary: s, shadow: false, reject'],
    ['first-field', '- shadow: true\n', '- shadow: false\n'],
  ])('%s says that it is in none, where the line says more', (rule, before, after) => {
    expect(promoted(YAML, 'yaml', rule, 'rules.yaml')).toMatchObject({ text: YAML.replace(before, after) });
  });
});

test.each<[string, string, DeclaredFormat, string, string, string]>([
  [
    'a rule that is not there',
    YAML,
    'yaml',
    'other',
    'NO_RULE',
    `no rule 'other'; in the shadow: in-shadow, on-one-line, first-field`,
  ],
  ['a rule in force', TOML, 'toml', 'in-force', 'IN_FORCE', 'in force already'],
  ['a file with a mistake', `${YAML}oh: no`, 'yaml', 'in-shadow', 'UNREADABLE', 'has a mistake'],
  [
    'a rule whose shadow is written in another way',
    TOML.replace('shadow = true', '"sh\\u0061dow" = true'),
    'toml',
    'in-shadow',
    'UNREADABLE',
    'by hand',
  ],
  [
    'a rule that has it from another',
    'rules:\n  - &a { name: a, summary: s, shadow: true, reject: {} }\n  - *a\n',
    'yaml',
    'a',
    'UNREADABLE',
    'mistake',
  ],
])('%s is left alone', (_, text, format, rule, type, detail) => {
  const promotion = promoted(text, format, rule, `rules.${format}`);
  expect(promotion).toMatchObject({ type, detail: expect.stringContaining(detail) as string });
});
