/** What is heard of a run while its start is asked for may be older than the wish: it is no news. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import type { Client } from '../../sdk/client/client.ts';
import { flow, flowRun, setLimit, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  ({ client, link } = await workspace.connect());
  useClient(client);
});
afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

/** The run whose start is held, as soon as one is. */
async function heldRun(): Promise<RunId> {
  const find = async (): Promise<RunId | undefined> => {
    const held = (await workspace.rulings()).find(({ outcome }) => outcome === 'held');
    return held?.proposal.kind === 'flow' ? held.proposal.run : undefined;
  };
  await expect.poll(find, { interval: 5 }).toBeDefined();
  return (await find())!;
}

test('a subflow that failed in the attempt before, and waits for its slot now, is not told of that failure', async () => {
  await setLimit('one', 1);
  const on = Promise.withResolvers<undefined>();
  const hold = task({ name: 'hold', limits: ['one'] }, () => on.promise);
  const child = flow({ name: 'child', limits: ['one'] }, () => {
    if (flowRun().attempt === 1) throw new Error('not at the first attempt');
    return 'done';
  });
  const parent = flow({ name: 'parent', retries: 1 }, async () => {
    if (flowRun().attempt === 1) return child();
    const holding = hold.submit();
    const made = child();
    const run = await heldRun();
    // The connection was lost, and is there again: the client asks after all its runs, this one after them.
    link.restore();
    await client.runView(run);
    on.resolve(undefined);
    await holding;
    return made;
  });
  expect(await parent()).toBe('done');
});
