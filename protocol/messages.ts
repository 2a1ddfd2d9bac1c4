/**
 * What travels besides the ledger: batches of proposals to the arbiter, answers and orders to a session, heartbeats.
 */
import type { Digest, EpochMs, RunId } from './ids.ts';
import type { Hook, Proposal, RunDefinition } from './proposals.ts';
import type { Outcome, Position, RejectCode, Selection } from './rulings.ts';
import type { State } from './states.ts';
import type { Value } from './values.ts';

/** `by` is added at the door from the subject; a batch that claims it is refused. */
export type ProposalDraft = DistributiveOmit<Proposal, 'by' | 'id' | 'epoch'> & { readonly counter: number };
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export type Batch = { readonly v: 1; readonly proposals: readonly ProposalDraft[] };

export type Answer = {
  readonly counter: number;
  readonly outcome: Outcome;
  readonly run?: RunId;
  /** The state that the run is in now, whatever the outcome. */
  readonly state?: State;
  readonly version: number;
  readonly attempt?: number;
  readonly execution?: number;
  readonly code?: RejectCode;
  readonly why?: string;
  /** Where the ruling stands. */
  readonly seq: number;
  readonly index: number;
};

/** What a session must know though it did not ask: a run that it executes or waits for moved. */
export type Order = {
  readonly run: RunId;
  readonly state: State;
  readonly version: number;
  readonly execution: number;
  readonly by: string;
  readonly reason?: string;
  /** Where the ruling stands. */
  readonly seq: number;
  readonly index: number;
};

export type AnswerMessage = {
  readonly v: 1;
  readonly epoch: number;
  readonly answers: readonly Answer[];
  readonly orders: readonly Order[];
};

/** A process that executes runs, as it describes itself; the arbiter keeps the last one. */
export type Heartbeat = { readonly v: 1; readonly pid: number; readonly host: string };

/** Asked of the active arbiter on the subject `ask` (core request and reply). */
export type Ask =
  | { readonly v: 1; readonly type: 'HELLO' }
  /** A run as it is settled. */
  | { readonly v: 1; readonly type: 'RUN'; readonly run: RunId }
  /** The newest unfinished run of this identity, and who executes it. */
  | { readonly v: 1; readonly type: 'UNFINISHED'; readonly identity: Digest; readonly before?: RunId }
  /** The ended calls of a flow run, a page from `after` (a run's id) on. */
  | { readonly v: 1; readonly type: 'OUTCOMES'; readonly run: RunId; readonly after?: RunId }
  /** How long the rules take, as far as that was sampled since the arbiter's thread began. */
  | { readonly v: 1; readonly type: 'RULE_TIMES' }
  /** The policy in force, its rules, and what was in force before. */
  | { readonly v: 1; readonly type: 'POLICY' }
  /** A variable of the workspace. */
  | { readonly v: 1; readonly type: 'VARIABLE'; readonly name: string }
  /** The messages that a run, and all under it, has not received. */
  | { readonly v: 1; readonly type: 'MAIL'; readonly run: RunId }
  /** The flow runs that an event would reach. */
  | { readonly v: 1; readonly type: 'LISTENERS'; readonly name: string; readonly key?: string };

export type MailView = { readonly mail: readonly { readonly mailbox: string; readonly messages: number }[] };
export type ListenersView = { readonly listening: number };

export type Hello = {
  readonly v: 1;
  readonly epoch: number;
  readonly policy: Digest;
  /** No rule in force can alter the completion of a running task: its value may be used before the ruling. */
  readonly completesEarly: boolean;
  readonly heartbeatLimitMs: number;
};

export type RunView = {
  readonly run: RunId;
  readonly name: string;
  readonly state: State;
  readonly version: number;
  readonly attempt: number;
  readonly execution: number;
  readonly parameters?: Value;
  /** As its definition says. */
  readonly parsed?: NonNullable<RunDefinition['parsed']>;
  /** Of a call: how often it was made again after it had completed or failed; what broke off goes on instead. Absent: 0. */
  readonly generation?: number;
  /** Of a call at work: it has done to another run what it is there for (`deedOf`). */
  readonly acted?: true;
  /** The call's identity within its parent. */
  readonly call?: RunDefinition['call'];
  /** Of a flow run within another, in OUTCOMES: it came to nothing, and what was done in it may have been undone. */
  readonly spent?: true;
  /** Of a call that has ended: where the ruling stands that ended it. */
  readonly at?: Position;
  /** The process that executes it, when one beats. */
  readonly process?: {
    readonly session: string;
    readonly pid?: number;
    readonly host?: string;
    readonly silentMs: number;
  };
};

export type Outcomes = { readonly ended: readonly RunView[]; readonly next?: RunId };

export type RuleTimes = {
  readonly rules: readonly {
    readonly rule: string;
    readonly samples: number;
    readonly seconds: number;
    readonly secondsMax: number;
  }[];
};

/** A policy that is or was in force, from a place on the ledger on. */
export type PolicyView = {
  readonly policy: Digest;
  /** It came with an engine, of whatever version. */
  readonly core: boolean;
  /** The file that it was made of. */
  readonly from?: string;
  readonly by: string;
  readonly atMs: EpochMs;
  readonly at: Position;
};

/** A rule as a policy lists it. */
export type RuleView = {
  readonly name: string;
  readonly summary: string;
  readonly on: readonly string[];
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly may: readonly string[];
};

export type PolicyReport = {
  readonly epoch: number;
  readonly policy: Digest;
  /** The oldest first; the last one is in force. */
  readonly history: readonly PolicyView[];
  readonly rules: readonly RuleView[];
  /** The parts, that of the workspace first: for each kind of run, the places of its rules in `rules`, in order. */
  readonly parts: readonly {
    readonly selection?: Selection;
    readonly policies: readonly {
      readonly policy: string;
      readonly rules: readonly number[];
      readonly shadow: readonly number[];
    }[];
  }[];
};

/** A message of the work queue: a run that waits for a worker. A hint only, the claim is a ruling. */
export type WorkHint = {
  readonly v: 1;
  readonly run: RunId;
  /** The version that the worker's claim is based on. */
  readonly version: number;
  /** The flow's or task's name. */
  readonly name: string;
  /** Absent: a flow run. */
  readonly kind?: 'task';
  readonly parameters?: Value;
  /** As its definition says. */
  readonly parsed?: NonNullable<RunDefinition['parsed']>;
  /** What people call it. */
  readonly title?: string;
  /** The run whose code started it. */
  readonly startedBy?: RunId;
  /** The run is not to be executed: it entered this state in nobody's hands, and its code has these hooks for that. */
  readonly hook?: { readonly hook: Hook; readonly state: State };
};

/** The answer to VARIABLE. */
export type VariableView = { readonly value?: Value };
