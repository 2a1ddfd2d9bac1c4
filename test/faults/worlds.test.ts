/**
 * Faults in flight. Each seed is a world: frames are lost, late and cut, and processes and the server are killed and
 * stopped, under load. `SEED=n` runs one, `SEEDS=n` the first n; by default a fixed few.
 */
import { expect, test } from 'vitest';
import { world, type Met } from './world.ts';

const DEFAULT_SEEDS = 5;

const { SEED, SEEDS } = process.env;
const seeds =
  SEED === undefined ? Array.from({ length: Number(SEEDS ?? DEFAULT_SEEDS) }, (_, index) => index + 1) : [Number(SEED)];

const met: Met[] = [];

for (const seed of seeds) {
  const again = `SEED=${String(seed)} npx vitest run test/faults/worlds.test.ts`;
  test(`world ${String(seed)}: nothing lost, nothing twice, every run ended (again: ${again})`, async () => {
    const { problems, met: here, log } = await world(seed);
    met.push(here);
    if (SEED !== undefined) console.log(log.join('\n'), here);
    expect(problems, log.join('\n')).toEqual([]);
  });
}

/** Further worlds, should the first ones have missed a kind of fault: when who meets what is the machine's business too. */
const FURTHER_SEEDS = 8;

// One world need not meet all of it.
test.skipIf(SEED !== undefined)(
  'the worlds between them have met every kind of fault',
  { timeout: 240_000 },
  async () => {
    // Void segments come about on purpose in stale-writer.test.ts: an arbiter that has lost waits for the other, so by chance
    // they are rare.
    const kinds = (Object.keys(met[0] ?? {}) as (keyof Met)[]).filter((kind) => kind !== 'voidSegments');
    expect(kinds).not.toEqual([]);
    const sumOf = (kind: keyof Met): number => met.reduce((sum, one) => sum + one[kind], 0);
    const missed = (): (keyof Met)[] => kinds.filter((kind) => sumOf(kind) === 0);
    for (let seed = seeds.length + 1; missed().length > 0 && seed <= seeds.length + FURTHER_SEEDS; seed += 1) {
      const { problems, met: here, log } = await world(seed);
      met.push(here);
      expect(problems, `world ${String(seed)}:\n${log.join('\n')}`).toEqual([]);
    }
    console.log(Object.fromEntries(kinds.map((kind) => [kind, sumOf(kind)])));
    expect(missed()).toEqual([]);
  },
);
