/** What an arbiter is made of and how it is set. */
import type { AssentError } from '../../protocol/errors.ts';
import type { Digest, Sequence } from '../../protocol/ids.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Court } from '../../rules/judge.ts';
import type { Workspace } from '../fold/workspace.ts';
import type { Log } from '../log/port.ts';
import type { Clock } from './ledger-clock.ts';
import type { Chance, LeaseWatch, Outbox } from './ports.ts';
import type { Scheduler } from './scheduler.ts';
import type { StateStore } from './state-store.ts';
import type { PolicyShelf } from './policy-in-force.ts';
import type { JudgingPolicy } from '../policy/loaded-policy.ts';
import type { Endless } from './unjudged.ts';

export type ArbiterSettings = {
  /** A process that is silent for longer is dead. Default 10 s. */
  readonly heartbeatLimitMs: number;
  /** An active arbiter that is silent for longer may be replaced. Default 1 s. */
  readonly leaseLimitMs: number;
  /** A cancelled run that does not end by itself is ended after this. Default 30 s. */
  readonly graceMs: number;
  /** A session that is silent for longer is closed; at least as long as PROPOSALS keeps a message. Default 25 h. */
  readonly sessionLimitMs: number;
  /** An append to the ledger that is not answered for so long is in doubt. Default 5 s. */
  readonly answerLimitMs: number;
  /** Take over at once, without listening for another arbiter first: nobody else can be there. */
  readonly alone: boolean;
  /** Segments in flight at once. */
  readonly inFlightMax?: number;
};

export const ARBITER_DEFAULTS: ArbiterSettings = {
  heartbeatLimitMs: 10_000,
  leaseLimitMs: 1000,
  graceMs: 30_000,
  sessionLimitMs: 25 * 3_600_000,
  answerLimitMs: 5000,
  alone: false,
};

export type ArbiterParts = {
  readonly ledger: Log;
  readonly proposals: Log;
  readonly outbox: Outbox;
  readonly leases: LeaseWatch;
  readonly court: Court;
  readonly policy: Digest;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly scheduler: Scheduler;
  readonly store?: StateStore;
  readonly settings: ArbiterSettings;
  /** Notes which proposal is being judged, where a successor finds it. */
  readonly judging?: (at: Position | undefined, proposal?: string) => void;
  /** Where a predecessor in this place ended while it judged. */
  readonly endedAt?: Position;
  /** What it was asking of which rule then, if that is known. */
  readonly endless?: Endless;
  /** A predecessor in this place was active a moment ago: nobody has to be listened for before taking over from it. */
  readonly isHeir?: boolean;
  /** Where policies are found besides `court`, which is known as `policy`. */
  readonly shelf?: PolicyShelf;
  /** Why it cannot become active, until somebody does something about it. */
  readonly stuck?: (error: AssentError) => void;
  /** Each policy that judges from now on, but for the first. */
  readonly policyChanged?: (policy: JudgingPolicy) => void;
  /** The process of a session that is known to have ended, on this machine; nobody has to wait for its silence. */
  readonly gone?: (session: string) => string | undefined;
  readonly say: (line: string) => void;
  /** PROPOSALS may forget what stands before this sequence, should it be short of room. */
  readonly makeRoom?: (before: Sequence) => void;
  /** Several appends in a row were not answered: the server may be stuck (a full disk does that), not only slow. */
  readonly unanswered?: () => void;
  /**
   * After a segment that was folded as settled, with the workspace at exactly that point; not while others are in flight,
   * for they have changed it already.
   */
  readonly folded?: (workspace: Workspace) => void;
};
