/** Transactions that lock in opposite order: one of the two gives way, is undone, and tries again. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, task, transaction, type AssentError, type CompletedCall } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;
beforeEach(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});
afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

const locked = (key: string, block: () => unknown): Promise<unknown> =>
  transaction({ name: `lock ${key}`, key, isolation: 'serializable' }, block);

/** Two flow runs that each have one lock before either asks for the other. */
function crossing(retries: number): { move: (input: { from: string; to: string }) => Promise<unknown>; log: string[] } {
  const log: string[] = [];
  const [one, other] = [gate(), gate()];
  const book = task(
    {
      name: 'book',
      onRollback: (call: CompletedCall<[string]>) => {
        log.push(`undo ${call.inputs[0]}`);
      },
    },
    (what: string) => {
      log.push(what);
      return what;
    },
  );
  const move = flow({ name: 'move', retries }, ({ from, to }: { from: string; to: string }) =>
    locked(from, async () => {
      await book(`${from} to ${to}`);
      (from === 'a' ? one : other).open();
      await Promise.all([one.opened, other.opened]);
      return locked(to, () => `moved ${from} to ${to}`);
    }),
  );
  return { move, log };
}

test('the newest wish is refused with the reason, and what its flow did is undone; the other goes on', async () => {
  const { move, log } = crossing(0);
  const ends = await Promise.allSettled([move({ from: 'a', to: 'b' }), move({ from: 'b', to: 'a' })]);
  const moved = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  const [error] = ends.flatMap((end): unknown[] => (end.status === 'rejected' ? [end.reason] : []));
  expect(moved).toHaveLength(1);
  expect(await kindOf(Promise.reject(error as AssentError))).toBe('REJECTED');
  expect((error as AssentError).message).toMatch(
    /DEADLOCK, it would wait for itself: .* waits for 'transaction' for '[ab]', which .* holds; .* holds/,
  );
  expect(log.filter((line) => line.startsWith('undo'))).toHaveLength(1);
});

test('a flow with a retry tries again, and both come through', async () => {
  const { move, log } = crossing(1);
  const ends = await Promise.all([move({ from: 'a', to: 'b' }), move({ from: 'b', to: 'a' })]);
  expect(ends).toEqual(['moved a to b', 'moved b to a']);
  expect(log.filter((line) => line.startsWith('undo'))).toHaveLength(1);
});
