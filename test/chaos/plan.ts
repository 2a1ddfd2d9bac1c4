/** What a seed makes of a world: which flows are started, by which process, and when. */
import { Seeded } from '../support/seeded.ts';
import type { Job, Mode } from './shape.ts';
import { SHAPES, shapeOf } from './shapes.ts';

export type PlannedJob = Job & {
  /** It is not begun before, reckoned from the begin of the world. */
  readonly afterMs: number;
};

export type Plan = {
  /** When the world begins, on the machine's monotonic clock. */
  readonly beginsNs: string;
  /** By the name of the process that begins them. */
  readonly jobs: Readonly<Record<string, readonly PlannedJob[]>>;
};

/** Where a process finds it. */
export const PLAN = 'plan.json';

const GROUPS = 3;
/** Flows are begun in bursts, so that whoever is killed has several in hand. */
const BURST_MS = 1500;

/** Every shape occurs, as soon as there are as many flows as shapes; which ones occur more often is up to the seed. */
export function planned(
  seed: number,
  { flows, spanMs, modes }: { flows: number; spanMs: number; modes: readonly Mode[] },
): Plan {
  const dice = new Seeded(seed);
  const jobs: Record<string, PlannedJob[]> = Object.fromEntries(modes.map((_, index) => [nameOf(index), []]));
  const deck: string[] = [];
  for (let number = 0; number < flows; number += 1) {
    if (deck.length === 0) deck.push(...shuffled(dice, SHAPES));
    const shape = deck.pop()!;
    const able = modes.flatMap((mode, index) => (shapeOf(shape).modes?.includes(mode) === false ? [] : [index]));
    jobs[nameOf(dice.pick(able))]!.push({
      job: `job-${String(number)}`,
      shape,
      size: dice.whole(2, 5),
      group: dice.whole(1, GROUPS),
      afterMs: Math.floor(((number / flows) * spanMs) / BURST_MS) * BURST_MS,
    });
  }
  return { beginsNs: String(process.hrtime.bigint()), jobs };
}

/** As the rig names its processes. */
const nameOf = (index: number): string => `p${String(index)}`;

export function shuffled<T>(dice: Seeded, list: readonly T[]): T[] {
  return list
    .map((one) => ({ one, place: dice.unit() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}
