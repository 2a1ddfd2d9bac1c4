/** Two arbiters that hear nothing of each other but what the other writes: who writes lives, and is not taken over from (B2). */
import { beforeEach, expect, test } from 'vitest';
import { decodeEntry } from '../../protocol/segment.ts';
import { runId, segmentOf } from '../support/worlds.ts';
import { SmallWorld } from './small-world.ts';

let world: SmallWorld;
beforeEach(() => {
  world = new SmallWorld();
});

async function epochs(): Promise<number> {
  let found = 0;
  for await (const { bytes } of world.ledger.read(1)) {
    found += segmentOf(bytes).lines.filter((line) => decodeEntry(line).type === 'EPOCH').length;
  }
  return found;
}
const roles = (): string[] => world.arbiters.map(({ arbiter }) => arbiter.role);

test.each([1, 100, 600])('of two that begin at once, %i ms away, the one that lost stands by', async (latencyMs) => {
  world.latencyMs = latencyMs;
  for (const name of ['A', 'B']) world.begin(name, { alone: false });
  await world.pass(10_000);
  expect(await epochs()).toBe(1);
  expect(roles()).toEqual(['ACTIVE', 'STANDBY']);
});

test('of two that lost to each other, neither takes over from the other again and again', async () => {
  for (const name of ['A', 'B']) world.begin(name, { alone: false });
  await world.pass(3000);
  // The active one is stopped until the other has taken over, and goes on then.
  for (let round = 0; round < 3; round += 1) {
    world.arbiters.find(({ arbiter }) => arbiter.role === 'ACTIVE')?.process.stop(3000);
    await world.pass(10_000);
  }
  expect(await epochs()).toBe(4);
  expect(roles().toSorted()).toEqual(['ACTIVE', 'STANDBY']);
});

test('a standby that hears no beats does not take over while there are segments', async () => {
  world.begin('A', { alone: true });
  await world.pass(500);
  const standby = world.begin('B', { alone: false });
  standby.hearLease = () => undefined;
  const create = { kind: 'flow', name: 'f' } as const;
  for (let index = 0; index < 20; index += 1) {
    const run = runId(`flow${String(index)}`);
    world.propose(`s${String(index)}`, { kind: 'flow', run, to: { type: 'PENDING', name: 'P' }, create, counter: 0 });
    await world.pass(400);
  }
  expect([await epochs(), ...roles()]).toEqual([1, 'ACTIVE', 'STANDBY']);
  await world.pass(3000);
  expect(await epochs()).toBeGreaterThan(1);
});
