/** Flows called by flows: their identity, their retries, their place on the ledger. In memory, with the real arbiter. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RunId } from '../../protocol/ids.ts';
import { stateAfter } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { AssentError, flow, flowRun, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;
let seen: string[] = [];

beforeEach(async () => {
  workspace = await memoryWorkspace();
  ({ client, link } = await workspace.connect());
  useClient(client);
  seen = [];
});

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

const step = task({ name: 'step' }, (name: string) => {
  seen.push(name);
  return name;
});

/** The runs of this name, each with the states that it went through. */
async function runsOf(name: string): Promise<{ run: string; parent: string | undefined; path: string[] }[]> {
  const rulings = await workspace.rulings();
  const created = new Map(
    rulings.flatMap(({ proposal: p }) =>
      p.kind !== 'workspace' && p.create?.name === name ? [[p.run, p.create.parent] as const] : [],
    ),
  );
  return [...created].map(([run, parent]) => ({
    run,
    parent,
    path: rulings.flatMap((ruling) => {
      const state = stateAfter(ruling);
      return ruling.proposal.kind !== 'workspace' && ruling.proposal.run === run && state !== undefined
        ? [state.name]
        : [];
    }),
  }));
}

const rootRun = async (): Promise<RunId> => {
  const first = (await workspace.rulings()).find(({ proposal }) => proposal.kind === 'flow')?.proposal;
  return first?.kind === 'flow' ? first.run : ('' as RunId);
};

/** The process dies; another one is there, and the run is ruled crashed. */
async function crash(): Promise<void> {
  link.mute = true;
  link.deaf = true;
  ({ client, link } = await workspace.connect());
  useClient(client);
  const to: State = { type: 'CRASHED', name: 'Crashed' };
  await client.session.ask({ kind: 'flow', run: await rootRun(), to, report: true, execution: 1 });
}

describe('a parent that is tried again', () => {
  test('meets the child that completed: it does not run, and there is no second one', async () => {
    const child = flow({ name: 'child' }, async ({ n }: { n: number }) => {
      seen.push('child');
      await step('inside');
      return n * 2;
    });
    const parent = flow({ name: 'parent', retries: 2 }, async () => {
      const doubled = await child({ n: 21 });
      if (flowRun().attempt < 3) throw new Error('again');
      return doubled;
    });
    expect(await parent()).toBe(42);
    expect(seen).toEqual(['child', 'inside']);
    const children = await runsOf('child');
    expect(children).toHaveLength(1);
    expect(children[0]?.path[0]).toBe('Running');
    expect(new Set(children[0]?.path.slice(1))).toEqual(new Set(['Completed']));
  });

  test('meets the child that failed: the same run goes on, and keeps what it had completed', async () => {
    const child = flow({ name: 'child' }, async () => {
      await step('first');
      if (flowRun().attempt === 1) throw new RangeError('bad luck');
      return step('second');
    });
    const parent = flow({ name: 'parent', retries: 1 }, () => child());
    expect(await parent()).toBe('second');
    expect(seen).toEqual(['first', 'second']);
    const [only, ...others] = await runsOf('child');
    expect(others).toEqual([]);
    expect(only?.path).toEqual(['Running', 'Failed', 'Running', 'Completed']);
  });

  test('whose children are equal calls meets each of them, in their order', async () => {
    const ids: string[][] = [];
    const child = flow({ name: 'child' }, () => flowRun().id);
    const parent = flow({ name: 'parent', retries: 1 }, async () => {
      ids.push(await Promise.all([child(), child()]));
      if (flowRun().attempt === 1) throw new Error('again');
    });
    await parent();
    expect(ids[0]).toEqual(ids[1]);
    expect(new Set(ids[0]).size).toBe(2);
    expect(await runsOf('child')).toHaveLength(2);
  });
});

describe('a child', () => {
  test('with retries of its own is tried again without its parent knowing; when that is, it goes on with those it has left', async () => {
    const attempts: number[] = [];
    const child = flow({ name: 'child', retries: 1 }, async () => {
      await step('kept');
      attempts.push(flowRun().attempt);
      if (attempts.length < 3) throw new Error('not yet');
      return 'at last';
    });
    let parents = 0;
    const parent = flow({ name: 'parent', retries: 1 }, () => {
      parents += 1;
      return child();
    });
    expect(await parent()).toBe('at last');
    expect(attempts).toEqual([1, 2, 3]);
    expect(parents).toBe(2);
    expect(seen).toEqual(['kept']);
    expect(await runsOf('child')).toHaveLength(1);
  });

  test('that was at work when the process died goes on: what it completed is not repeated', async () => {
    const { promise: dying, resolve: dies } = Promise.withResolvers<undefined>();
    let mortal = true;
    const hang = task({ name: 'hang' }, async () => {
      if (!mortal) return;
      mortal = false;
      dies(undefined);
      await new Promise(() => undefined);
    });
    const grandchild = flow({ name: 'grandchild' }, async () => {
      await step('in the grandchild');
      await hang();
      return step('after it');
    });
    const child = flow({ name: 'child', retries: 1 }, async () => {
      await step('in the child');
      return grandchild();
    });
    const parent = flow({ name: 'parent' }, () => child());
    parent().catch(() => undefined);
    await dying;
    await crash();
    expect(await parent()).toBe('after it');
    expect(seen).toEqual(['in the child', 'in the grandchild', 'after it']);
    for (const name of ['child', 'grandchild']) expect(await runsOf(name)).toHaveLength(1);
  });

  test('that failed for good before the process died fails the same way, without running', async () => {
    const { promise: dying, resolve: dies } = Promise.withResolvers<undefined>();
    let mortal = true;
    const hang = task({ name: 'hang' }, async () => {
      if (!mortal) return;
      mortal = false;
      dies(undefined);
      await new Promise(() => undefined);
    });
    const child = flow({ name: 'child' }, (): string => {
      seen.push('child');
      throw new RangeError('for good');
    });
    const parent = flow({ name: 'parent' }, async () => {
      const said = await child().catch((error: unknown) => String(error));
      await hang();
      return said;
    });
    parent().catch(() => undefined);
    await dying;
    await crash();
    expect(await parent()).toBe('RangeError: for good');
    expect(seen).toEqual(['child']);
  });

  test('checks its own parameters before it begins, and gets what its schema gives', async () => {
    const child = flow({ name: 'child', parameters: z.object({ n: z.coerce.number().max(9) }) }, ({ n }) => n + 1);
    const parent = flow({ name: 'parent' }, async ({ n }: { n: string }) => child({ n }));
    expect(await parent({ n: '7' })).toBe(8);
    const error: unknown = await parent({ n: '10' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AssentError);
    expect(error).toMatchObject({ kind: 'BAD_PARAMETERS' });
    expect(String(error)).toContain("flow 'child'");
    expect(await runsOf('child')).toHaveLength(1);
  });

  test('is linked to its parent, and each has its own parameters and state on the ledger', async () => {
    const child = flow({ name: 'child' }, ({ n }: { n: number }) => {
      if (n > 1) throw new Error('too many');
      return n;
    });
    let run = '';
    const parent = flow({ name: 'parent' }, async (_: { days: number }) => {
      run = flowRun().id;
      await child({ n: 1 });
      return child({ n: 2 }).catch(() => 'went on');
    });
    expect(await parent({ days: 2 })).toBe('went on');
    const children = await runsOf('child');
    expect(children.map(({ parent: of }) => of)).toEqual([run, run]);
    expect(children.map(({ path }) => path.at(-1))).toEqual(['Completed', 'Failed']);
    expect(children.every((one) => one.run.startsWith(`${run}.`))).toBe(true);
    expect((await client.runView(run as RunId))?.state).toMatchObject({ type: 'COMPLETED' });
    const views = await Promise.all(children.map((one) => client.runView(one.run as RunId)));
    const given = await Promise.all(views.map((view) => client.read(view?.parameters as never)));
    expect(given).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
