/**
 * The state that a ledger folds to. Owns the shape of what the arbiter knows; evolve.ts changes it, and nobody else.
 *
 * W1 It is a function of the ledger alone: the same entries give the same rows wherever they are folded.
 * W2 Every row is immutable (table.ts), so a row may be handed out without a copy.
 */
import { sha256 } from '../../protocol/segment.ts';
import type { Digest, EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import {
  ownLimitSlots,
  type Hook,
  type OnFull,
  type RunDefinition,
  type SlotWish,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import type { Position, TimerKind, Waits } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { ExpiringTable, idleAtMs } from './expiries.ts';
import { RunTable } from './run-table.ts';
import { Pairs, Recorder, Table } from './table.ts';

/** Raised when the fold comes to mean something else; stores and snapshots of another version are folded anew. */
export const FOLD_VERSION = 4;

export type Run = RunDefinition & {
  readonly id: RunId;
  /** Rulings that moved it. */
  readonly version: number;
  readonly state: State;
  readonly sinceMs: EpochMs;
  /** Times that it entered RUNNING, but for going on after a pause. */
  readonly attempt: number;
  /** Of a task run that was called again after its end: the attempts until then. Those since are Prefect's run count. */
  readonly attemptsBefore?: number;
  /** Of a task run: how often it was called again after it had completed or failed. What broke off goes on instead. */
  readonly generation?: number;
  /** Of a call that asks something of another run: that is done. It is not done again while the call has no outcome. */
  readonly acted?: true;
  /** Since it was last called after an end: a task run that is called again has all its retries again. */
  readonly retriesUsed: number;
  /** Keys of the pauses that fired in this attempt. */
  readonly pauses?: readonly string[];
  /** It was paused, and has not run since. */
  readonly resuming?: true;
  /** Times that a worker went on with it after a crash. */
  readonly resumes: number;
  /** Attempts of it that failed: what a flow run called in vain is called again in a later round. */
  readonly round: number;
  /** The execution and the round of its flow run in which it last entered RUNNING. */
  readonly ran?: { readonly execution: number; readonly round: number; readonly redo?: true };
  /** Of a call of a strict flow run: the execution and the round of it in which it was last made. */
  readonly made?: { readonly execution: number; readonly round: number };
  /** Of a strict flow run: calls of this round that this execution has not made again. */
  readonly owed?: number;
  /** Of a strict flow run: calls that it made in this round and that have no run, because they were held or refused. */
  readonly unbegun?: { readonly round: number; readonly calls: readonly RunId[] };
  /** Of a flow run of its own: the execution that is current. */
  readonly execution: number;
  /** Of a flow run of its own: the session that executes it. */
  readonly session?: string;
  /** The session that created it and is told of its end. */
  readonly creator?: string;
  /** Sessions that asked for the same run later, and are told of its end too; the last few. */
  readonly askers?: readonly string[];
  /** The slots that it holds. */
  readonly slots: readonly SlotWish[];
  /** The hash of the line of its last ruling, and where that stands. */
  readonly line: Digest;
  readonly last: Position;
  readonly createdMs: EpochMs;
  /** Where the ruling stands that created it. */
  readonly created: Position;
  /** When it was first meant to start. */
  readonly expectedMs: EpochMs;
  /** Time that it was RUNNING, without the time since it last became so. */
  readonly runMs: number;
  readonly startedMs?: EpochMs;
  readonly endedMs?: EpochMs;
  /** Where the ruling stands that ended it; those that only found it ended do not count. */
  readonly end?: Position;
};

export type Session = {
  readonly user: string;
  /** The asker has the answers to all proposals with a smaller counter; they are forgotten. */
  readonly low: number;
  /** One more than the highest counter that was ruled on. */
  readonly next: number;
  readonly lastMs: EpochMs;
};

/** A limit, or what one key holds of it. */
export type Limit = {
  readonly slotsMax?: number;
  readonly used: number;
  readonly onFull?: OnFull;
  /** A rate limit: a slot comes back every so many milliseconds, and all are back at `emptyAtMs`. */
  readonly everyMs?: number;
  readonly emptyAtMs?: EpochMs;
};

/** What is kept of a call's result for equal calls. */
export type CacheEntry = {
  readonly run: RunId;
  readonly result?: Value;
  readonly atMs: EpochMs;
  readonly expiresAtMs?: EpochMs;
};

/** A message that nobody has received. Its id is where the ruling stands that sent it. */
export type Message = {
  readonly id: string;
  readonly value?: Value;
  readonly from?: RunId;
  readonly by: string;
  readonly atMs: EpochMs;
};

/** A variable of the workspace. */
export type Variable = {
  readonly value: Value;
  readonly tags?: readonly string[];
  readonly by: string;
  readonly atMs: EpochMs;
};

export const timerKey = (run: RunId, timer: string): string => `${timer} ${run}`;

/** The hook of a run that ended in nobody's hands, from the ruling in segment `seq` on. */
export type OwedHook = {
  readonly run: RunId;
  readonly version: number;
  readonly hook: Hook;
  readonly state: State;
  readonly seq: number;
};

export const messageKey = (mailbox: string, id: string): string => `${id} ${mailbox}`;

/** The row of a limit; each key of a limit has its own. */
export const limitKey = ({ limit, by }: Pick<SlotWish, 'limit' | 'by'>): string =>
  by === undefined ? limit : `${limit}[${by}]`;

export type Held = {
  readonly proposal: TransitionProposal;
  readonly at: Position;
  readonly sinceMs: EpochMs;
  readonly waits: Waits;
  readonly priority: number;
};

export type Timer = {
  readonly dueAtMs: EpochMs;
  readonly run: RunId;
  readonly timer: TimerKind | 'held';
  /** The version of the run that the timer belongs to; of a held proposal's timer, its id instead. */
  readonly version: number;
  readonly proposal?: ProposalId;
  /** How often what it asked for was refused. */
  readonly tries?: number;
};

export type Meta = {
  readonly head: { readonly seq: number; readonly hash: Digest | '' };
  readonly epoch: number;
  readonly writer: string;
  readonly policy: Digest | '';
  /** Somebody put the policy in force; else it is that of whatever engine is active. */
  readonly isSet: boolean;
  readonly position: { readonly seq: number; readonly id: string };
  readonly effects: number;
  readonly timeMs: EpochMs;
  /** Where predecessors ended while they judged, newest first (architecture 4, poison). */
  readonly endedAt: readonly (Position | undefined)[];
  readonly rulings: number;
};

const EMPTY_META: Meta = {
  head: { seq: 0, hash: '' },
  epoch: 0,
  writer: '',
  policy: '',
  isSet: false,
  position: { seq: 0, id: '' },
  effects: 0,
  timeMs: 0 as EpochMs,
  endedAt: [],
  rulings: 0,
};

/** A policy that was put in force, or that came with another version of the engine. */
export type PolicyRow = {
  readonly policy: Digest;
  readonly core: boolean;
  /** The file that it was made of. */
  readonly from?: string;
  readonly by: string;
  readonly atMs: EpochMs;
  readonly at: Position;
};

/** What the last changes may have set free; read and cleared by whoever wakes held proposals. */
export type Touched = {
  readonly limits: Set<string>;
  /** Held proposals whose lock somebody else has taken, or comes first for. */
  readonly overtaken: Set<ProposalId>;
  readonly flows: Set<RunId>;
  /** Mailboxes that got a message. */
  readonly mailboxes: Set<string>;
  /** Keys of timers that were set. */
  readonly timers: Set<string>;
};

export class Workspace {
  readonly recorder = new Recorder();
  readonly runs: RunTable<Run>;
  readonly sessions = new Table<Session>('sessions', this.recorder);
  /** Proposal id to the place of its latest ruling. */
  readonly answered = new Table<Position>('answered', this.recorder);
  /** Those that are set stay; what is idle of a key goes. */
  readonly limits = new ExpiringTable<Limit>('limits', this.recorder, idleAtMs);
  readonly held = new Table<Held>('held', this.recorder);
  /** Cache key to the result that is kept. */
  readonly cache = new ExpiringTable<CacheEntry>('cache', this.recorder, ({ expiresAtMs }) => expiresAtMs);
  /** Runs that are to be cancelled because others need their slots. */
  readonly evictions = new Table<true>('evictions', this.recorder);
  /** Limit to the ids of the held proposals that wait for it, first come first. */
  readonly queues = new Table<readonly ProposalId[]>('queues', this.recorder);
  readonly timers = new Table<Timer>('timers', this.recorder);
  /** Flow runs that ended before what they called. */
  readonly cascades = new Table<true>('cascades', this.recorder);
  /** Identity to the unfinished runs of it that one process began, the newest last. */
  readonly identities = new Table<readonly RunId[]>('identities', this.recorder);
  /** Flow run to its calls that have not ended. */
  readonly open = new Pairs('open', this.recorder);
  /** Flow run of its own to the held proposals of it and of all under it. */
  readonly heldUnder = new Pairs('heldUnder', this.recorder);
  /** Session to the flow runs of their own that it executes. */
  readonly executing = new Pairs('executing', this.recorder);
  /** The policies ever in force, by the place from which on they were. */
  readonly policies = new Table<PolicyRow>('policies', this.recorder);
  readonly #meta = new Table<Meta>('meta', this.recorder);
  /** Mailbox to the ids of the messages in it, the oldest first. A message is large, and written once. */
  readonly mailboxes = new Table<readonly string[]>('mailboxes', this.recorder);
  /** Mailbox and id to the message. */
  readonly messages = new Table<Message>('messages', this.recorder);
  /** Crashed flow run of its own that has mailboxes to the time at which they are given up. */
  readonly unclaimed = new ExpiringTable<EpochMs>('unclaimed', this.recorder, (atMs) => atMs);
  /** Flow run of its own to the mailboxes of it and of all under it. */
  readonly mailboxesUnder = new Pairs('mailboxesUnder', this.recorder);
  /** Mailbox to the held proposals that wait for it; topic to the flow runs that listen to it. */
  readonly waiting = new Table<readonly ProposalId[]>('waiting', this.recorder);
  readonly listening = new Table<readonly RunId[]>('listening', this.recorder);
  readonly variables = new Table<Variable>('variables', this.recorder);
  /** Run and version to the hook that a worker is to be told of (hooks-owed.ts). */
  readonly hooksOwed = new Table<OwedHook>('hooksOwed', this.recorder);
  readonly touched: Touched = {
    limits: new Set(),
    overtaken: new Set(),
    flows: new Set(),
    mailboxes: new Set(),
    timers: new Set(),
  };

  /** `fetchRun` finds a run that has left the memory (an ended one, in the state store). */
  constructor(fetchRun?: (id: string) => Run | undefined) {
    this.runs = new RunTable<Run>('runs', this.recorder, fetchRun);
  }

  get meta(): Meta {
    return this.#meta.get('meta') ?? EMPTY_META;
  }

  set meta(meta: Meta) {
    this.#meta.set('meta', meta);
  }

  /** Sets a timer and lets whoever watches the clock know. */
  setTimer(key: string, timer: Timer): void {
    this.timers.set(key, timer);
    this.touched.timers.add(key);
  }

  /** A limit as it stands for one key: what is set for the key itself, else for the limit. The engine's own are not set. */
  limitOf(wish: Pick<SlotWish, 'limit' | 'by'>): Limit | undefined {
    const base = this.limits.get(wish.limit);
    if (wish.by === undefined) return base;
    const own = this.limits.get(limitKey(wish));
    const slotsMax = ownLimitSlots(wish.limit);
    if (slotsMax !== undefined) return { slotsMax, used: own?.used ?? 0 };
    if (own?.slotsMax !== undefined || base === undefined) return own;
    return { ...base, used: own?.used ?? 0, emptyAtMs: own?.emptyAtMs ?? (0 as EpochMs) };
  }

  /** What is of no use any more at this time goes. */
  dropExpired(nowMs: EpochMs): void {
    for (const table of [this.cache, this.limits]) for (const key of table.due(nowMs)) table.delete(key);
  }

  /** All tables, for the store, the digest and starting anew. */
  tables(): readonly {
    name: string;
    entries(): Iterable<[string, unknown]>;
    place(key: string, value: unknown): void;
    clear(): void;
  }[] {
    return [
      this.runs,
      this.sessions,
      this.answered,
      this.limits,
      this.cache,
      this.evictions,
      this.held,
      this.queues,
      this.timers,
      this.cascades,
      this.identities,
      this.open,
      this.heldUnder,
      this.executing,
      this.policies,
      this.mailboxes,
      this.messages,
      this.unclaimed,
      this.mailboxesUnder,
      this.waiting,
      this.listening,
      this.variables,
      this.hooksOwed,
      this.#meta,
    ];
  }

  clear(): void {
    for (const table of this.tables()) table.clear();
    this.forgetTouched();
  }

  /** Nobody will be woken by it. */
  forgetTouched(): void {
    for (const touched of Object.values(this.touched)) touched.clear();
  }
}

/**
 * The digest of a folded state: SHA-256 over all rows, sorted. `more` are rows that are not in memory
 * (ended runs in the state store), as `table key json`.
 */
export function stateDigest(workspace: Workspace, more: Iterable<string> = []): Digest {
  const rows = new Set<string>(more);
  for (const table of workspace.tables()) {
    for (const [key, value] of table.entries()) rows.add(rowOf(table.name, key, value));
  }
  return sha256([...rows].sort().join('\n'));
}

export const rowOf = (table: string, key: string, value: unknown): string => `${table} ${key} ${JSON.stringify(value)}`;
