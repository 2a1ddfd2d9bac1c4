/**
 * One call for each file of a folder, four at a time: `map` makes them, `unmapped` gives the same list to each, and what
 * comes back is in the order of the files. Kill it in the middle and start it again: what was read is not read again.
 *
 *   npx node examples/08-fan-out-over-files.ts docs
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { concurrent, flow, task, unmapped } from 'assent';
import { z } from 'zod';

type Count = { readonly file: string; readonly words: number; readonly found: Readonly<Record<string, number>> };

const listPages = task({ name: 'list-pages' }, async (folder: string) => {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((entry) => entry.endsWith('.md')).sort();
});

const countWords = task({ name: 'count-words', retries: 1 }, async (folder: string, file: string, terms: string[]) => {
  const words = (await readFile(join(folder, file), 'utf8')).toLowerCase().match(/\p{L}+/gu) ?? [];
  await pause(20);
  console.log('read', file);
  const found = Object.fromEntries(terms.map((term) => [term, words.filter((word) => word === term).length]));
  return { file, words: words.length, found } satisfies Count;
});

export const indexPages = flow(
  {
    name: 'index-pages',
    taskRunner: concurrent({ limit: 4 }),
    parameters: z.object({ folder: z.string(), terms: z.array(z.string()).default(['ruling', 'ledger', 'retry']) }),
  },
  async ({ folder, terms }) => {
    const files = await listPages(folder);
    // The folder is one text, so it is the same for all; a list that is not to be taken apart is said to be `unmapped`.
    const counts: Count[] = await countWords.map(folder, files, unmapped(terms)).results();
    const sum = (term: string): number => counts.reduce((total, { found }) => total + (found[term] ?? 0), 0);
    return {
      files: counts.length,
      words: counts.reduce((total, { words }) => total + words, 0),
      ...Object.fromEntries(terms.map((term) => [term, sum(term)])),
    };
  },
);

if (process.argv[1] === import.meta.filename) {
  console.log(await indexPages({ folder: process.argv[2] ?? 'docs' }));
}
