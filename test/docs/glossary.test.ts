import { expect, test } from 'vitest';
import { filesBelow, readText } from './markdown.ts';

const glossary = readText('docs/glossary.md');
const terms = [...glossary.matchAll(/^\| \*\*(.+?)\*\*/gm)].map(([, term = '']) => term);

/** The words of the code's names, in lower case: `TaskRun` and `task_run` are task and run. */
const words = new Set(
  ['protocol', 'rules', 'engine', 'sdk']
    .flatMap((folder) => filesBelow(folder, '.ts').map(readText))
    .flatMap((source) => withoutComments(source).match(/[A-Za-z]+/g) ?? [])
    .flatMap((name) => name.replace(/([a-z])([A-Z])/g, '$1 $2').split(' '))
    .map((word) => word.toLowerCase()),
);

test('each term of the glossary is a word of the code', () => {
  expect(terms.length).toBeGreaterThan(60);
  expect(terms.filter((term) => !words.has(term) && !words.has(`${term}s`))).toEqual([]);
});

test('no term stands in the glossary twice', () => {
  expect(terms.filter((term, index) => terms.indexOf(term) !== index)).toEqual([]);
});

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}
