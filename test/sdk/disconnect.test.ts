/** A process that disconnects while it executes runs, and while it waits for others'. */
import { afterEach, expect, test } from 'vitest';
import { disconnect, flow, flowRun, runHandle, sleep, startRun, task, taskRun } from '../../sdk/index.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';

let workspace: MemoryWorkspace;

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

async function begin(settings: Parameters<typeof memoryWorkspace>[0] = {}): Promise<void> {
  workspace = await memoryWorkspace(settings);
  useClient((await workspace.connect()).client);
}

test('a flow that runs is let go: its caller and its functions are told, and nothing of it is proposed', async () => {
  await begin();
  const begun = gate();
  const told: unknown[] = [];
  const long = task({ name: 'long' }, async () => {
    const { signal } = taskRun();
    begun.open();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    told.push(signal.reason);
  });
  const late = task({ name: 'late' }, () => undefined);
  const child = flow({ name: 'child' }, () => long());
  const parent = flow({ name: 'parent' }, async () => {
    await child().catch(() => undefined);
    told.push(await kindOf(late()));
  });
  const called = parent();
  await begun.opened;
  const before = await workspace.rulings();
  await disconnect();
  await expect(called).rejects.toThrow('not this process’s any more: this process has disconnected');
  await expect.poll(() => told).toMatchObject([{ kind: 'FENCED' }, 'FENCED']);
  expect(await workspace.rulings()).toHaveLength(before.length);
});

test('so is one that only waits, and whoever waits for the end of another run is told too', async () => {
  await begin();
  const begun = gate();
  const patient = flow({ name: 'patient' }, async () => {
    begun.open();
    await sleep('1h');
  });
  const sleeping = kindOf(patient());
  const elsewhere = await startRun(flow({ name: 'elsewhere' }, () => 'never'));
  const waiting = [kindOf(elsewhere.result()), kindOf((await runHandle(elsewhere.id)).result())];
  await begun.opened;
  await disconnect();
  expect(await Promise.all([sleeping, ...waiting])).toEqual(['FENCED', 'FENCED', 'FENCED']);
});

test('it goes on in the next connection, and what was done is not done again', async () => {
  await begin({ heartbeatLimitMs: 200 });
  const done: string[] = [];
  const middle = gate();
  const step = task({ name: 'step' }, (name: string) => {
    done.push(name);
  });
  let isOver = false;
  const steps = flow({ name: 'steps' }, async () => {
    await step('one');
    middle.open();
    if (!isOver) await sleep('1h');
    await step('two');
    return flowRun().attempt;
  });
  const called = kindOf(steps());
  await middle.opened;
  await disconnect();
  expect(await called).toBe('FENCED');
  isOver = true;
  const wanted = async (): Promise<unknown[]> =>
    (await workspace.rulings()).map(({ proposal }) => ('to' in proposal ? proposal.to.type : undefined));
  await expect.poll(wanted, { timeout: 5000 }).toContain('CRASHED');
  useClient((await workspace.connect()).client);
  expect(await steps()).toBe(2);
  expect(done).toEqual(['one', 'two']);
});
