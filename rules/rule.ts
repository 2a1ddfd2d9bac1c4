/**
 * What a rule is. A rule is a small pure function from a transition and the facts it needs to an opinion.
 *
 * R1 Same input, same opinion: no clock, no chance, no I/O, no waiting. All it knows is in its two arguments.
 * R2 It takes nothing and sends nothing: what it wants for the run it claims in its opinion, and the claim takes effect
 *    only with the ruling. So a losing opinion leaves nothing to clean up.
 */
import type { Digest, EpochMs, RunId } from '../protocol/ids.ts';
import type { OnFull } from '../protocol/proposals.ts';
import type { Claim, RejectCode, Waits } from '../protocol/rulings.ts';
import type { State, StateType } from '../protocol/states.ts';
import type { Value } from '../protocol/values.ts';

/** A flow run of its own, a flow run within a flow run, a task run, a task run of its own. */
export const RUN_KINDS = ['flow', 'subflow', 'task', 'background'] as const;
/** What is judged by a policy of its own. */
export type RunKind = (typeof RUN_KINDS)[number];
/** `NONE`: the run does not exist yet. */
export type FromType = StateType | 'NONE';

/** A step that is asked for, as a rule sees it. */
export type Transition = {
  readonly kind: RunKind;
  /** Undefined when the proposal creates the run. A rule that answers "stay as you are" rewrites to this very object. */
  readonly from: State | undefined;
  readonly to: State;
  /** A rule has answered that the run stays as it is; no proposal can say so. */
  readonly stays?: true;
  /** After a rewrite: the type that was asked for. */
  readonly asked?: StateType;
  /** It says what happened, rather than what is wanted. */
  readonly report: boolean;
  /** The asker wants to become the process that executes the flow run. */
  readonly claim: boolean;
  /** The user that asks; `engine` for the engine's own proposers. */
  readonly by: string;
  /** What the asker says of itself; of the engine's own proposers: `clock`, `cascade`, `liveness`, `limit`. */
  readonly onBehalfOf?: string;
  /** Why, in the asker's words. */
  readonly reason?: string;
  /** An operator's override. */
  readonly forced?: true;
  /** Of a reopening: one of its calls, and all that began after it, is done again. */
  readonly redo?: true;
};

/** One step of a wait: a run waits for slots that another one holds, or behind one that waits for them too. */
export type WaitStep = { readonly run: RunId; readonly limit: string; readonly by?: string } & (
  { readonly holder: RunId } | { readonly behind: RunId }
);

/** A named limit as it stands for one run. */
export type SlotFact = {
  readonly limit: string;
  /** Absent: nobody has set this limit, so it bounds nothing. */
  readonly slotsMax?: number;
  /** The key within the limit that this run counts for. */
  readonly by?: string;
  /** The slots are needed from here on. */
  readonly from: 'PENDING' | 'RUNNING';
  readonly onFull: OnFull;
  /** A rate limit: a slot comes back every `everyMs`; all of them are back at `emptyAtMs`. */
  readonly rate?: { readonly everyMs: number; readonly emptyAtMs: EpochMs };
  /** Who holds slots, longest first; only of a limit that cancels those that run. */
  readonly holders?: readonly { readonly run: RunId; readonly slots: number; readonly isEnding: boolean }[];
  /** Slots that this run asks for. */
  readonly wanted: number;
  /** Slots that other runs hold. */
  readonly used: number;
  /** Slots that this run holds already; absent: none. */
  readonly mine?: number;
  /**
   * Of these, slots that do not come back before this wait, or another one for the same limit, is over: flow runs hold
   * them that wait for what waits. 0 unless an ancestor of this run is one of them.
   */
  readonly heldByAncestors: number;
  /** Held proposals that come before this one. */
  readonly ahead: number;
  /** The largest wish among those, if an ancestor of this run holds slots; else 0. */
  readonly wantedAhead: number;
  /**
   * The way by which this run, if it waited for the limit, would wait for itself: each step's run waits for a holder that
   * waits for the next step's run. Absent: there is none, or it need not wait.
   */
  readonly circle?: readonly WaitStep[];
};

/** All that a rule may know beyond the transition. The arbiter gathers it in one place and records what was needed. */
export type Facts = {
  /** The ledger's time. */
  readonly nowMs: EpochMs;
  /** The fencing token: the execution that is current, and the one in whose name the asker asks. */
  readonly execution: { readonly current: number; readonly asked?: number };
  /** The run's version, and the one that the wish is based on. */
  readonly version: { readonly current: number; readonly basedOn?: number };
  /** The enclosing flow run's state, and how often it began anew after a failure. */
  readonly flow?: { readonly type: StateType; readonly round: number };
  /** In which execution and round of its flow run this run last ran; `redo`: its record is not to be used again. */
  readonly ran?: { readonly execution: number; readonly round: number; readonly redo?: true };
  /** It undoes what was done. */
  readonly cleanup?: true;
  /** What the call waits for, and the first message that is there for it. */
  readonly message?: {
    readonly mailbox: string;
    /** Of an event: what it is heard under. */
    readonly topic?: string;
    readonly untilMs?: EpochMs;
    readonly first?: { readonly id: string; readonly value?: Value };
  };
  /**
   * The call as it is made, and as it was made before by the same explicit key. `expected`, of a call that is made for the
   * first time: under a strict flow run that is executed again, the earliest of its calls that it has not yet made again.
   */
  readonly call?: {
    readonly key: string;
    readonly inputs?: Digest;
    readonly recorded?: { readonly inputs?: Digest };
    readonly expected?: { readonly run: RunId; readonly key: string };
  };
  /** Times that the run has entered RUNNING. */
  readonly attempt: number;
  readonly retry: {
    /** Retries that were granted already. */
    readonly used: number;
    readonly retriesMax: number;
    readonly delaysMs: readonly number[];
    readonly jitter: number;
  };
  /** What the run is. */
  readonly run: { readonly name: string; readonly tags: readonly string[]; readonly deployment?: string };
  /** A process has it in its hands: one that executes it, or waits for its next attempt. */
  readonly inHands: boolean;
  /** The keys of the pauses that fired in this attempt. */
  readonly pauses: readonly string[];
  /** The cache as it stands for the run's key, whether or not the entry has expired. */
  readonly cache?: {
    readonly key: string;
    readonly ttlMs?: number;
    readonly refresh?: true;
    readonly once?: true;
    readonly entry?: { readonly run: RunId; readonly result?: Value; readonly expiresAtMs?: EpochMs };
  };
  /** Whether a worker can find the run by itself, and how often one went on with it after a crash. */
  readonly resume: { readonly byWorker: boolean; readonly used: number };
  /** A number in [0, 1) drawn for this ruling. */
  readonly chance: number;
  readonly slots: readonly SlotFact[];
  /** How long one attempt may run; absent: for ever. */
  readonly timeoutMs?: number;
  /** How long a cancelled run may take to end by itself. */
  readonly graceMs: number;
};

/** A fact that a rule may ask for; the time is always there. */
export type Need = Exclude<keyof Facts, 'nowMs'>;

/** What one rule says. */
export type Opinion =
  | { readonly type: 'PASS'; readonly claims?: readonly Claim[]; readonly why?: string }
  | { readonly type: 'REWRITE'; readonly to: State; readonly why: string }
  | { readonly type: 'REJECT'; readonly code: RejectCode; readonly why: string }
  | { readonly type: 'HOLD'; readonly waits: Waits; readonly why: string };

/** A rule as the hearing asks it; made by {@link defineRule}. */
export type Rule = {
  /** The rule's name is its file's and its test's name. */
  readonly name: string;
  /** One sentence; it becomes the rule's line in docs/rules.md. */
  readonly summary: string;
  readonly on: readonly RunKind[];
  readonly from: readonly FromType[];
  readonly to: readonly StateType[];
  readonly needs: readonly Need[];
  /** What the rule can do besides passing; declared, so that what a policy can do is known without asking it. */
  readonly may: readonly ('rewrite' | 'reject' | 'hold')[];
  readonly judge: (transition: Transition, facts: Facts) => Opinion;
};

/** A rule as its author writes it: `judge` sees only the facts that the rule says it needs. */
export type RuleDefinition<Needed extends Need> = Omit<Rule, 'needs' | 'judge'> & {
  readonly needs: readonly Needed[];
  readonly judge: (transition: Transition, facts: Pick<Facts, Needed | 'nowMs'>) => Opinion;
};

/**
 * Defines a rule. The facts named in `needs` are typed, gathered for it, and recorded with each ruling.
 *
 * @example
 * const noFridays = defineRule({
 *   name: 'no-fridays', summary: 'Starts nothing on a Friday.',
 *   on: ['flow'], from: ['NONE', 'PENDING'], to: ['RUNNING'], needs: [], may: ['reject'],
 *   judge: (_, { nowMs }) => (Math.floor(nowMs / 86_400_000) % 7 === 1 ? reject('FRIDAY', 'it is Friday') : pass()),
 * });
 */
export function defineRule<const Needed extends Need>(definition: RuleDefinition<Needed>): Rule {
  return definition;
}

const PASS: Opinion = { type: 'PASS' };

/** The rule has nothing against it; `claims` are what it takes for the run if the ruling stands. */
export const pass = (claims?: readonly Claim[], why?: string): Opinion =>
  claims === undefined && why === undefined
    ? PASS
    : { type: 'PASS', ...(claims === undefined ? {} : { claims }), ...(why === undefined ? {} : { why }) };
/** Another state instead; the hearing starts again, so that every rule sees it. */
export const rewrite = (to: State, why: string): Opinion => ({ type: 'REWRITE', to, why });
/** Nothing changes; ends the hearing. */
export const reject = (code: RejectCode, why: string): Opinion => ({ type: 'REJECT', code, why });
/** Nothing changes yet: the proposal is parked and judged again when what it waits for happens; ends the hearing. */
export const hold = (waits: Waits, why: string): Opinion => ({ type: 'HOLD', waits, why });
