/**
 * A ruling: the recorded answer to a proposal, with all that is needed to understand it and to judge it again.
 */
import type { Digest, EpochMs, RunId } from './ids.ts';
import type { PolicySet, Proposal, SlotWish } from './proposals.ts';
import type { State } from './states.ts';

export const OUTCOMES = ['accepted', 'rewritten', 'rejected', 'held'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Why a proposal was refused. Codes are public and permanent. */
export type RejectCode =
  /** Another execution of the run is current: stop. */
  | 'FENCED'
  /** The run moved on since the version that the wish is based on. */
  | 'STALE'
  /** The run is in that state already. */
  | 'DUPLICATE'
  /** The run has ended; the first end stands. */
  | 'ALREADY_ENDED'
  /** No such step from this state. */
  | 'NOT_IN_LIFECYCLE'
  /** The flow run that encloses the task is not running. */
  | 'FLOW_NOT_RUNNING'
  /** It would wait for itself: what it waits for is held by a run that waits for it. */
  | 'DEADLOCK'
  /** More slots are asked for than the limit has. */
  | 'NEVER_FITS'
  /** A pause with this key has fired in this attempt already. */
  | 'PAUSE_FIRED'
  /** Only a running flow run can be paused. */
  | 'NOT_RUNNING'
  /** A paused run goes on by RUNNING or, if it is suspended, by SCHEDULED. */
  | 'NOT_RESUMABLE'
  /** Only a scheduled run can be late. */
  | 'NOT_SCHEDULED'
  /** Somebody has taken the run already. */
  | 'ALREADY_PENDING'
  /** No worker could find it. */
  | 'NO_WORKER'
  /** It is an override, and says no reason. */
  | 'REASON_NEEDED'
  /** The run has completed with a result, and another end would lose it. */
  | 'RESULT_KEPT'
  /** No such run, and the proposal does not say what it is. */
  | 'RUN_UNKNOWN'
  /** Its session is closed, or was never opened. */
  | 'SESSION_EXPIRED'
  /** The engine made it in an epoch that is over. */
  | 'STALE_EPOCH'
  /** Two arbiters in a row ended while they judged it. */
  | 'POISON'
  /** The source of the policy that it would put in force is not to be had. */
  | 'POLICY_MISSING'
  /** It cannot be read, or contradicts itself. */
  | 'MALFORMED'
  /** A rule threw, changed what it was given, took too long, or said something that is no opinion. */
  | 'RULE_ERROR'
  /** The run is executed again, and makes another call than before. */
  | 'DIVERGED'
  /** The run has too many messages that it has not received. */
  | 'MAILBOX_FULL'
  /** The workspace has as many variables as it may have. */
  | 'VARIABLES_FULL'
  /** A rule said two things about the same. */
  | 'RULE_IMPURE'
  /** Codes of rules that users write. */
  | (string & {});

/** What a held proposal waits for. */
export type Waits =
  | { readonly type: 'TIME'; readonly dueAtMs: EpochMs }
  /** `untilMs`: a rate limit has room then. `evict`: runs that are cancelled to make room. */
  | {
      readonly type: 'SLOTS';
      readonly limits: readonly SlotWish[];
      readonly untilMs?: EpochMs;
      readonly evict?: readonly RunId[];
    }
  | { readonly type: 'FLOW' }
  /** `topic`: of an event, what it is heard under. */
  | { readonly type: 'MESSAGE'; readonly mailbox: string; readonly topic?: string; readonly untilMs?: EpochMs };

/** What a rule takes for the run, by the fold, if the ruling stands. */
export type Claim =
  | { readonly type: 'SLOTS'; readonly slots: readonly SlotWish[] }
  | { readonly type: 'TIMER'; readonly timer: TimerKind; readonly dueAtMs: EpochMs }
  /** The result is kept under this key for calls that come later. */
  | { readonly type: 'CACHE'; readonly key: string; readonly expiresAtMs?: EpochMs }
  /** The first message of this mailbox, which is this one, is taken out of it. */
  | { readonly type: 'MESSAGE'; readonly mailbox: string; readonly id: string };

export const TIMER_KINDS = ['start', 'late', 'claim', 'timeout', 'pause', 'grace', 'wake'] as const;
export type TimerKind = (typeof TIMER_KINDS)[number];

/** One rule's part in a hearing: its name when it passed, more when it said more. */
export type TrailEntry =
  | string
  | {
      readonly rule: string;
      readonly opinion: 'pass' | 'rewrite' | 'reject' | 'hold' | 'error';
      readonly why: string;
      readonly code?: RejectCode;
    };

/** A policy may hold for one flow and all under it, or for what has a tag. */
export type Selection = { readonly flow: string } | { readonly tag: string };

export type Ruling = {
  readonly type: 'RULING';
  readonly outcome: Outcome;
  readonly atMs: EpochMs;
  readonly proposal: Proposal;
  /** The first 16 digits of the policy's digest. */
  readonly policy: string;
  /** By which part of the policy it was judged; absent: by what holds for the whole workspace. */
  readonly selection?: Selection;
  readonly trail: readonly TrailEntry[];
  /** The facts that the asked rules needed, as they were. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** The state after a rewrite; an accepted proposal's is `proposal.to`. */
  readonly state?: State;
  readonly waits?: Waits;
  readonly claims?: readonly Claim[];
  /** The run's version after this ruling. */
  readonly version: number;
  /** Of a forced transition: what the rules would have said to it. */
  readonly overrides?: { readonly outcome: Outcome; readonly trail: readonly TrailEntry[] };
  /** What the shadow rules said that were asked beside the policy; none of it was enforced. */
  readonly shadow?: readonly TrailEntry[];
  /** The execution that this ruling minted. */
  readonly execution?: number;
  /** Of a proposal that was held: the ruling that held it. */
  readonly heldAt?: Position;
  /** SHA-256 of the line of this run's ruling before; absent for its first. */
  readonly prev?: Digest;
};

/** A place in the ledger: the segment's sequence, and the entry's index in it from 0. */
export type Position = { readonly seq: number; readonly index: number };

export const isBefore = (one: Position, other: Position): boolean =>
  one.seq === other.seq ? one.index < other.index : one.seq < other.seq;

/** Begins the writing of a new incarnation of the arbiter. */
export type EpochEntry = {
  readonly type: 'EPOCH';
  readonly epoch: number;
  readonly atMs: EpochMs;
  readonly policy: Digest;
  /** Where in PROPOSALS the predecessor ended while it judged, if it is known: two in a row at one make it poison. */
  readonly endedAt?: Position;
  /** Put in force with this epoch by whoever runs the engine, because the source of the one before is not to be had. */
  readonly set?: PolicySet;
  /** The head that this arbiter had and that the ledger no longer has: a restored backup, or a power cut. */
  readonly rewound?: { readonly seq: number; readonly hash: Digest; readonly lastFound: number };
};

/** The wall clock was seen to disagree with the ledger's clock by more than a second. */
export type ClockEntry = { readonly type: 'CLOCK_STEPPED'; readonly atMs: EpochMs; readonly wallMs: EpochMs };

export type Entry = Ruling | EpochEntry | ClockEntry;

/** The state that a run is in after a ruling that moved it; undefined when it did not. */
export function stateAfter(ruling: Ruling): State | undefined {
  if (ruling.outcome === 'rewritten') return ruling.state;
  return ruling.outcome === 'accepted' && ruling.proposal.kind !== 'workspace' ? ruling.proposal.to : undefined;
}

/** The opinion that decided a refusal, a wait or a rewrite: the last one that was more than a pass. */
export function decidingEntry(trail: readonly TrailEntry[]): Exclude<TrailEntry, string> | undefined {
  for (let i = trail.length - 1; i >= 0; i -= 1) {
    const entry = trail[i];
    if (typeof entry === 'object' && entry.opinion !== 'pass') return entry;
  }
  return undefined;
}
