/** The API reference says something of everything that the package exports, and every link in it leads somewhere. */
import { expect, test } from 'vitest';
import { Sources } from '../../scripts/api-exports.ts';
import { anchorsOf, readText, ROOT } from './markdown.ts';

const PAGES = [
  ['sdk/index.ts', 'assent'],
  ['rules/index.ts', 'assent-rules'],
  ['test/testing/index.ts', 'assent-testing'],
] as const;

test.each(PAGES)('%s: every export has a doc comment', (entry) => {
  const silent = new Sources(ROOT).exportsOf(entry).filter(({ doc }) => doc.text === '');
  expect(silent.map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});

test.each(PAGES)('%s: every option and every method has one', (entry) => {
  const options = new Sources(ROOT).exportsOf(entry).filter(({ name }) => name.endsWith('Options'));
  const silent = options.flatMap(({ name, members }) =>
    members.filter(({ doc }) => doc.text === '').map((member) => `${name}.${member.name}`),
  );
  expect(silent).toEqual([]);
});

test.each(PAGES.map(([, page]) => page))('docs/api/%s.md: no two headings have one anchor', (page) => {
  const text = readText(`docs/api/${page}.md`);
  expect(anchorsOf(text).size).toBe([...text.matchAll(/^#+ .*$/gm)].length);
});
