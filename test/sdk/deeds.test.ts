/** What a flow does to other runs it does once: its process may die before it has heard that it was done. In memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { cancelRun, flow, flowRun, pause, resumeRun, runHandle, sleep, startRun, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';
import { crash, Said, turn, workersOf, type Workers } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let said: Said;
let link: MemoryLink;
let workers: Workers | undefined;

async function connect(): Promise<void> {
  const connected = await workspace.connect();
  ({ link } = connected);
  useClient(connected.client);
}

beforeEach(async () => {
  workspace = await memoryWorkspace();
  said = new Said(workspace);
  await connect();
});

afterEach(async () => {
  delete process.env['ASSENT_RESUME'];
  workers?.stop();
  useClient(undefined);
  await workspace.stop();
});

/** The process that is connected sends what contains this text, and hears and says nothing any more. */
function deafAfter(text: string): Promise<undefined> {
  const sent = gate();
  const dying = link;
  const propose = dying.propose.bind(dying);
  dying.propose = (session, batch) => {
    propose(session, batch);
    if (!Buffer.from(batch).toString().includes(text)) return;
    dying.deaf = true;
    dying.mute = true;
    sent.open();
  };
  return sent.opened;
}

async function startedAgain(run: string): Promise<void> {
  await crash(workspace, run);
  await connect();
  process.env['ASSENT_RESUME'] = run;
}

describe('a flow that resumes another run, and whose process dies before it hears of it,', () => {
  test('has resumed it, and not its next pause', async () => {
    const asks = flow({ name: 'asks' }, async () => [await pause({ key: 'one' }), await pause({ key: 'two' })]);
    workers = workersOf(workspace, asks);
    const run = await startRun(asks);
    await said.until(() => run.id, 'PAUSED');
    let boss = '';
    const resumes = flow({ name: 'resumes' }, async () => {
      boss = flowRun().id;
      await resumeRun(run.id, 'for one');
      return 'resumed';
    });
    const dies = deafAfter('"input"');
    void resumes().catch(() => undefined);
    await dies;
    while ((await said.pauses(run.id)) < 2) await turn();
    await startedAgain(boss);
    expect(await resumes()).toBe('resumed');
    expect(said.state(run.id)).toMatchObject({ type: 'PAUSED', key: 'two' });
    await resumeRun(run.id, 'for two');
    await said.until(() => run.id, 'COMPLETED');
    expect(await (await runHandle(run.id)).result()).toEqual(['for one', 'for two']);
  });

  test('has resumed one that is over by now', async () => {
    const asks = flow({ name: 'asks' }, () => pause());
    workers = workersOf(workspace, asks);
    const run = await startRun(asks);
    await said.until(() => run.id, 'PAUSED');
    let boss = '';
    const resumes = flow({ name: 'resumes' }, async () => {
      boss = flowRun().id;
      await resumeRun(run.id, 'on');
      return 'resumed';
    });
    const dies = deafAfter('"input"');
    void resumes().catch(() => undefined);
    await dies;
    await said.until(() => run.id, 'COMPLETED');
    await startedAgain(boss);
    expect(await resumes()).toBe('resumed');
  });

  test('resumes it if its wish came too late to be heard', async () => {
    const asks = flow({ name: 'asks' }, () => pause());
    workers = workersOf(workspace, asks);
    const run = await startRun(asks);
    await said.until(() => run.id, 'PAUSED');
    let boss = '';
    const resumes = flow({ name: 'resumes' }, async () => {
      boss = flowRun().id;
      await resumeRun(run.id, 'on');
      return 'resumed';
    });
    const reached = gate();
    const dying = link;
    const propose = dying.propose.bind(dying);
    dying.propose = (session, batch) => {
      if (Buffer.from(batch).toString().includes('"input"')) reached.open();
      else propose(session, batch);
    };
    void resumes().catch(() => undefined);
    await reached.opened;
    dying.deaf = true;
    await startedAgain(boss);
    expect(await resumes()).toBe('resumed');
    expect(await (await runHandle(run.id)).result()).toBe('on');
  });
});

test('a flow that resumes one within it does so once', async () => {
  let [outer, inner] = ['', ''];
  const asks = flow({ name: 'asks' }, () => {
    inner = flowRun().id;
    return pause();
  });
  const blocks = gate();
  const later = task({ name: 'later' }, () => (link.deaf ? new Promise(() => undefined) : 'later'));
  const resumes = flow({ name: 'resumes' }, async () => {
    outer = flowRun().id;
    const asked = asks();
    while (said.state(inner)?.type !== 'PAUSED' && said.state(inner)?.type !== 'COMPLETED') await sleep(5);
    await resumeRun(inner, 'on');
    blocks.open();
    return [await asked, await later()];
  });
  const dies = deafAfter('"name":"later"');
  void resumes().catch(() => undefined);
  await blocks.opened;
  await dies;
  await startedAgain(outer);
  expect(await resumes()).toEqual(['on', 'later']);
});

test('a word that is meant for one pause is not said to the next one', async () => {
  const asks = flow({ name: 'asks' }, async () => [await pause({ key: 'one' }), await pause({ key: 'two' })]);
  workers = workersOf(workspace, asks);
  const run = await startRun(asks);
  await said.until(() => run.id, 'PAUSED');
  const sent = gate();
  const held = gate();
  link.delayProposals(held.opened);
  const propose = link.propose.bind(link);
  link.propose = (session, batch) => {
    propose(session, batch);
    sent.open();
  };
  const late = kindOf(resumeRun(run.id, 'late'));
  await sent.opened;
  const other = await workspace.connect();
  useClient(other.client);
  await resumeRun(run.id, 'first');
  while ((await said.pauses(run.id)) < 2) await turn();
  held.open();
  expect(await late).toBe('REJECTED');
  expect(said.state(run.id)).toMatchObject({ type: 'PAUSED', key: 'two' });
});

test('a flow that cancels another run, and is executed again, has cancelled it', async () => {
  const sleeps = flow({ name: 'sleeps' }, () => sleep('3d'));
  workers = workersOf(workspace, sleeps);
  const run = await startRun(sleeps);
  await said.until(() => run.id, 'RUNNING');
  let boss = '';
  const cancels = flow({ name: 'cancels' }, async () => {
    boss = flowRun().id;
    await cancelRun(run.id, 'enough');
    return 'cancelled';
  });
  const dies = deafAfter('"CANCELLING"');
  void cancels().catch(() => undefined);
  await dies;
  await said.until(() => run.id, 'CANCELLED');
  await startedAgain(boss);
  expect(await cancels()).toBe('cancelled');
});
