/** What happens to a wait when its process dies, or lets go of it: in memory, with the real arbiter and the real rules. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { claimOf, executed } from '../../sdk/flow-call.ts';
import { flowDefinition } from '../../sdk/flow.ts';
import {
  cancelRun,
  emitEvent,
  flow,
  flowRun,
  pause,
  receive,
  resumeRun,
  send,
  sleep,
  startRun,
  suspend,
  task,
  waitForEvent,
} from '../../sdk/index.ts';
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
  working = false;
  useClient(undefined);
  await workspace.stop();
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 3));
const kindOf = (error: unknown): unknown => (error as { kind?: unknown }).kind;
const stateOf = async (run: string): Promise<State | undefined> => (await client.runView(run as RunId))?.state;
async function until(run: () => string, type: string): Promise<State> {
  for (;;) {
    const state = run() === '' ? undefined : await stateOf(run());
    if (state?.type === type) return state;
    await turn();
  }
}
const ruledFor = async (name: string) =>
  (await workspace.rulings()).filter(
    ({ proposal }) => proposal.kind !== 'workspace' && proposal.run.includes(`.${name}-`),
  );

/** Times that a run was paused. */
const pausesOf = async (run: string): Promise<number> =>
  (await workspace.rulings()).filter(
    ({ outcome, proposal }) =>
      outcome === 'accepted' && proposal.kind === 'flow' && proposal.run === run && proposal.to.type === 'PAUSED',
  ).length;

let working = false;
/** How each execution ended, in a worker of its own. */
const ends: string[] = [];

/** Executes what is handed out, each time by another process. */
function work(...flows: readonly unknown[]): void {
  working = true;
  ends.length = 0;
  const known = new Map(flows.map((one) => [flowDefinition(one)?.settings.name, flowDefinition(one)]));
  const execute = async ({ run, version, name, parameters }: Dispatch): Promise<void> => {
    const definition = known.get(name);
    if (definition === undefined) return;
    const worker = (await workspace.connect()).client;
    const start = (basedOn?: number) => claimOf(run, basedOn ?? version);
    const read = (): unknown => worker.read(parameters);
    worker.beginWork();
    await executed({ client: worker, flow: definition, run, version, byWorker: true, parameters: read, start })
      .then(
        () => ends.push('done'),
        (error: unknown) => ends.push((error as Error).constructor.name),
      )
      .finally(() => {
        worker.endWork();
      });
  };
  let next = 0;
  const look = (): void => {
    for (const hint of workspace.hints.slice(next)) void execute(hint);
    next = workspace.hints.length;
    if (working) setTimeout(look, 3);
  };
  look();
}

describe('a worker lets go of a run that', () => {
  test('sleeps for longer than it may, and another goes on with it', async () => {
    let executions = 0;
    const effects: string[] = [];
    const step = task({ name: 'step' }, (name: string) => effects.push(name));
    const naps = flow({ name: 'naps', suspendAfter: 20 }, async () => {
      executions += 1;
      await step('before');
      await sleep(150);
      await step('after');
      return executions;
    });
    work(naps);
    const beganMs = Date.now();
    const run = await startRun(naps);
    const state = await until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Sleeping', suspended: true });
    expect(await run.result()).toBe(2);
    expect(Date.now() - beganMs).toBeGreaterThanOrEqual(149);
    expect(effects).toEqual(['before', 'after']);
    expect(ends).toEqual(['Suspended', 'done']);
  });

  test('waits for a message, and hears of it', async () => {
    const reads = flow({ name: 'reads', suspendAfter: 10 }, () => receive('go', { timeout: '3d' }));
    work(reads);
    const run = await startRun(reads);
    const state = await until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Waiting', wakeOn: [`${run.id} message:go`] });
    await run.send('go', 'on');
    expect(await run.result()).toBe('on');
  });

  test('waits for an event, which is kept for it', async () => {
    const hears = flow({ name: 'hears', suspendAfter: 10 }, () => waitForEvent('paid', { key: '7' }));
    work(hears);
    const run = await startRun(hears);
    await until(() => run.id, 'PAUSED');
    await emitEvent('paid', 'cash', { key: '7' });
    expect(await run.result()).toBe('cash');
  });

  test('waits in flows within it, and for the first of several things', async () => {
    const inner = flow({ name: 'inner' }, async () => {
      await sleep('2d');
    });
    const outer = flow({ name: 'outer', suspendAfter: 10 }, () =>
      Promise.race([inner(), receive('go'), sleep(100).then(() => 'slept')]),
    );
    work(outer);
    const run = await startRun(outer);
    const state = await until(() => run.id, 'PAUSED');
    expect(state).toMatchObject({ name: 'Waiting', wakeOn: [`${run.id} message:go`] });
    expect(state.type === 'PAUSED' && state.wakeAtMs).toBeLessThan(Date.now() + 100);
    expect(await run.result()).toBe('slept');
  });

  test('gives up waiting at the time that it said at first', async () => {
    const reads = flow({ name: 'reads', suspendAfter: 10 }, () => receive('go', { timeout: 100 }));
    work(reads);
    const beganMs = Date.now();
    const run = await startRun(reads);
    await until(() => run.id, 'PAUSED');
    expect(await run.result().catch(kindOf)).toBe('TIMED_OUT');
    expect(Date.now() - beganMs).toBeLessThan(1000);
  });

  test('is not let go of while anything is at work, or waits for less', async () => {
    const slow = task({ name: 'slow' }, () => new Promise((resolve) => setTimeout(resolve, 60)));
    const busy = flow({ name: 'busy', suspendAfter: 20 }, async () => {
      await Promise.all([sleep(65), slow()]);
      return 'one process';
    });
    work(busy);
    const run = await startRun(busy);
    expect(await run.result()).toBe('one process');
    expect(ends).toEqual(['done']);
  });

  test('is cancelled at once', async () => {
    const sleeps = flow({ name: 'sleeps', suspendAfter: 10 }, () => sleep('3d'));
    work(sleeps);
    const run = await startRun(sleeps);
    await until(() => run.id, 'PAUSED');
    await run.cancel();
    expect(await run.result().catch(kindOf)).toBe('CANCELLED');
  });
});

describe('suspend', () => {
  const input = z.object({ paid: z.boolean() });

  test('lets go of the process as soon as nothing is at work, until somebody resumes it', async () => {
    const effects: string[] = [];
    const slow = task({ name: 'slow' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      effects.push('slow');
    });
    const order = flow({ name: 'order' }, async () => {
      const [{ paid }] = await Promise.all([suspend({ key: 'payment', input, timeout: '14d' }), slow()]);
      return paid;
    });
    work(order);
    const run = await startRun(order);
    const state = await until(() => run.id, 'PAUSED');
    expect(effects).toEqual(['slow']);
    expect(state).toMatchObject({ name: 'Suspended', suspended: true, key: 'payment' });
    await expect(run.resume({ paid: 'no' })).rejects.toMatchObject({ kind: 'BAD_PARAMETERS' });
    await run.resume({ paid: true });
    expect(await run.result()).toBe(true);
    expect([effects, ends]).toEqual([['slow'], ['Suspended', 'done']]);
  });

  test('twice, once in a flow within it, and woken by something else in between', async () => {
    const inner = flow({ name: 'inner' }, () => suspend());
    const order = flow({ name: 'order' }, async () => {
      const note = receive('note');
      const first = await suspend();
      return [first, await inner(), await note];
    });
    work(order);
    const run = await startRun(order);
    const first = await until(() => run.id, 'PAUSED');
    await run.send('note', 'hello');
    for (let state = first; state.type !== 'PAUSED' || state.wakeOn?.length !== 1;) {
      state = await until(() => run.id, 'PAUSED');
    }
    await run.resume(1);
    let next = first;
    while (next.type !== 'PAUSED' || next.key === '1') next = await until(() => run.id, 'PAUSED');
    expect(next.key).toMatch(/^1 @[0-9a-f]{8}$/);
    await run.resume(2);
    expect(await run.result()).toEqual([1, 2, 'hello']);
  });

  test('in a script is refused', async () => {
    const scripted = flow({ name: 'scripted' }, () => suspend());
    expect(await scripted().catch(kindOf)).toBe('NO_WORKER');
  });
});

describe('when a worker dies', () => {
  /** As the arbiter does when it hears of a process no more. */
  async function die(run: string): Promise<void> {
    const execution = (await client.runView(run as RunId))?.execution ?? 0;
    const to: State = { type: 'CRASHED', name: 'Crashed' };
    await client.session.ask({ kind: 'flow', run: run as RunId, to, report: true, execution });
  }

  test('its run stays paused, and the next one goes on with what it is resumed with', async () => {
    const asks = flow({ name: 'asks' }, () => pause({ key: 'approval' }));
    work(asks);
    const run = await startRun(asks);
    await until(() => run.id, 'PAUSED');
    await die(run.id);
    expect(await stateOf(run.id)).toMatchObject({ type: 'PAUSED', suspended: true, key: 'approval' });
    await run.resume('yes');
    expect(await run.result()).toBe('yes');
    expect(ends).toEqual(['AssentError', 'done']);
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
    await until(() => id, 'PAUSED');
    await die(run.id);
    while (executions < 2) await turn();
    while ((await pausesOf(id)) < 2) await turn();
    await resumeRun(id, 'yes');
    expect(await run.result()).toBe('yes');
    expect(executions).toBe(2);
  });

  test('its run sleeps no longer than it would have', async () => {
    const naps = flow({ name: 'naps' }, () => sleep(300));
    work(naps);
    const beganMs = performance.now();
    const run = await startRun(naps);
    while ((await ruledFor('sleep')).length < 2) await turn();
    while (performance.now() - beganMs < 150) await turn();
    await die(run.id);
    await run.result();
    expect(performance.now() - beganMs).toBeGreaterThanOrEqual(298);
    expect(performance.now() - beganMs).toBeLessThan(448);
  });
});

describe('when the process of a script dies', () => {
  /** As the arbiter does when it hears of a process no more; and the script is started again, elsewhere. */
  async function die(run: string): Promise<void> {
    const execution = (await client.runView(run as RunId))?.execution ?? 0;
    const to: State = { type: 'CRASHED', name: 'Crashed' };
    const other = (await workspace.connect()).client;
    await other.session.ask({ kind: 'flow', run: run as RunId, to, report: true, execution });
    useClient(other);
    client = other;
    process.env['ASSENT_RESUME'] = run;
  }

  test('its sleep is over when it was to be', async () => {
    let run = '';
    const naps = flow({ name: 'naps' }, async () => {
      run = flowRun().id;
      await sleep(500);
    });
    const beganMs = performance.now();
    const first = naps().catch(kindOf);
    while ((await ruledFor('sleep')).length < 2) await turn();
    while (performance.now() - beganMs < 300) await turn();
    await die(run);
    expect(await first).toBe('FENCED');
    await naps();
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThanOrEqual(498);
    // Not 500 ms after the second process began to sleep.
    expect(tookMs).toBeLessThan(790);
  });

  test('while it was paused, it asks again, under the same key', async () => {
    let run = '';
    const asks = flow({ name: 'asks' }, async () => {
      run = flowRun().id;
      return pause({ key: 'approval' });
    });
    const first = asks().catch(kindOf);
    await until(() => run, 'PAUSED');
    await die(run);
    await first;
    const second = asks();
    expect(await until(() => run, 'PAUSED')).toMatchObject({ key: 'approval' });
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
    await until(() => run, 'PAUSED');
    link.deaf = true;
    useClient((await workspace.connect()).client);
    await resumeRun(run, 'yes');
    await die(run);
    link.deaf = false;
    link.restore();
    await first;
    expect(await asks()).toBe('yes');
    expect(await pausesOf(run)).toBe(1);
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
    while ((await ruledFor('receive')).length < 2) await turn();
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
    await until(() => run, 'RUNNING');
    await die(run);
    await first;
    const second = sleeps().catch(kindOf);
    await until(() => run, 'RUNNING');
    await cancelRun(run);
    expect(await second).toBe('CANCELLED');
  });
});
