/**
 * A run failed at its last step, after an hour of work. Fix what was wrong and retry the run: it goes on where it failed,
 * and what it had finished is kept. Or retry it from an earlier task, which is done again with all that came after it.
 *
 *   npx node examples/26-fix-and-retry.ts
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { flow, serve, startRun, task } from 'assent';
import { z } from 'zod';

const extract = task({ name: 'extract' }, (rows: number) => {
  console.log('extract: an hour of work');
  return Array.from({ length: rows }, (_, row) => row * row);
});
const transform = task({ name: 'transform' }, async (rows: readonly number[], settings: string) => {
  console.log('transform: another hour');
  const { factor } = z.object({ factor: z.number() }).parse(JSON.parse(await readFile(settings, 'utf8')));
  return rows.map((row) => row * factor);
});
const publish = task({ name: 'publish' }, async (rows: readonly number[], settings: string) => {
  const { to } = z.object({ to: z.string().optional() }).parse(JSON.parse(await readFile(settings, 'utf8')));
  if (to === undefined) throw new Error('the settings do not say to whom');
  const sum = rows.reduce((total, row) => total + row, 0);
  console.log(`publish: ${String(sum)} to ${to}`);
  return sum;
});

export const pipeline = flow(
  { name: 'pipeline', parameters: z.object({ settings: z.string() }) },
  async ({ settings }) => publish(await transform(await extract(10), settings), settings),
);

const assent = (...words: string[]): Promise<unknown> => promisify(execFile)('npx', ['assent', ...words]);

if (process.argv[1] === import.meta.filename) {
  const settings = join(await mkdtemp(join(tmpdir(), 'assent-pipeline-')), 'settings.json');
  const worker = await serve([pipeline]);
  // With a key, a second start is the same run: a way to wait for its end once more.
  const ended = async (): Promise<unknown> => (await startRun(pipeline, { settings }, { key: settings })).result();

  await writeFile(settings, '{ "factor": 2 }');
  console.log('FAILED:', await ended().catch((error: unknown) => (error instanceof Error ? error.message : error)));
  const { id } = await startRun(pipeline, { settings }, { key: settings });

  console.log('Somebody names the board in the settings.');
  await writeFile(settings, '{ "factor": 2, "to": "the board" }');
  await assent('runs', 'retry', id);
  console.log(await ended());

  console.log('Somebody finds that the factor was wrong.');
  await writeFile(settings, '{ "factor": 3, "to": "the board" }');
  await assent('runs', 'retry', id, '--from', 'transform', '--reason', 'the factor was wrong');
  console.log(await ended());
  await worker.stop();
}
