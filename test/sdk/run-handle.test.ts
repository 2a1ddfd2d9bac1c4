/** Two who wait for the same run in one process: an execution that was fenced, and the next one of the same flow run. */
import { expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, startRun } from '../../sdk/index.ts';
import { AwaitedRun } from '../../sdk/run-handle.ts';
import { memoryWorkspace } from './arbiter-in-memory.ts';
import { workersOf } from './workers-in-memory.ts';

test('one that leaves leaves alone', async () => {
  const workspace = await memoryWorkspace();
  const { client } = await workspace.connect();
  useClient(client);
  const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
  const { id } = await startRun(square, { n: 3 });
  const [one, other] = [1, 2].map(() => AwaitedRun.of(client, id as RunId, 'The run'));
  const left = Promise.withResolvers<never>();
  const first = one?.result(left.promise).catch((error: unknown) => (error as Error).message);
  const second = other?.result();
  left.reject(new Error('it is fenced'));
  one?.leave(new Error('it is fenced'));
  expect(await first).toBe('it is fenced');
  const workers = workersOf(workspace, square);
  expect(await second).toBe(9);
  workers.stop();
  useClient(undefined);
  await workspace.stop();
});
