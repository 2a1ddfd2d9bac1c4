/** A plain script that calls its flow at the top, with tasks in threads: each thread loads this very file. */
import { appendFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { emitEvent, flow, serve, startRun, task, threads, waitForEvent } from '../../../sdk/index.ts';

const [, , file = ''] = process.argv;
const where = task({ name: 'where' }, async (n: number) => {
  appendFileSync(file, `task ${String(n)}\n`);
  if (n === 3) await emitEvent('last', n);
  return threadId;
});
const threaded = flow({ name: 'threaded', taskRunner: threads({ maxThreads: 2 }) }, async () => {
  appendFileSync(file, 'flow\n');
  const last = waitForEvent('last');
  const ids = await where.map([1, 2, 3]).results();
  appendFileSync(file, `heard ${String(await last)}\n`);
  return ids;
});
const other = flow({ name: 'other' }, () => {
  appendFileSync(file, 'other\n');
});

const threadIds = await threaded();
console.log(JSON.stringify(threadIds.map((id) => id > 0)));
const worker = await serve([other]);
await (await startRun(other)).result();
await worker.stop();
