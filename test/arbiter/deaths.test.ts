/** What becomes of the runs of a process that is known to have ended. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { replayProblems } from '../support/replayed.ts';
import { runId } from '../support/worlds.ts';
import { SmallWorld } from './small-world.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const FLOW = runId('flow');
const start = { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } } as const;

let world: SmallWorld;
beforeEach(() => {
  world = new SmallWorld();
});
afterEach(async () => {
  expect(await replayProblems(world.ledger)).toEqual([]);
});

describe('a process that is found dead', () => {
  const CRASHED = { type: 'CRASHED', name: 'Crashed', message: 'process 7 on here is gone' } as const;
  const [twin, other] = [runId('twin'), runId('other')];
  const dead = { kind: 'flow', run: FLOW, to: CRASHED, report: true, execution: 1 };
  const ends = async (): Promise<unknown[]> =>
    (await world.rulings()).flatMap(({ proposal, outcome }) =>
      proposal.kind !== 'workspace' && proposal.to.type === 'CRASHED' ? [[proposal.run, proposal.by, outcome]] : [],
    );

  beforeEach(async () => {
    world.begin();
    world.propose('one', { ...start, counter: 0 }, { ...start, run: twin, counter: 1 });
    world.propose('two', { ...start, run: other, counter: 0 });
    await world.pass(100);
  });

  test('by another has all its runs ruled crashed in one moment, and nobody else’s', async () => {
    world.propose('two', { ...dead, counter: 1 });
    await world.pass(100);
    expect(await ends()).toEqual([
      [FLOW, 'sdk', 'accepted'],
      [twin, 'engine', 'accepted'],
    ]);
  });

  test('by its own word about one run has lost that one', async () => {
    world.propose('one', { ...dead, counter: 2 });
    await world.pass(100);
    expect(await ends()).toEqual([[FLOW, 'sdk', 'accepted']]);
  });

  test('by one who is out of date has lost nothing', async () => {
    world.propose('two', { ...dead, execution: 0, counter: 1 });
    await world.pass(100);
    expect(await ends()).toEqual([[FLOW, 'sdk', 'rejected']]);
  });

  test('with the last engine is ruled crashed at once by the next', async () => {
    await world.arbiters[0]?.arbiter.stop();
    await world.pass(100);
    world.begin('B', { gone: (session: string) => (session === 'one' ? 'process 7 on here' : undefined) });
    await world.pass(500);
    expect(await ends()).toEqual([
      [FLOW, 'engine', 'accepted'],
      [twin, 'engine', 'accepted'],
    ]);
  });
});
