/**
 * Many tasks at once, but only so many at the same time: the files of a folder are hashed, four at a time. The limit has
 * a name, so it holds for every flow and every process of the workspace together.
 *
 *   npx node examples/02-parallel-with-a-limit.ts examples 4
 *   npx assent limits set disk 2          (changes it while flows run; the script sets its own at each start)
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { flow, setLimit, task } from 'assent';
import { z } from 'zod';

let atWork = 0;
let mostAtOnce = 0;

const listFiles = task({ name: 'list-files' }, async (folder: string) => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
});

const hashFile = task({ name: 'hash-file', limits: ['disk'], retries: 2 }, async (file: string) => {
  atWork += 1;
  mostAtOnce = Math.max(mostAtOnce, atWork);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  atWork -= 1;
  return hash.digest('hex');
});

export const hashFolder = flow(
  { name: 'hash-folder', parameters: z.object({ folder: z.string().default('examples') }) },
  async ({ folder }) => {
    const files = await listFiles(folder);
    // All are called at once; those that find no free slot wait for one, in order.
    return Promise.all(files.map(async (file) => ({ file, sha256: await hashFile(file) })));
  },
);

if (process.argv[1] === import.meta.filename) {
  await setLimit('disk', Number(process.argv[3] ?? 4));
  const hashed = await hashFolder({ folder: process.argv[2] ?? 'examples' });
  for (const { file, sha256 } of hashed) console.log(sha256.slice(0, 16), file);
  console.log(hashed.length, 'files, at most', mostAtOnce, 'at once');
}
