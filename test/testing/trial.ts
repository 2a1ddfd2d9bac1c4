/** One flow in one virtual world, from its call to what can be said of it afterwards. */
import { AssertionError } from 'node:assert';
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { CompletePolicies } from '../../rules/compose.ts';
import { withClient } from '../../sdk/client/connect.ts';
import { parseDuration, type Duration } from '../../sdk/durations.ts';
import type { Served } from '../../sdk/served.ts';
import { cancelRun, setLimit } from '../../sdk/runs.ts';
import type { Seeded } from '../support/seeded.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { VirtualRun, VirtualTimeOptions } from './virtual-run.ts';
import { VirtualWorld, type RunAtEnd } from './virtual-world.ts';
import { rulingWords, stateWords, waitsWords } from './words.ts';

type TrialParts = {
  /** The flow's. */
  readonly name: string;
  readonly clock: VirtualClock;
  readonly call: () => Promise<unknown>;
  readonly options: VirtualTimeOptions;
};

type Settled = { readonly result: unknown } | { readonly error: unknown };
type Waiting = { readonly run: RunId; readonly words: string };

export class Trial {
  readonly #parts: TrialParts;
  readonly #rulings: Ruling[] = [];
  #run: RunId | undefined;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async live(surroundings: {
    readonly served: Served;
    readonly chance: Seeded;
    readonly policies: CompletePolicies | undefined;
  }): Promise<VirtualRun<unknown>> {
    const { clock, options } = this.#parts;
    const untilMs = options.until === undefined ? undefined : msOf(options.until);
    const ruled = (ruling: Ruling): void => {
      this.#ruled(ruling);
    };
    const world = await this.#while(VirtualWorld.begin({ ...surroundings, clock, ruled }));
    const flow = watch(withClient(world.client, () => this.#begin()));
    const beside = watch(withClient(world.client, () => this.#meanwhile()));
    const isOver = (): boolean => beside.failed || (flow.settled !== undefined && beside.settled !== undefined);
    await clock.live(isOver, untilMs);
    if (beside.settled !== undefined && 'error' in beside.settled) throw beside.settled.error;
    const run = await this.#report(world, flow.settled);
    await this.#while(world.end());
    return run;
  }

  /** What is waited for may need time to pass. */
  async #while<T>(promise: Promise<T>): Promise<T> {
    const watched = watch(promise);
    await this.#parts.clock.live(() => watched.settled !== undefined);
    return promise;
  }

  async #begin(): Promise<unknown> {
    for (const [limit, slots] of Object.entries(this.#parts.options.limits ?? {})) await setLimit(limit, slots);
    return this.#parts.call();
  }

  async #meanwhile(): Promise<void> {
    const { clock, options } = this.#parts;
    await options.meanwhile?.({
      nowMs: () => clock.nowMs(),
      sleep: (duration) => new Promise((resolve) => void clock.after(msOf(duration), resolve)),
      cancel: async (reason) => {
        if (this.#run === undefined) throw new AssentError('RUN_NOT_FOUND', 'The flow has no run yet.');
        await cancelRun(this.#run, reason);
      },
      runId: () => this.#run,
    });
  }

  #ruled(ruling: Ruling): void {
    this.#rulings.push(ruling);
    const { proposal } = ruling;
    if (this.#run !== undefined || proposal.kind !== 'flow' || proposal.create === undefined) return;
    if (proposal.create.parent === undefined && proposal.create.name === this.#parts.name) this.#run = proposal.run;
  }

  async #report(world: VirtualWorld, settled: Settled | undefined): Promise<VirtualRun<unknown>> {
    const { clock } = this.#parts;
    const run = this.#run;
    const runs = runsOf(world);
    const waiting = waitingIn(world);
    const state = runs.find(({ id }) => id === run)?.state;
    const why = (asked?: string): string => this.#why((asked as RunId | undefined) ?? run, runs, waiting);
    return {
      outcome: settled === undefined ? 'unfinished' : 'error' in settled ? 'failed' : 'completed',
      ...settled,
      ...(run === undefined ? {} : { run }),
      ...(state === undefined ? {} : { state }),
      at: clock.nowMs() as EpochMs,
      tookMs: clock.elapsedMs(),
      runs,
      rulings: this.#rulings,
      ledger: (await world.segments()).map(({ bytes }) => bytes),
      logged: world.logged,
      why,
      value: () => {
        if (settled === undefined) throw new AssertionError({ message: `The flow is unfinished.\n${why()}` });
        if ('error' in settled) throw settled.error;
        return settled.result;
      },
    };
  }

  #why(run: RunId | undefined, runs: readonly RunAtEnd[], waiting: readonly Waiting[]): string {
    if (run === undefined) return 'It never asked to begin.';
    const found = runs.find(({ id }) => id === run);
    const head = `${found?.name ?? 'run'} ${run} is ${stateWords(found?.state)}.`;
    const waits = waiting.filter(({ run: of }) => of === run || of.startsWith(`${run}.`)).map(({ words }) => words);
    const ruled = this.#rulings.filter(({ proposal }) => proposal.kind !== 'workspace' && proposal.run === run);
    return [head, ...waits, ...ruled.flatMap(rulingWords)].join('\n');
  }
}

type Watched = { settled: Settled | undefined; failed: boolean };

function watch(promise: Promise<unknown>): Watched {
  const watched: Watched = { settled: undefined, failed: false };
  promise.then(
    (result) => {
      watched.settled = { result };
    },
    (error: unknown) => {
      watched.settled = { error };
      watched.failed = true;
    },
  );
  return watched;
}

function msOf(duration: Duration): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new AssentError('BAD_OPTION', `${String(duration)} is no duration.`);
  return ms;
}

const runsOf = ({ arbiter }: VirtualWorld): RunAtEnd[] =>
  [...arbiter.workspace.runs.entries()].map(([, { id, name, kind, state, attempt, endedMs }]) => ({
    id,
    name,
    kind,
    state,
    attempt,
    ...(endedMs === undefined ? {} : { endedMs }),
  }));

const waitingIn = ({ arbiter }: VirtualWorld): Waiting[] =>
  [...arbiter.workspace.held.entries()].map(([, { proposal, waits, sinceMs }]) => ({
    run: proposal.run,
    words: `Since ${new Date(sinceMs).toISOString()} ${proposal.run} waits for ${waitsWords(waits)}, to be ${stateWords(proposal.to)}.`,
  }));
