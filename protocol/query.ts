/**
 * Questions to a read model and its answers: request and reply on `subjects.query`. What is asked is checked at the door
 * (wire-query.ts). Every answer says for which sequence of the ledger it is true.
 */
import type { ErrorKind } from './errors.ts';
import type { RunId } from './ids.ts';
import type { GivenInputs, OnFull, RetryPolicy, SlotWish } from './proposals.ts';
import type { Status } from './query-status.ts';
import type { ArtifactRow, HookRow, VariableRow } from './query-workspace.ts';
import type { Outcome, Position, RejectCode, TrailEntry, Waits } from './rulings.ts';
import type { FlipPosition, FlipRow, ShadowRow } from './shadow.ts';
import type { StateType } from './states.ts';
import type { Value } from './values.ts';

type Words = {
  /** The versions, the streams, the arbiter, the view itself. */
  readonly STATUS: object;
  /** Runs that no flow run has as a call, the newest first: flow runs, and task runs that workers execute. */
  readonly RUNS: {
    /** Only these. */
    readonly kind?: 'flow' | 'task';
    readonly states?: readonly StateType[];
    /** The flow's name; `*` stands for anything. */
    readonly name?: string;
    /** Pages: only what was created before this one. */
    readonly before?: number;
    readonly limit?: number;
  };
  /** One run, by the beginning of its id. */
  readonly RUN: { readonly run: string };
  /** The tasks and subflows under a flow run, in the order of their creation. */
  readonly CALLS: {
    readonly run: RunId;
    readonly states?: readonly StateType[];
    /** Those that did not complete with what they were given, as far as that is recorded and short. */
    readonly inputs?: true;
    readonly after?: number;
    readonly limit?: number;
  };
  /** The rulings on a run and on all that it called, in the ledger's order. */
  readonly RULINGS: {
    readonly run: RunId;
    readonly after?: Position;
    readonly limit?: number;
    /** With the lines as they are stored, read from the ledger and checked against its hashes. */
    readonly lines?: true;
    /** Only what was rewritten, rejected or held, and what was granted after it was held. */
    readonly notable?: true;
  };
  /** The rulings on what an actor asked, the newest first. */
  readonly RULINGS_BY: { readonly actor: string; readonly before?: Position; readonly limit?: number };
  /** Why a run is in its state, and what the rules did on the way. */
  readonly WHY: { readonly run: RunId; readonly after?: Position };
  readonly LIMITS: { readonly after?: string; readonly limit?: number };
  /** Proposals that wait, the oldest first. */
  readonly HELD: { readonly run?: RunId; readonly after?: Position; readonly limit?: number };
  /** How often each rule decided what. */
  readonly COUNTERS: object;
  /** How often each rule was asked, and what it said. */
  readonly RULES: object;
  /** What shadow rules would have done: the counts, and the newest flips first. */
  readonly SHADOW: {
    readonly rule?: string;
    readonly sinceMs?: number;
    readonly before?: FlipPosition;
    readonly limit?: number;
  };
  readonly SESSIONS: { readonly before?: number; readonly limit?: number };
  /** The newest artifact of each run and key, the newest first; of a run, those of all that it called as well. */
  readonly ARTIFACTS: {
    readonly run?: RunId;
    readonly key?: string;
    /** The older ones too. */
    readonly history?: true;
    readonly before?: Position;
    readonly limit?: number;
  };
  /** The hooks that were called of a run and of all that it called, in the ledger's order. */
  readonly HOOKS: { readonly run: RunId; readonly failed?: true; readonly after?: Position; readonly limit?: number };
  /** The variables of the workspace, by name. */
  readonly VARIABLES: { readonly name?: string; readonly after?: string; readonly limit?: number };
};

type Asked = {
  readonly v: 1;
  /** Wait, for 5 s at most, until the view is true for this sequence. */
  readonly atLeast?: number;
};

export type QueryType = keyof Words;
export type Query = { readonly [T in QueryType]: Asked & { readonly type: T } & Words[T] }[QueryType];
export type QueryOf<T extends QueryType> = Extract<Query, { readonly type: T }>;

export type RunState = {
  readonly type: StateType;
  readonly name: string;
  readonly message?: string;
  readonly dueAtMs?: number;
  /** Of a pause: its key, until when it can be resumed, and that its process has ended. */
  readonly key?: string;
  readonly timeoutAtMs?: number;
  readonly suspended?: true;
  /** Of one that goes on by itself: when, and for which messages and events. */
  readonly wakeAtMs?: number;
  readonly wakeOn?: readonly Mail[];
  /** The JSON Schema of what whoever resumes it has to say. */
  readonly input?: Value;
};

/** A mailbox, and of an event's the topic that it is heard under. */
export type Mail = { readonly mailbox: string; readonly topic?: string };

/** What one proposal about a run waits for. */
export type HeldRow = {
  readonly id: string;
  readonly run: RunId;
  /** The name of the flow or task. */
  readonly name: string;
  readonly by: string;
  /** The state that was asked for. */
  readonly to: StateType;
  readonly waits: Waits;
  readonly sinceMs: number;
  readonly priority: number;
  /** Where it was held first, and where last. */
  readonly at: Position;
  readonly last: Position;
};

/** When a held proposal is judged again. */
export type Again =
  | { readonly type: 'AT'; readonly atMs: number }
  /** `limit`: when slots of it are given back, or more of them are set. `run`: when this flow run moves. */
  | { readonly type: 'WHEN_FREE'; readonly limits: readonly string[] }
  | { readonly type: 'WHEN_MOVED'; readonly run: RunId }
  /** `topic`: of an event, what it is heard under. */
  | { readonly type: 'WHEN_SENT'; readonly mailbox: string; readonly topic?: string; readonly untilMs?: number };

/** A held proposal with what holds it, and what ends the wait. */
export type Waiting = HeldRow & {
  /** The rule that would let it pass then, and what it says now. */
  readonly rule?: string;
  readonly why?: string;
  readonly again: Again;
  /** Its place in the queue of each limit that it waits for, from 1. */
  readonly queue: readonly { readonly limit: string; readonly place: number; readonly length: number }[];
};

export type RunRow = {
  readonly run: RunId;
  readonly parent?: RunId;
  readonly kind: 'flow' | 'task';
  /** Empty when nobody ever said what the run is. */
  readonly name: string;
  /** What people call this one run. */
  readonly title?: string;
  /** The run whose code started it, of a run that is not called but started. */
  readonly startedBy?: RunId;
  /** Absent: it has not started; the rules hold it, or refused it. */
  readonly state?: RunState;
  readonly sinceMs: number;
  readonly version: number;
  readonly attempt: number;
  readonly retriesUsed: number;
  readonly retriesMax: number;
  /** Times that it went on elsewhere after a crash. */
  readonly resumes: number;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** When it was first meant to start. */
  readonly expectedMs?: number;
  /** How long it was RUNNING in all its attempts, without the time since it last became so. */
  readonly runMs: number;
  /** Who asked for it first. */
  readonly by: string;
  /** The slots that it holds. */
  readonly slots: readonly SlotWish[];
  readonly waits?: Pick<HeldRow, 'to' | 'waits' | 'sinceMs' | 'at'>;
  /** Of a flow run of its own that runs: the message or the event that the first of its waiting calls waits for. */
  readonly awaits?: Pick<HeldRow, 'run' | 'waits' | 'sinceMs'>;
  /** Rulings on it, and those that were rejections. */
  readonly rulings: number;
  readonly rejected: number;
  readonly priority: number;
  readonly tags?: readonly string[];
  readonly deployment?: string;
  /** Its place in the order of creation: a cursor for pages. */
  readonly place: number;
};

/** What a run was given, if that is recorded: with its definition, or, of a call, with the report that it failed. */
export type Given = {
  readonly parameters?: Value;
  /** What a report of a failure says of it besides. */
  readonly inputs?: Omit<GivenInputs, 'value'>;
};

export type CallRow = RunRow &
  Given & {
    /** The run in the background that does its work, or did it last. */
    readonly doneBy?: RunId;
  };

export type RunDetail = CallRow & {
  readonly result?: Value;
  readonly error?: Value;
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly limits?: readonly SlotWish[];
  readonly work?: { readonly pool: string; readonly queue: string };
  /** Of a flow run of its own: the execution that is current, and the session that it was handed to. */
  readonly execution?: number;
  readonly session?: string;
  /** When the flow run at the top was created: time zero for all that is told of it. */
  readonly beganMs: number;
  /** How many tasks and subflows are under it, by type of state; `NONE` has not started. */
  readonly calls: Readonly<Record<string, number>>;
  /** The ruling that put it in its state. */
  readonly moved?: Position;
  /** Runs of their own that its code started, or that do its work, the newest first, at most 20. */
  readonly started: readonly RunRow[];
};

export type RulingRow = Position & {
  /** Absent: it is about the workspace. */
  readonly run?: RunId;
  readonly name?: string;
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly code?: RejectCode;
  /** The user that the server vouched for; the engine's own proposers as `engine/clock` and the like. */
  readonly actor: string;
  /** The name of the state before. */
  readonly from?: string;
  /** The name of the state after; of what was rejected or held, the one that was asked for. */
  readonly to?: string;
  /** The rule that decided, where one did more than pass. */
  readonly rule?: string;
  /** How long the proposal was held before. */
  readonly waitedMs?: number;
  /** The entry as it is stored, byte for byte. */
  readonly line?: string;
};

/** A ruling in words: what was asked, by whom, and what the rules said. */
export type Explained = RulingRow & {
  readonly onBehalfOf?: string;
  readonly reason?: string;
  /** The name of the state that was asked for, and its message. */
  readonly asked?: string;
  readonly message?: string;
  /** The version of the run that the wish rested on. */
  readonly basedOn?: number;
  /** It said what had happened, rather than what was wanted. */
  readonly report?: true;
  readonly why?: string;
  /** Until when it waits, where that is a time. */
  readonly dueAtMs?: number;
  /** The rules that said more than that they pass. */
  readonly said: readonly Exclude<TrailEntry, string>[];
  /** It was forced: what the rules would have said, and which of them. */
  readonly overrides?: {
    readonly outcome: Outcome;
    readonly rule?: string;
    readonly code?: RejectCode;
    readonly why?: string;
  };
};

export type LimitRow = {
  readonly limit: string;
  /** Absent: it was removed while slots of it were held. */
  readonly slotsMax?: number;
  /** A rate limit: slots that come back in a second. */
  readonly slotsPerSecond?: number;
  readonly onFull: OnFull;
  /** The key within the limit that this row is about; each key has all the slots. */
  readonly by?: string;
  readonly used: number;
  readonly waiting: number;
  /** The runs that hold its slots, at most 100 of them. */
  readonly holders: readonly {
    readonly run: RunId;
    readonly name: string;
    readonly slots: number;
    readonly sinceMs: number;
  }[];
};

export type CounterRow = {
  readonly outcome: Outcome;
  /** Empty: no rule did more than pass. */
  readonly rule: string;
  readonly code?: RejectCode;
  readonly count: number;
};

/** How often a rule was asked about one kind of run, and what it said. */
export type RuleRow = {
  readonly rule: string;
  readonly kind: 'flow' | 'subflow' | 'task' | 'background' | 'workspace';
  readonly asked: number;
  readonly passed: number;
  readonly rewrote: number;
  readonly rejected: number;
  readonly held: number;
  readonly errors: number;
  /** Times that an operator's override pushed aside what it said. */
  readonly overridden: number;
};

export type SessionRow = {
  readonly session: string;
  readonly user: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly rulings: number;
  readonly closedMs?: number;
  readonly place: number;
};

export type Explanation = {
  readonly run: RunDetail;
  /** The last rulings that moved it, at most 5, in the ledger's order: the last one put it in its state. */
  readonly path: readonly Explained[];
  /** Its calls that sleep, that wait for what comes from outside, or for their next attempt: the soonest first, at most 20. */
  readonly asleep: readonly RunRow[];
  /** What it and its calls wait for now, at most 100. */
  readonly waiting: readonly Waiting[];
  readonly waitingMore: number;
  /** The limits that are waited for. */
  readonly limits: readonly LimitRow[];
  /** The last refusals of what was asked about the run itself, at most 10, in the ledger's order. */
  readonly refused: readonly Explained[];
  /** Calls that ended otherwise than completed, with the ruling that ended them, at most 50. */
  readonly failed: readonly { readonly run: CallRow; readonly moved?: Explained }[];
  readonly failedMore: number;
  /** Hooks that threw, at most 20, and the newest artifacts, at most 20, of the run and of all that it called. */
  readonly hooks: readonly HookRow[];
  readonly artifacts: readonly ArtifactRow[];
  /** Of a flow run that began anew: its calls since that were answered from the record, and those that it had not made. */
  readonly resumed?: { readonly at: Position; readonly atMs: number; readonly reused: number; readonly fresh: number };
  /** What was rewritten, rejected or held, and how each wait ended, in the ledger's order: a page. */
  readonly notable: readonly Explained[];
  readonly next?: Position;
};

type Found =
  | { readonly found: 'ONE'; readonly run: RunDetail }
  | { readonly found: 'AMBIGUOUS'; readonly candidates: readonly RunRow[] }
  | { readonly found: 'NONE' };

export type Answers = {
  readonly STATUS: { readonly status: Status };
  readonly RUNS: { readonly runs: readonly RunRow[]; readonly next?: number };
  readonly RUN: Found;
  readonly CALLS: { readonly calls: readonly CallRow[]; readonly next?: number };
  readonly RULINGS: { readonly rulings: readonly RulingRow[]; readonly next?: Position };
  readonly RULINGS_BY: { readonly rulings: readonly RulingRow[]; readonly next?: Position };
  readonly WHY: { readonly explanation?: Explanation };
  readonly LIMITS: { readonly limits: readonly LimitRow[]; readonly next?: string };
  readonly HELD: { readonly held: readonly HeldRow[]; readonly next?: Position };
  readonly COUNTERS: { readonly counters: readonly CounterRow[] };
  readonly RULES: { readonly rules: readonly RuleRow[] };
  readonly SHADOW: {
    readonly rules: readonly ShadowRow[];
    readonly flips: readonly FlipRow[];
    readonly next?: FlipPosition;
  };
  readonly SESSIONS: { readonly sessions: readonly SessionRow[]; readonly next?: number };
  readonly ARTIFACTS: { readonly artifacts: readonly ArtifactRow[]; readonly next?: Position };
  readonly HOOKS: { readonly hooks: readonly HookRow[]; readonly next?: Position };
  readonly VARIABLES: { readonly variables: readonly VariableRow[]; readonly next?: string };
};

/** What every answer says of itself. */
export type Viewed = {
  readonly v: 1;
  /** The view holds everything up to this sequence of the ledger, and nothing of what follows. */
  readonly seq: number;
  /** An active arbiter was heard in the last two seconds. */
  readonly active: boolean;
  /** Sequence `atLeast` was not reached in time. */
  readonly behind?: true;
  /** The view is that of an earlier version, or does not have the whole ledger yet: a new one is being made. */
  readonly rebuilding?: true;
  /** The ledger cannot be read any further, and why: the answer is what was known before. */
  readonly broken?: string;
};

/** Instead of an answer. */
export type Refusal = { readonly refused: { readonly kind: ErrorKind; readonly detail: string } };

export type AnswerTo<T extends QueryType> = Viewed & Answers[T];
export type Reply<T extends QueryType> = Viewed & (Answers[T] | Refusal);
