/**
 * Transactions of random shape whose process dies again and again, at random: whatever completed in one is undone once each,
 * the last completed first as the ledger has it, or committed once each. In memory, with the real arbiter; by seed.
 */
import { afterEach, expect, test } from 'vitest';
import { stateAfter } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../../sdk/client/client.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, task, transaction, type CompletedCall } from '../../sdk/index.ts';
import { Seeded } from '../support/seeded.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { rootRun } from './transaction-steps.ts';
import { gate } from './waiting.ts';

type Shape =
  | { readonly type: 'STEP'; readonly name: string }
  | { readonly type: 'ALL'; readonly parts: readonly Shape[] }
  | { readonly type: 'EACH'; readonly parts: readonly Shape[] }
  | { readonly type: 'TRANSACTION'; readonly name: string; readonly part: Shape }
  | { readonly type: 'FLOW'; readonly name: string; readonly part: Shape }
  | { readonly type: 'GIVEN_UP'; readonly name: string; readonly part: Shape };

function shapeBy(chance: Seeded, depth: number, names: { next: number }): Shape {
  const name = `n${String((names.next += 1))}`;
  const kind = depth === 0 ? 0 : chance.whole(0, 5);
  if (kind === 0) return { type: 'STEP', name };
  if (kind <= 2) {
    const parts = Array.from({ length: 2 + chance.whole(0, 1) }, () => shapeBy(chance, depth - 1, names));
    return { type: kind === 1 ? 'ALL' : 'EACH', parts };
  }
  const type = kind === 3 ? 'TRANSACTION' : kind === 4 ? 'FLOW' : 'GIVEN_UP';
  return { type, name, part: shapeBy(chance, depth - 1, names) };
}

/** One process after the other; what an earlier one still does, it does for nobody. */
class Processes {
  life = 0;
  died = gate();
  readonly effects: string[] = [];
  readonly #chance: Seeded;
  #lives: number;

  constructor(chance: Seeded, lives: number) {
    this.#chance = chance;
    this.#lives = lives;
  }

  /** Something happens outside, unless the process dies right before or right after it. */
  async happens(what: string, life: number): Promise<void> {
    await this.#mayDie(life);
    this.effects.push(what);
    await this.#mayDie(life);
  }

  async #mayDie(life: number): Promise<void> {
    for (let turn = this.#chance.whole(0, 2); turn > 0; turn -= 1)
      await new Promise((resolve) => setImmediate(resolve));
    if (life === this.life && this.#lives > 0 && this.#chance.whole(0, 5) === 0) {
      this.#lives -= 1;
      this.life += 1;
      this.died.open();
    }
    if (life !== this.life) await new Promise(() => undefined);
  }
}

/** The script, as each process runs it. */
function scriptOf(shape: Shape, processes: Processes, fails: boolean): () => Promise<unknown> {
  const { life } = processes;
  const told =
    (what: string) =>
    ({ result, idempotencyKey }: CompletedCall): Promise<void> =>
      processes.happens(`${what} ${String(result)} ${idempotencyKey}`, life);
  const step = task({ name: 'step', onCommit: told('keep'), onRollback: told('undo') }, async (name: string) => {
    await processes.happens(`do ${name}`, life);
    return name;
  });
  const inside: ReadonlyMap<string, (parameters: { name: string }) => Promise<unknown>> = new Map(
    flowsIn(shape).map(({ name, part }) => [name, flow({ name }, () => done(part))]),
  );
  async function done(part: Shape): Promise<unknown> {
    switch (part.type) {
      case 'STEP':
        return step(part.name);
      case 'ALL':
        return Promise.all(part.parts.map(done));
      case 'EACH':
        for (const one of part.parts) await done(one);
        return undefined;
      case 'TRANSACTION':
        return transaction(part.name, () => done(part.part));
      case 'FLOW':
        return inside.get(part.name)?.({ name: part.name });
      case 'GIVEN_UP': {
        const given = transaction(part.name, async () => {
          await done(part.part);
          throw new Error('given up');
        });
        return given.catch(() => undefined);
      }
    }
  }
  return flow({ name: 'world' }, () =>
    transaction('all', async () => {
      await done(shape);
      if (fails) throw new Error('in the end');
      return 'done';
    }),
  );
}

function flowsIn(shape: Shape): { name: string; part: Shape }[] {
  if (shape.type === 'STEP') return [];
  if (shape.type === 'ALL' || shape.type === 'EACH') return shape.parts.flatMap(flowsIn);
  return [...(shape.type === 'FLOW' ? [shape] : []), ...flowsIn(shape.part)];
}

/** The names under transactions that were given up. */
function givenUpIn(shape: Shape, within = false): string[] {
  if (shape.type === 'STEP') return within ? [shape.name] : [];
  if (shape.type === 'ALL' || shape.type === 'EACH') return shape.parts.flatMap((part) => givenUpIn(part, within));
  return givenUpIn(shape.part, within || shape.type === 'GIVEN_UP');
}

/** The steps in the order in which they completed, as the ledger has it. */
async function completedSteps(workspace: MemoryWorkspace): Promise<string[]> {
  const seen = new Set<string>();
  return (await workspace.rulings()).flatMap((ruling) => {
    const { proposal } = ruling;
    const state = stateAfter(ruling);
    if (proposal.kind !== 'task' || state?.type !== 'COMPLETED' || !/\.step-[0-9a-f]+$/.test(proposal.run)) return [];
    if (seen.has(proposal.run)) return [];
    seen.add(proposal.run);
    return [String((JSON.parse(state.result?.inline ?? '[]') as unknown[])[0])];
  });
}

let workspace: MemoryWorkspace;
let client: Client;
let link: MemoryLink;

afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});

async function connect(): Promise<void> {
  ({ client, link } = await workspace.connect());
  useClient(client);
}

async function live(processes: Processes, script: () => () => Promise<unknown>): Promise<string> {
  for (;;) {
    await connect();
    processes.died = gate();
    const outcome = script()().then(String, String);
    const end = await Promise.race([outcome, processes.died.opened]);
    if (end !== undefined) return end;
    link.mute = true;
    link.deaf = true;
    await connect();
    const run = await rootRun(workspace);
    const { execution = 0 } = (await client.runView(run)) ?? {};
    const to: State = { type: 'CRASHED', name: 'Crashed' };
    await client.session.ask({ kind: 'flow', run, to, report: true, execution });
  }
}

const SEEDS = Number(process.env['SEEDS'] ?? 40);
const ONLY = process.env['SEED'];
const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONLY)];

test.each(seeds)('seed %i: all is undone, or kept, once each (again: SEED=<seed>)', async (seed) => {
  workspace = await memoryWorkspace();
  const chance = new Seeded(seed);
  const shape = shapeBy(chance, 3, { next: 0 });
  const fails = chance.whole(0, 1) === 0;
  const processes = new Processes(chance, chance.whole(0, 4));
  const end = await live(processes, () => scriptOf(shape, processes, fails));
  expect(end).toBe(fails ? 'Error: in the end' : 'done');
  const completed = await completedSteps(workspace);
  const givenUp = new Set(givenUpIn(shape));
  // Of an effect that the ledger had not yet when the process died, the repetition has the same key.
  const hooks = [...new Set(processes.effects.filter((effect) => !effect.startsWith('do ')))];
  const undone = hooks.filter((effect) => effect.startsWith('undo')).map((effect) => effect.split(' ')[1] ?? '');
  const kept = hooks.filter((effect) => effect.startsWith('keep')).map((effect) => effect.split(' ')[1] ?? '');
  const ofAll = completed.filter((name) => !givenUp.has(name));
  expect(new Set(completed).size).toBe(completed.length);
  expect(undone.filter((name) => givenUp.has(name)).sort()).toEqual(
    completed.filter((name) => givenUp.has(name)).sort(),
  );
  if (fails) expect(undone.filter((name) => !givenUp.has(name))).toEqual([...ofAll].reverse());
  else expect(kept.sort()).toEqual([...ofAll].sort());
  expect(kept.length === 0 || !fails).toBe(true);
});
