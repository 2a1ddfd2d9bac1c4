/** A call whose start is answered with its end, as one from the cache or one that receives: its end comes in the ledger's order. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, flowRun, INPUTS, receive, send, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate } from './waiting.ts';
import { crash } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let link: MemoryLink;

async function connect(): Promise<void> {
  const connected = await workspace.connect();
  ({ link } = connected);
  useClient(connected.client);
}

beforeEach(async () => {
  workspace = await memoryWorkspace();
  await connect();
});

afterEach(async () => {
  delete process.env['ASSENT_RESUME'];
  useClient(undefined);
  await workspace.stop();
});

const kept = task({ name: 'kept', cachePolicy: INPUTS }, (name: string) => name);
const entries: readonly [string, (name: string) => Promise<unknown>][] = [
  ['kept', kept],
  ['received', (name) => receive(name)],
];

test.each(entries)('what was %s, and what was done: the same is first in each execution', async (_, answered) => {
  const winners: unknown[] = [];
  let run = '';
  const [runs, isDone, died] = [gate(), gate(), gate()];
  const quick = task({ name: 'quick' }, async () => {
    runs.open();
    await isDone.opened;
    return 'done';
  });
  const last = task({ name: 'last' }, () => (link.deaf ? new Promise(() => undefined) : 'last'));
  const races = flow({ name: 'races' }, async () => {
    run = flowRun().id;
    await send(run, 'other', 'other');
    await kept('other');
    const first = quick();
    await runs.opened;
    winners.push(await Promise.race([first, answered('other')]));
    await last();
  });
  const dying = link;
  const propose = dying.propose.bind(dying);
  dying.propose = (session, batch) => {
    propose(session, batch);
    if (dying.deaf || !/"ordinal":1|"receives"/.test(Buffer.from(batch).toString())) return;
    // It hears nothing of that any more; but the other call is done, and says so.
    dying.deaf = true;
    isDone.open();
    setTimeout(died.open, 30);
  };
  void races().catch(() => undefined);
  await died.opened;
  dying.mute = true;
  await crash(workspace, run);
  await connect();
  process.env['ASSENT_RESUME'] = run;
  await races();
  expect(new Set(winners)).toEqual(new Set(['other']));
});
