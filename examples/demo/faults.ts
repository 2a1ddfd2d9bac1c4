/**
 * What the data server does wrong, all of it drawn from one seed: the same seed, the same faults, in whatever order the
 * requests come. Every plan holds at least one of each kind, so every demo has something to recover from.
 */

/** How one answer goes wrong. `slow` is an answer that comes long after any patient client has gone. */
export type Fault = 'error' | 'slow' | 'truncated';

/** How one row is wrong, however often it is fetched. */
export type Damage = 'field missing' | 'text for a number' | 'sentinel value' | 'extremes swapped';

export type FaultPlan = {
  /** By month: how the first, the second … answer goes wrong. The answers after those are good. */
  readonly answers: ReadonlyMap<string, readonly Fault[]>;
  /** By date. */
  readonly rows: ReadonlyMap<string, Damage>;
};

/** Numbers in [0, 1) that depend on nothing but the seed. */
export type Chance = () => number;

const DAMAGES: readonly Damage[] = ['field missing', 'text for a number', 'sentinel value', 'extremes swapped'];
/** These stand in every plan; the first one makes a page that succeeds only at the third attempt. */
const CERTAIN: readonly (readonly Fault[])[] = [['error', 'error'], ['slow'], ['truncated'], ['error']];
const DAMAGED_ROWS_MIN = 10;
const DAMAGED_ROWS_MORE = 6;
/** Of the months beyond the certain ones, the share whose first answer is an error. */
const ERROR_SHARE = 0.05;

export function planFaults(seed: number, months: readonly string[], dates: readonly string[]): FaultPlan {
  const chance = chanceOf(seed);
  const answers = new Map<string, readonly Fault[]>();
  shuffled(months, chance).forEach((month, place) => {
    const certain = CERTAIN[place];
    if (certain !== undefined) answers.set(month, certain);
    else if (chance() < ERROR_SHARE) answers.set(month, ['error']);
  });
  const damagedRows = DAMAGED_ROWS_MIN + Math.floor(chance() * DAMAGED_ROWS_MORE);
  const rows = new Map<string, Damage>();
  shuffled(dates, chance)
    .slice(0, damagedRows)
    .forEach((date, place) => {
      const damage = DAMAGES[place % DAMAGES.length];
      if (damage !== undefined) rows.set(date, damage);
    });
  return { answers, rows };
}

/** The generator known as mulberry32: small, and good enough for faults. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(items: readonly string[], chance: Chance): string[] {
  return items
    .map((item) => ({ item, at: chance() }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
