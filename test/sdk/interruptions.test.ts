/** Cancelling, fencing, resuming, and answers and orders that get lost: in memory, with the real arbiter. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { RunId } from '../../protocol/ids.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import {
  type AssentError,
  cancelRun,
  flow,
  flowRun,
  runHandle,
  runLogger,
  setLimit,
  startRun,
  task,
  taskRun,
} from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { gate, kindOf } from './waiting.ts';

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

const stateOf = async (run: string): Promise<State | undefined> => (await client.runView(run as RunId))?.state;

test('a cancelled flow is told by its signal, its waiting tasks reject, and its call rejects CANCELLED', async () => {
  await setLimit('one', 1);
  const begun = gate();
  const seen: string[] = [];
  const long = task({ name: 'long', limits: ['one'] }, async () => {
    begun.open();
    const { signal } = taskRun();
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        seen.push((signal.reason as AssentError).kind);
        resolve();
      });
    });
  });
  let run = '';
  const patient = flow({ name: 'patient' }, async () => {
    run = flowRun().id;
    const held = kindOf(long().then(() => long()));
    await kindOf(long());
    seen.push(await held);
    seen.push(await kindOf(long()));
    return 'evidence';
  });
  const outcome = kindOf(patient());
  await begun.opened;
  await cancelRun(run, 'enough');
  expect(await outcome).toBe('CANCELLED');
  expect(seen).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
  expect(await stateOf(run)).toMatchObject({ type: 'CANCELLED' });
});

test('a run that went on elsewhere rejects FENCED, and proposes nothing more', async () => {
  const begun = gate();
  const on = gate();
  const first = task({ name: 'first' }, () => {
    begun.open();
    return on.opened;
  });
  const second = task({ name: 'second' }, () => 'a second effect');
  let run = '' as RunId;
  const zombie = flow({ name: 'zombie' }, async () => {
    run = flowRun().id as RunId;
    await first();
    return second();
  });
  const outcome = kindOf(zombie());
  await begun.opened;
  const other = (await workspace.connect()).client;
  link.deaf = true;
  const execution = (await other.runView(run))?.execution ?? 0;
  const crashed: State = { type: 'CRASHED', name: 'Crashed' };
  await other.session.ask({ kind: 'flow', run, to: crashed, report: true, execution });
  const view = await other.runView(run);
  await other.session.ask({
    kind: 'flow',
    run,
    to: { type: 'RUNNING', name: 'Running' },
    basedOn: view?.version ?? 0,
    claim: true,
  });
  link.deaf = false;
  on.open();
  link.restore();
  expect(await outcome).toBe('FENCED');
  const accepted = (await workspace.rulings()).filter(
    ({ proposal, outcome: ruled }) =>
      proposal.kind === 'task' && ruled === 'accepted' && proposal.create?.name === 'second',
  );
  expect(accepted).toHaveLength(0);
});

test('a script that runs again resumes its crashed run: completed tasks are not repeated, the rest goes on', async () => {
  const effects: string[] = [];
  let crash = true;
  const crashing = gate();
  const step = task({ name: 'step' }, async (name: string) => {
    if (crash && name === 'c') {
      crashing.open();
      await new Promise(() => undefined);
    }
    effects.push(name);
    return name.toUpperCase();
  });
  const letters = flow({ name: 'letters' }, async ({ list }: { list: string[] }) => {
    const done: string[] = [];
    for (const one of list) done.push(await step(one));
    return { done, attempt: flowRun().attempt };
  });
  const input = { list: ['a', 'b', 'c', 'd'] };
  void letters(input).catch(() => undefined);
  await crashing.opened;
  // The process dies: it says and hears nothing more.
  link.mute = true;
  link.deaf = true;
  crash = false;
  const survivor = (await workspace.connect()).client;
  useClient(survivor);
  const [started] = (await workspace.rulings()).filter(({ proposal }) => proposal.kind === 'flow');
  const run = started?.proposal.kind === 'flow' ? started.proposal.run : ('' as RunId);
  await survivor.session.ask({
    kind: 'flow',
    run,
    to: { type: 'CRASHED', name: 'Crashed' },
    report: true,
    execution: 1,
  });
  expect(await letters(input)).toEqual({ done: ['A', 'B', 'C', 'D'], attempt: 2 });
  expect(effects).toEqual(['a', 'b', 'c', 'd']);
  expect(await letters(input)).toMatchObject({ attempt: 1 });
});

test('a run that ASSENT_RESUME names goes on with the parameters that it was started with', async () => {
  let broken = true;
  const load = task({ name: 'load' }, (n: number) => {
    if (broken) throw new Error('broken');
    return n;
  });
  const typed = flow({ name: 'typed', parameters: z.object({ n: z.number() }) }, ({ n }) => load(n));
  expect(await kindOf(typed({ n: 7 }))).toBe('Error: broken');
  broken = false;
  const run = (await workspace.rulings())[0]?.proposal;
  process.env['ASSENT_RESUME'] = run?.kind === 'flow' ? run.run : '';
  expect(await kindOf(flow({ name: 'other' }, () => 1)())).toBe('REJECTED');
  process.env['ASSENT_RESUME'] = run?.kind === 'flow' ? run.run : '';
  expect(await typed({} as { n: number })).toBe(7);
  process.env['ASSENT_RESUME'] = 'zzzzzzzzzzzzzzzz';
  expect(await kindOf(typed({ n: 7 }))).toBe('RUN_NOT_FOUND');
  expect(process.env['ASSENT_RESUME']).toBeUndefined();
});

test('a session that the arbiter has closed is replaced, and the call goes on', async () => {
  const hello = flow({ name: 'hello' }, () => 'hello');
  expect(await hello()).toBe('hello');
  workspace.arbiter.incarnation?.closeSilentSessions(-1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await hello()).toBe('hello');
  const expired = (await workspace.rulings()).filter(({ trail }) => JSON.stringify(trail).includes('SESSION_EXPIRED'));
  expect(expired).toHaveLength(1);
});

test('a call at the same time as an equal one is a run of its own', async () => {
  const runs = new Set<string>();
  const both = gate();
  const first = gate();
  const twin = flow({ name: 'twin' }, async () => {
    runs.add(flowRun().id);
    first.open();
    if (runs.size === 2) both.open();
    await both.opened;
  });
  const one = twin();
  await first.opened;
  await Promise.all([one, twin()]);
  expect(runs.size).toBe(2);
});

test('lost batches and lost answers are made good, and nothing runs twice', async () => {
  let effects = 0;
  const count = task({ name: 'count' }, (n: number) => {
    effects += 1;
    if (n === 1) link.mute = true;
    if (n === 3) link.deaf = true;
    if (n === 1 || n === 3)
      setTimeout(() => {
        link.mute = false;
        link.deaf = false;
        link.restore();
      }, 20);
    return n;
  });
  const sum = flow({ name: 'sum' }, async () => {
    let total = 0;
    for (let i = 0; i < 5; i += 1) total += await count(i);
    return total;
  });
  expect(await sum()).toBe(10);
  expect(effects).toBe(5);
  const ends = (await workspace.rulings()).filter(
    ({ proposal, outcome }) => proposal.kind === 'task' && proposal.to.type === 'COMPLETED' && outcome === 'accepted',
  );
  expect(ends).toHaveLength(5);
});

test('a cancel whose order was lost is learnt when the link is back', async () => {
  const begun = gate();
  let run = '';
  const endless = flow({ name: 'endless' }, async () => {
    run = flowRun().id;
    begun.open();
    const { signal } = flowRun();
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
  });
  const outcome = kindOf(endless());
  await begun.opened;
  link.deaf = true;
  const other = (await workspace.connect()).client;
  await other.session.ask({ kind: 'flow', run: run as RunId, to: { type: 'CANCELLING', name: 'Cancelling' } });
  link.deaf = false;
  link.restore();
  expect(await outcome).toBe('CANCELLED');
});

test('a run that is seen to run before its claim is answered is this process’s own', async () => {
  const begun = gate();
  const outcome = flow({ name: 'seen-early' }, () => {
    begun.open();
    return 'mine';
  })();
  // The claim is ruled on, and its answer is lost.
  link.deaf = true;
  for (let ruled = 0; ruled === 0; ruled = (await workspace.rulings()).length)
    await new Promise((resolve) => setImmediate(resolve));
  const held = Promise.withResolvers<undefined>();
  link.delayProposals(held.promise);
  link.deaf = false;
  // The run is asked after before the claim is proposed again.
  link.restore();
  await link.answered('RUN');
  held.resolve(undefined);
  await begun.opened;
  expect(await outcome).toBe('mine');
});

test('a task that asks for more slots than there are is refused, with the rule’s reason', async () => {
  await setLimit('two', 2);
  const greedy = task({ name: 'greedy', limits: { two: 3 } }, () => 1);
  const error = await flow({ name: 'greedy-flow' }, () => greedy())().catch((caught: unknown) => caught);
  expect((error as AssentError).kind).toBe('REJECTED');
  expect((error as AssentError).message).toContain('NEVER_FITS');
});

test('no more tasks run at once than a limit has slots', async () => {
  await setLimit('three', 3);
  let now = 0;
  let most = 0;
  const busy = task({ name: 'busy', limits: ['three'] }, async (n: number) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return n;
  });
  const all = await flow({ name: 'crowd' }, () => Promise.all(Array.from({ length: 20 }, (_, n) => busy(n))))();
  expect(all).toEqual(Array.from({ length: 20 }, (_, n) => n));
  expect(most).toBe(3);
});

test('a run that was started for a worker is offered, and its handle hears of its end', async () => {
  const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
  const handle = await startRun(square, { n: 7 }, { pool: 'p', queue: 'q' });
  expect(workspace.hints).toMatchObject([{ run: handle.id, name: 'square', pool: 'p', queue: 'q' }]);
  const { client: worker } = await workspace.connect();
  const run = handle.id as RunId;
  const result = handle.result();
  const claimed = await worker.session.ask({
    kind: 'flow',
    run,
    to: { type: 'RUNNING', name: 'Running' },
    basedOn: 1,
    claim: true,
  });
  const execution = claimed.execution ?? 0;
  await worker.session.ask({
    kind: 'flow',
    run,
    to: { type: 'COMPLETED', name: 'Completed' },
    report: true,
    execution,
  });
  expect(await result).toBeUndefined();
  expect(link.held).toBe(0);
});

test('two starts with one key are one run', async () => {
  const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
  const [one, two] = [await startRun(square, { n: 7 }, { key: 'k' }), await startRun(square, { n: 7 }, { key: 'k' })];
  expect(one.id).toBe(two.id);
  expect(workspace.hints).toHaveLength(1);
});

test('whoever asks for a run that is there already is told of its end too, and a handle is had by its id', async () => {
  const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
  const { id } = await startRun(square, { n: 7 }, { key: 'k' });
  const run = id as RunId;
  const other = await workspace.connect();
  useClient(other.client);
  const again = await startRun(square, { n: 7 }, { key: 'k' });
  // It is told, and does not find out: what it could ask is not answered.
  other.client.runView = () => new Promise(() => undefined);
  const told = again.result();
  const { client: worker } = await workspace.connect();
  const claim = { kind: 'flow', run, to: { type: 'RUNNING', name: 'Running' }, claim: true } as const;
  const { execution = 0 } = await worker.session.ask({ ...claim, basedOn: 1 });
  const done: State = { type: 'COMPLETED', name: 'Completed' };
  await worker.session.ask({ kind: 'flow', run, to: done, report: true, execution });
  expect(await told).toBeUndefined();
  useClient(client);
  expect(await (await runHandle(id)).result()).toBeUndefined();
  await expect(runHandle('zzzzzzzzzzzzzzzz')).rejects.toMatchObject({ kind: 'RUN_NOT_FOUND' });
});

test('the lines of a run’s logger carry the run and the task, and are sent at its end at the latest', async () => {
  const load = task({ name: 'load' }, () => {
    runLogger().info({ rows: 3 }, 'loaded');
  });
  let run = '';
  await flow({ name: 'nightly' }, async () => {
    run = flowRun().id;
    runLogger().warn('begins');
    await load();
  })();
  const lines = link.logged
    .flatMap(({ lines: batch }) => batch.trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([
    { flowRun: run, msg: 'begins', level: 40 },
    { flowRun: run, task: 'load', msg: 'loaded', rows: 3 },
  ]);
  expect(link.logged.every((batch) => batch.run === run)).toBe(true);
});

test('a process beats while it executes, and stops when it is done', async () => {
  await flow({ name: 'short' }, () => 1)();
  expect(link.beats).toMatchObject([{ v: 1, pid: process.pid }]);
});
