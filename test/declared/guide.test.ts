/** docs/guides/rules-without-code.md: its words are those of the code, and every file in it is sound. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { declaredRules } from '../../engine/declared/declared-rules.ts';
import type { DeclaredFormat } from '../../engine/declared/source.ts';
import { MOMENT_METHODS, WORDS } from '../../engine/declared/words.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/rules-without-code.md'), 'utf8');

test('the table of words is the one that conditions are compiled with', () => {
  const TYPES = {
    string: 'text',
    int: 'whole number',
    bool: 'true or false',
    double: 'number',
    'list<string>': 'list of texts',
    Moment: 'time',
  };
  const table = guide.slice(guide.indexOf('| word '), guide.indexOf('And these functions'));
  const rows = [...table.matchAll(/^\| `([^`]+)`\s+\| ([^|]+?)\s+\| (.+?)\s+\|$/gm)].map(([, ...cells]) => cells);
  expect(rows).toEqual(Object.entries(WORDS).map(([word, { type, means }]) => [word, TYPES[type], means]));
});

test('it names each method of the calendar', () => {
  expect(Object.keys(MOMENT_METHODS).filter((method) => !guide.includes(method))).toEqual([]);
});

test('each file in it is sound, and YAML and TOML say the same', () => {
  const blocks = [...guide.matchAll(/^```(yaml|toml)\n([\s\S]*?)^```$/gm)];
  const read = blocks.map(([, format, text = '']) => declaredRules(text, format as DeclaredFormat, 'guide'));
  expect(read.length).toBe(2);
  const specs = read.map((one) => (one.ok ? one.value.specs : one.problems));
  expect(specs[0]).toEqual(specs[1]);
  expect(read.every(({ ok }) => ok)).toBe(true);
});
