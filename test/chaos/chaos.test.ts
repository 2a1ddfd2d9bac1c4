/**
 * Flows of every shape while workers, scripts, arbiters and nats-server are killed and stopped at random: each ends as if
 * nothing had happened, and nothing is done twice.
 *
 * `SEED=n` runs one world again, `CHAOS_SEEDS=n` so many, `CHAOS_FLOWS=n` sets how many flows each has. By default one small
 * world, of a seed that changes with the day.
 */
import { expect, test } from 'vitest';
import { MISFORTUNES } from './killer.ts';
import type { Mode } from './shape.ts';
import { SHAPES } from './shapes.ts';
import { world, type World } from './world.ts';

const { SEED, CHAOS_SEEDS, CHAOS_FLOWS } = process.env;
const FLOWS = Number(CHAOS_FLOWS ?? 40);
const DAY_MS = 86_400_000;
const FIRST_SEED = Math.floor(Date.now() / DAY_MS);
const seeds =
  SEED === undefined
    ? Array.from({ length: Number(CHAOS_SEEDS ?? 1) }, (_, index) => FIRST_SEED + index)
    : [Number(SEED)];

/** Flows are begun at such intervals: a larger world lasts longer, and is not denser. */
const INTERVAL_MS = 200;
const MANY = 100;
const SMALL: readonly Mode[] = ['WORKER', 'WORKER', 'SCRIPT'];
const LARGE: readonly Mode[] = ['WORKER', 'WORKER', 'WORKER', 'SCRIPT', 'SCRIPT'];

const worlds: World[] = [];

for (const seed of seeds) {
  const again = `SEED=${String(seed)} CHAOS_FLOWS=${String(FLOWS)} npx vitest run test/chaos`;
  test(
    `${String(FLOWS)} flows of mixed shape end as they should while processes are killed (again: ${again})`,
    { timeout: 180_000 + FLOWS * 2 * INTERVAL_MS },
    async () => {
      const modes = FLOWS >= MANY ? LARGE : SMALL;
      const made = await world({ seed, flows: FLOWS, spanMs: FLOWS * INTERVAL_MS, modes });
      worlds.push(made);
      if (SEED !== undefined) console.log(made.log.join('\n'));
      expect(made.problems, made.log.join('\n')).toEqual([]);
    },
  );
}

test.skipIf(FLOWS < SHAPES.length)('the worlds met every misfortune, and flows of every shape', () => {
  const crashes = worlds.map((one) => one.crashes);
  console.log('crashes of runs:', ...crashes);
  if (FLOWS >= MANY) expect(Math.min(...crashes)).toBeGreaterThan(0);
  expect(new Set(worlds.flatMap(({ met }) => met))).toEqual(new Set(MISFORTUNES));
  expect(new Set(worlds.flatMap(({ shapes }) => shapes))).toEqual(new Set(SHAPES));
});
