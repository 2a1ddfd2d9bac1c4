/** The facts that a rule is given in a test: nothing remarkable about any of them, but for what the test says. */
import type { EpochMs } from '../../protocol/ids.ts';
import type { Facts, SlotFact } from '../../rules/rule.ts';

/** Facts as a test gives them: of those with parts, only the parts that matter. `undefined` takes a fact away. */
export type FactsGiven = {
  readonly [Name in keyof Facts]?: GivenFact<Name> | undefined;
};
type GivenFact<Name extends keyof Facts> = Name extends 'retry' | 'resume' | 'execution' | 'version' | 'run'
  ? Partial<Facts[Name]>
  : Name extends 'slots'
    ? readonly Partial<SlotFact>[]
    : Name extends 'nowMs'
      ? number
      : Facts[Name];

/** Under these no rule of the core has anything to say: one attempt, without limits, retries or time-out. */
const PLAIN: Facts = {
  nowMs: 100_000 as EpochMs,
  execution: { current: 1, asked: 1 },
  version: { current: 3 },
  flow: { type: 'RUNNING', round: 0 },
  attempt: 1,
  run: { name: 'work', tags: [] },
  inHands: true,
  pauses: [],
  retry: { used: 0, retriesMax: 0, delaysMs: [], jitter: 0 },
  resume: { byWorker: false, used: 0 },
  chance: 0.5,
  slots: [],
  graceMs: 30_000,
};

/** A limit `db` that nobody has set. */
const PLAIN_SLOT: SlotFact = {
  limit: 'db',
  from: 'RUNNING',
  onFull: 'enqueue',
  wanted: 1,
  used: 0,
  heldByAncestors: 0,
  ahead: 0,
  wantedAhead: 0,
};

/**
 * Whole facts from those that matter; the others say that nothing is remarkable.
 *
 * @example
 * import { plainFacts } from 'assent/testing';
 *
 * console.log(plainFacts({ retry: { retriesMax: 2 } }).retry); // { used: 0, retriesMax: 2, delaysMs: [], jitter: 0 }
 */
export function plainFacts(given: FactsGiven = {}): Facts {
  return withFacts(PLAIN, given);
}

/** `known`, but for what is given. */
export function withFacts(known: Facts, given: FactsGiven): Facts {
  const facts: Record<string, unknown> = { ...known };
  for (const [name, fact] of Object.entries(given)) {
    if (fact === undefined) Reflect.deleteProperty(facts, name);
    else facts[name] = mergedFact(name, facts[name], fact);
  }
  return facts as Facts;
}

const MERGED: ReadonlySet<string> = new Set(['retry', 'resume', 'execution', 'version', 'run']);

function mergedFact(name: string, known: unknown, given: unknown): unknown {
  if (name === 'slots') return (given as readonly Partial<SlotFact>[]).map((slot) => ({ ...PLAIN_SLOT, ...slot }));
  if (!MERGED.has(name)) return given;
  return { ...((known ?? PLAIN[name as keyof Facts]) as object), ...(given as object) };
}
