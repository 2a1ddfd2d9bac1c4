/** What becomes of a wait when its process dies: in memory, with the real arbiter and the real rules. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { cancelRun, flow, flowRun, pause, receive, resumeRun, send, sleep, startRun } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { crash, Said, sleepOf, turn, workersOf, type Workers } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let said: Said;
let client: Client;
let link: MemoryLink;
let workers: Workers | undefined;

beforeEach(async () => {
  workspace = await memoryWorkspace();
  said = new Said(workspace);
  ({ client, link } = await workspace.connect());
  useClient(client);
});

afterEach(async () => {
  workers?.stop();
  useClient(undefined);
  await workspace.stop();
});

const kindOf = (error: unknown): unknown => (error as { kind?: unknown }).kind;
function work(...flows: readonly unknown[]): void {
  workers = workersOf(workspace, ...flows);
}

describe('when a worker dies', () => {
  test('its run stays paused, and the next one goes on with what it is resumed with', async () => {
    const asks = flow({ name: 'asks' }, () => pause({ key: 'approval' }));
    work(asks);
    const run = await startRun(asks);
    await said.until(() => run.id, 'PAUSED');
    await crash(workspace, run.id);
    expect(said.state(run.id)).toMatchObject({ type: 'PAUSED', suspended: true, key: 'approval' });
    await run.resume('yes');
    expect(await run.result()).toBe('yes');
    expect(workers?.ends).toEqual(['AssentError', 'done']);
  });

  test('a flow within its run stays paused, and nothing but a word ends that', async () => {
    let id = '';
    let executions = 0;
    const inner = flow({ name: 'inner' }, () => {
      ({ id } = flowRun());
      return pause({ key: 'approval' });
    });
    const outer = flow({ name: 'outer' }, () => {
      executions += 1;
      return inner();
    });
    work(outer);
    const run = await startRun(outer);
    await said.until(() => id, 'PAUSED');
    await crash(workspace, run.id);
    while (executions < 2) await turn();
    while ((await said.pauses(id)) < 2) await turn();
    await resumeRun(id, 'yes');
    expect(await run.result()).toBe('yes');
    expect(executions).toBe(2);
  });

  test('its run sleeps until the time that was said at first', async () => {
    const naps = flow({ name: 'naps' }, () => sleep(100));
    work(naps);
    const run = await startRun(naps);
    while ((await said.about('sleep')).length < 2) await turn();
    await crash(workspace, run.id);
    await run.result();
    const { dueMs, overMs } = await sleepOf(said);
    expect(dueMs).toHaveLength(1);
    expect(overMs).toBeGreaterThanOrEqual(dueMs[0] ?? Infinity);
  });
});

describe('when the process of a script dies', () => {
  /** It is started again, elsewhere. */
  async function die(run: string): Promise<void> {
    await crash(workspace, run);
    ({ client, link } = await workspace.connect());
    useClient(client);
    process.env['ASSENT_RESUME'] = run;
  }

  test('its sleep is over when it was to be', async () => {
    let run = '';
    const naps = flow({ name: 'naps' }, async () => {
      run = flowRun().id;
      await sleep(150);
    });
    const first = naps().catch(kindOf);
    while ((await said.about('sleep')).length < 2) await turn();
    await die(run);
    expect(await first).toBe('FENCED');
    await naps();
    const { dueMs, overMs } = await sleepOf(said);
    expect(dueMs).toHaveLength(1);
    expect(overMs).toBeGreaterThanOrEqual(dueMs[0] ?? Infinity);
  });

  test('while it was paused, it asks again, under the same key', async () => {
    let run = '';
    const asks = flow({ name: 'asks' }, async () => {
      run = flowRun().id;
      return pause({ key: 'approval' });
    });
    const first = asks().catch(kindOf);
    await said.until(() => run, 'PAUSED');
    await die(run);
    await first;
    const second = asks();
    expect(await said.until(() => run, 'PAUSED')).toMatchObject({ key: 'approval' });
    await resumeRun(run, 'yes');
    expect(await second).toBe('yes');
  });

  test('before it has heard that it was resumed, nobody is asked again', async () => {
    let run = '';
    const asks = flow({ name: 'asks' }, async () => {
      run = flowRun().id;
      return pause({ key: 'approval' });
    });
    const first = asks().catch(kindOf);
    await said.until(() => run, 'PAUSED');
    const dead = link;
    dead.deaf = true;
    useClient((await workspace.connect()).client);
    await resumeRun(run, 'yes');
    await die(run);
    dead.deaf = false;
    dead.restore();
    await first;
    expect(await asks()).toBe('yes');
    expect(await said.pauses(run)).toBe(1);
  });

  test('what it received is received, and what it sent is sent', async () => {
    let run = '';
    const got: unknown[] = [];
    const reads = flow({ name: 'reads' }, async () => {
      run = flowRun().id;
      await send(run, 'note', 'mine');
      got.push(await receive('note'));
      got.push(await receive('note'));
      return got;
    });
    const first = reads().catch(kindOf);
    while ((await said.about('receive')).length < 2) await turn();
    await die(run);
    await first;
    const second = reads();
    await send(run, 'note', 'yours');
    expect(await second).toEqual(['mine', 'mine', 'yours']);
  });

  test('a cancel finds it all the same', async () => {
    let run = '';
    const sleeps = flow({ name: 'sleeps' }, async () => {
      run = flowRun().id;
      await sleep('3d');
    });
    const first = sleeps().catch(kindOf);
    await said.until(() => run, 'RUNNING');
    await die(run);
    await first;
    const second = sleeps().catch(kindOf);
    await said.until(() => run, 'RUNNING');
    await cancelRun(run);
    expect(await second).toBe('CANCELLED');
  });
});
