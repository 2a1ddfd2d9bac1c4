/** How a worker that is to end lets go of its runs, and another goes on with them: in memory, with the real arbiter and rules. */
import { setTimeout as pauseFor } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { concurrent, flow, pause, setLimit, sleep, startRun, task, transaction } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { Said, turn, workersOf, type Workers } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let said: Said;
let workers: Workers;
let done: string[];

beforeEach(async () => {
  workspace = await memoryWorkspace();
  said = new Said(workspace);
  done = [];
  useClient((await workspace.connect()).client);
});

afterEach(async () => {
  workers.stop();
  useClient(undefined);
  await workspace.stop();
});

function work(...flows: readonly unknown[]): void {
  workers = workersOf(workspace, ...flows);
}

async function letGo(): Promise<void> {
  while (workers.ends.length === 0) await turn();
}

/** Its worker is told to end while this is at work. */
const last = task({ name: 'last' }, async (name: string) => {
  workers.release();
  await pauseFor(20);
  done.push(name);
});
const step = task({ name: 'step' }, (name: string) => {
  done.push(name);
});

describe('a worker that is to end lets go of a run', () => {
  test('between two calls: each is done once, and it is the same attempt', async () => {
    const runs = flow({ name: 'runs' }, async () => {
      await step('a');
      await last('b');
      await step('c');
      await step('d');
    });
    work(runs);
    const run = await startRun(runs);
    await run.result();
    expect(done).toEqual(['a', 'b', 'c', 'd']);
    expect(workers.ends).toEqual(['Suspended', 'done']);
    expect(workspace.arbiter.workspace.runs.get(run.id)).toMatchObject({ attempt: 1, resumes: 0 });
  });

  test('when all that is at work at once is done; what waits to begin does so elsewhere', async () => {
    const names = Array.from({ length: 12 }, (_, index) => String(index));
    const maps = flow({ name: 'maps', taskRunner: concurrent({ limit: 3 }) }, () =>
      Promise.all([last('last'), ...names.map((name) => step(name))]),
    );
    work(maps);
    await (await startRun(maps)).result();
    expect(done.toSorted()).toEqual([...names, 'last'].toSorted());
    expect(workers.ends).toEqual(['Suspended', 'done']);
  });

  test('in a flow within it', async () => {
    const inner = flow({ name: 'inner' }, async ({ of }: { of: string }) => {
      await last(`last of ${of}`);
      await step(`step of ${of}`);
    });
    const outer = flow({ name: 'outer' }, () => Promise.all([inner({ of: 'a' }), sleep(50)]));
    work(outer);
    await (await startRun(outer)).result();
    expect(done).toEqual(['last of a', 'step of a']);
    expect(workers.ends).toEqual(['Suspended', 'done']);
  });

  test('after the transaction that is open, with all that belongs to it', async () => {
    const books = flow({ name: 'books' }, async () => {
      await transaction('booking', async () => {
        await last('flight');
        await step('hotel');
      });
      await step('mail');
    });
    work(books);
    const run = await startRun(books);
    await run.result();
    expect(done).toEqual(['flight', 'hotel', 'mail']);
    expect(workers.ends).toEqual(['Suspended', 'done']);
    expect((await said.about('hotel')).length).toBe(0);
  });

  test('that waits for a further attempt of a task, which keeps its time', async () => {
    let attempts = 0;
    const fails = task({ name: 'fails', retries: 1, retryDelay: 300 }, () => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
    });
    const tries = flow({ name: 'tries' }, () => fails());
    work(tries);
    const run = await startRun(tries);
    while (attempts === 0 || (await said.about('fails')).length < 2) await turn();
    workers.release();
    await letGo();
    expect(attempts).toBe(1);
    await run.result();
    expect(attempts).toBe(2);
    expect(workers.ends).toEqual(['Suspended', 'done']);
  });

  test('that waits for a slot', async () => {
    await setLimit('door', 0);
    const enters = task({ name: 'enters', limits: ['door'] }, () => done.push('in'));
    const visits = flow({ name: 'visits' }, () => enters());
    work(visits);
    const run = await startRun(visits);
    await said.until(() => run.id, 'RUNNING');
    workers.release();
    await letGo();
    await setLimit('door', 1);
    await run.result();
    expect(done).toEqual(['in']);
  });

  test('that waits for a further attempt of the flow, which keeps its time', async () => {
    let attempts = 0;
    const fails = flow({ name: 'fails', retries: 1, retryDelay: 400 }, () => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
    });
    work(fails);
    const run = await startRun(fails);
    await said.until(() => run.id, 'SCHEDULED');
    workers.release();
    await run.result();
    expect([attempts, ...workers.ends]).toEqual([2, 'Suspended', 'done']);
  });

  test('that is paused: whoever goes on with it waits for the same word', async () => {
    const asks = flow({ name: 'asks' }, () => pause({ key: 'sure?' }));
    work(asks);
    const run = await startRun(asks);
    await said.until(() => run.id, 'PAUSED');
    workers.release();
    await letGo();
    expect(said.state(run.id)).toMatchObject({ type: 'PAUSED', suspended: true, key: 'sure?' });
    await run.resume();
    await run.result();
    expect(workers.ends).toEqual(['Suspended', 'done']);
  });
});
