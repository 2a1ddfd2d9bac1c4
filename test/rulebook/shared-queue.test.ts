/** Workers of one queue that know different flows, on a real engine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { disconnect, flow, serve, startRun } from '../../sdk/index.ts';

let dataDir: string;
let engine: Engine;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-queue-'));
  process.env['ASSENT_DATA'] = dataDir;
  engine = await startEngine({ dataDir, durability: 'process' });
});
afterAll(async () => {
  await disconnect();
  await engine.stop();
  delete process.env['ASSENT_DATA'];
  await rm(dataDir, { recursive: true, force: true });
});

test('a run finds the worker that knows its flow, though the others of the queue know other flows', async () => {
  const words = flow({ name: 'words' }, () => 'words');
  const more = flow({ name: 'more' }, () => 'more');
  const release = flow({ name: 'release' }, () => 'release');
  const workers = [await serve([words]), await serve([more]), await serve([release])];
  const started = await Promise.all(Array.from({ length: 6 }, () => startRun(release)));
  expect(await Promise.all(started.map((run) => run.result()))).toEqual(started.map(() => 'release'));
  await Promise.all(workers.map((worker) => worker.stop()));
}, 30_000);
