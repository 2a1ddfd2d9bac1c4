/**
 * Work that one process asks for and another one does. Start a worker (or three) in one terminal, and runs in another; if
 * no worker is there, a run waits for one.
 *
 *   npx node examples/06-worker.ts worker
 *   npx node examples/06-worker.ts count README.md
 */
import { readFile } from 'node:fs/promises';
import { flow, serve, startRun, task } from 'assent';
import { z } from 'zod';

const readWords = task({ name: 'read-words', retries: 2, retryDelay: '1s' }, async (file: string) => {
  const text = await readFile(file, 'utf8');
  return text.split(/\s+/).filter((word) => word !== '').length;
});

export const countWords = flow({ name: 'count-words', parameters: z.object({ file: z.string() }) }, ({ file }) =>
  readWords(file),
);

async function work(): Promise<void> {
  const worker = await serve([countWords], { slots: 4 });
  console.log('The worker', process.pid, 'is ready; Ctrl-C ends it.');
  // It takes no more runs, and ends those that it has.
  process.once('SIGINT', () => void worker.stop());
  process.once('SIGTERM', () => void worker.stop());
}

async function count(file: string): Promise<void> {
  const run = await startRun(countWords, { file });
  console.log(`Run ${run.id} is waiting for a worker.`);
  console.log(file, 'has', await run.result(), 'words');
}

if (process.argv[1] === import.meta.filename) {
  const [, , command = 'count', file = 'examples/06-worker.ts'] = process.argv;
  if (command === 'worker') await work();
  else await count(file);
}
