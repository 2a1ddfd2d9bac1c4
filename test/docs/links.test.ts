import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { stalePages } from '../../scripts/docs.ts';
import { anchorsOf, filesBelow, pages, readText, ROOT } from './markdown.ts';

/** Links of a page to places in this repository, as paths from its root with their anchors. */
function linksIn(page: string): readonly { readonly path: string; readonly anchor: string | undefined }[] {
  const targets = [...readText(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#');
      return { path: path === '' ? page : normalize(join(dirname(page), path)), anchor };
    });
}

test.each(pages())('%s: every link leads somewhere', (page) => {
  for (const { path, anchor } of linksIn(page)) {
    expect(existsSync(join(ROOT, path)), `${page} links to ${path}`).toBe(true);
    if (anchor !== undefined) expect([...anchorsOf(readText(path))], `${page} links to ${path}`).toContain(anchor);
  }
});

test.each(pages())('%s: every file of the repository that it names is there', (page) => {
  const named = [
    ...readText(page).matchAll(/`((?:protocol|rules|engine|sdk|test|examples|scripts|docs)\/[\w./-]+)`/g),
  ].map(([, path = '']) => path);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('docs/ARCHITECTURE.md: every test that the table of faults names is there by that name', () => {
  const named = [...readText('docs/ARCHITECTURE.md').matchAll(/\]\(\.\.\/(test\/[^)]+)\) “([^”]+)”/g)];
  expect(named.length).toBeGreaterThan(10);
  const missing = named.filter(([, path = '', title = '']) => !readText(path).includes(title));
  expect(missing.map(([, path, title]) => `${String(path)}: ${String(title)}`)).toEqual([]);
});

test('no generated page is stale', async () => {
  expect(await stalePages()).toEqual([]);
});

test('docs/guides/operate.md has each variable of the environment that the code reads, and no other', () => {
  const sources = [
    ...['protocol', 'rules', 'engine', 'sdk'].flatMap((folder) => filesBelow(folder, '.ts')),
    ...filesBelow('test', '.ts').filter((path) => path.startsWith('test/support/')),
  ];
  const read = new Set(
    sources.flatMap((path) => [...readText(path).matchAll(/env(?:\.|\[')(ASSENT_\w+)/g)].map(([, name = '']) => name)),
  );
  const listed = [...readText('docs/guides/operate.md').matchAll(/^\| `(ASSENT_\w+)`/gm)].map(([, name = '']) => name);
  expect(listed.sort()).toEqual([...read].sort());
});
