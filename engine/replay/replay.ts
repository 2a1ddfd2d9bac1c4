/**
 * Replays a ledger: folds along, and judges every ruling again at its place.
 *
 * Z1 A ruling is judged again under the policy that it names, with the facts that stand in it and the state that the fold
 *    says the run was in. It is reproduced when outcome, trail, state, waits, claims and what else the rules said come
 *    out byte for byte.
 * Z2 Nothing is left out in silence: what no rule judged is counted, and a policy that is not found is named.
 * Z3 The fold goes on from what was recorded, so one difference does not cause the next.
 * Z4 With `facts`, each ruling is decided again as a whole as well, its facts gathered anew from the fold. That needs the
 *    ledger from its first entry on, and the version of the engine that gathered them.
 */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf } from '../../protocol/proposals.ts';
import type { Entry, Position, Ruling, Selection } from '../../protocol/rulings.ts';
import { encodeEntry } from '../../protocol/segment.ts';
import { court, type Court } from '../../rules/judge.ts';
import { kindOf } from '../arbiter/decide.ts';
import { evolve } from '../fold/evolve.ts';
import { Workspace } from '../fold/workspace.ts';
import { decideAgain } from './decide-again.ts';
import { firstDifference, placeOf, type Difference } from './difference.ts';
import { isJudged, replayRuling } from './rejudge.ts';

/** Entries as they are stored: those of a segment, or as many as come together. */
export type Stored = readonly { readonly at: Position; readonly line: string }[];

type One = Stored[number] & { readonly ruling: Ruling };

/** A policy that can be asked: the court of each of its parts, as rulings name them. */
export type Judges = { courtOf(selection?: Selection): Court | undefined };
/** Finds a policy by the beginning of its digest, as rulings name it; undefined if it is not to be had. Asked once. */
export type JudgesOf = (policy: string) => Judges | undefined | Promise<Judges | undefined>;

export type ReplayOptions = {
  readonly judgesOf: JudgesOf;
  /** Only rulings on this flow run, and on what it called, count; the others are folded. */
  readonly only?: RunId;
  /** Z4. */
  readonly facts?: boolean;
  /** So many differences are told, the first ones. Default 20. */
  readonly differencesMax?: number;
  /** Hears, now and then, how many rulings were read. */
  readonly progress?: (rulings: number) => void;
};

/** A policy that rulings name and that was not found. */
export type MissingPolicy = { readonly policy: string; readonly rulings: number; readonly first: Position };

export type Counted = {
  readonly reproduced: number;
  readonly differing: number;
  /** The first ones, in the ledger's order. */
  readonly differences: readonly Difference[];
};

export type ReplayReport = Counted & {
  /** All that were read and count. */
  readonly rulings: number;
  /** No rule was asked: what is about the workspace, and what the arbiter refused by itself. */
  readonly unjudged: number;
  readonly missing: readonly MissingPolicy[];
  /** Rulings by the policy that they were judged by. */
  readonly policies: Readonly<Record<string, number>>;
  /** Z4: rulings that were decided again as a whole. */
  readonly facts?: Counted;
};

/** Everything came out as it was recorded, and nothing was left out. */
export const isReproduced = ({ differing, missing, facts }: ReplayReport): boolean =>
  differing === 0 && missing.length === 0 && (facts?.differing ?? 0) === 0;

export async function replayLedger(
  parts: AsyncIterable<Stored> | Iterable<Stored>,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const replay = new Replay(options);
  for await (const part of parts) {
    for (const { at, line } of part) await replay.take(JSON.parse(line) as Entry, line, at);
  }
  return replay.report();
}

/** In the order of their importance to whoever looks for a cause. */
const JUDGED = ['outcome', 'trail', 'state', 'waits', 'claims', 'overrides', 'shadow'] as const;
const DECIDED = [
  'facts',
  ...JUDGED,
  'selection',
  'version',
  'execution',
  'heldAt',
  'prev',
  'atMs',
  'policy',
  'proposal',
] as const;
const DIFFERENCES_MAX = 20;
const PROGRESS_EVERY = 5000;

/** For what is not judged. */
const NOBODY = court({});

class Tally {
  reproduced = 0;
  differing = 0;
  readonly differences: Difference[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  note(difference: Difference | undefined): void {
    if (difference === undefined) {
      this.reproduced += 1;
      return;
    }
    this.differing += 1;
    if (this.differences.length < this.#max) this.differences.push(difference);
  }

  get counted(): Counted {
    return { reproduced: this.reproduced, differing: this.differing, differences: this.differences };
  }
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #workspace = new Workspace();
  readonly #judges = new Map<string, Judges | undefined>();
  readonly #policies = new Map<string, number>();
  readonly #missing = new Map<string, MissingPolicy>();
  readonly #judged: Tally;
  readonly #decided: Tally;
  #rulings = 0;
  #unjudged = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#judged = new Tally(options.differencesMax ?? DIFFERENCES_MAX);
    this.#decided = new Tally(options.differencesMax ?? DIFFERENCES_MAX);
  }

  async take(entry: Entry, line: string, at: Position): Promise<void> {
    if (entry.type === 'RULING' && this.#counts(entry)) {
      this.#rulings += 1;
      if (this.#rulings % PROGRESS_EVERY === 0) this.#options.progress?.(this.#rulings);
      const one = { ruling: entry, line, at };
      if (!isJudged(entry)) this.#unjudged += 1;
      if (isJudged(entry) && !this.#judges.has(entry.policy)) {
        this.#judges.set(entry.policy, await this.#options.judgesOf(entry.policy));
      }
      const court = isJudged(entry) ? this.#judges.get(entry.policy)?.courtOf(entry.selection) : NOBODY;
      if (court === undefined) this.#miss(one);
      else this.#again(one, court);
    }
    evolve(this.#workspace, entry, line, at);
  }

  report(): ReplayReport {
    return {
      rulings: this.#rulings,
      ...this.#judged.counted,
      unjudged: this.#unjudged,
      missing: [...this.#missing.values()],
      policies: Object.fromEntries(this.#policies),
      ...(this.#options.facts === true ? { facts: this.#decided.counted } : {}),
    };
  }

  #counts({ proposal }: Ruling): boolean {
    const { only } = this.#options;
    return only === undefined || (proposal.kind !== 'workspace' && rootOf(proposal.run) === only);
  }

  #miss({ ruling: { policy }, at }: One): void {
    const { rulings = 0, first = at } = this.#missing.get(policy) ?? {};
    this.#missing.set(policy, { policy, rulings: rulings + 1, first });
  }

  #again(one: One, court: Court): void {
    const { proposal, policy } = one.ruling;
    if (proposal.kind !== 'workspace' && isJudged(one.ruling)) {
      const run = this.#workspace.runs.get(proposal.run);
      const again = replayRuling(one.ruling, run?.state, kindOf(run ?? proposal.create), court);
      this.#policies.set(policy, (this.#policies.get(policy) ?? 0) + 1);
      this.#judged.note(again && firstDifference(one, again, JUDGED));
    }
    if (this.#options.facts !== true) return;
    const again = decideAgain(this.#workspace, one.ruling, court);
    this.#decided.note(lineDifference(one, again));
  }
}

/** Z4. The whole line says whether all is the same; what differs is looked for only if it is not. */
function lineDifference(one: One, again: Ruling): Difference | undefined {
  const line = encodeEntry(again);
  if (line === one.line) return undefined;
  return firstDifference(one, again, DECIDED) ?? { ...placeOf(one), field: 'line', recorded: one.line, again: line };
}
