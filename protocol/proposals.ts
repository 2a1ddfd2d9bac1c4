/**
 * A proposal: a wish for a transition, or a report of what happened. It changes nothing until it is ruled on.
 */
import type { Digest, EpochMs, ProposalId, RunId } from './ids.ts';
import type { State } from './states.ts';
import type { Value } from './values.ts';

/**
 * Slots of a named limit that a run needs while it runs. `by` is a key (a tenant, a host): runs with different keys do not
 * share slots, each key has as many as the limit says.
 */
export type SlotWish = { readonly limit: string; readonly slots: number; readonly by?: string };

/** The engine's own limit, of whoever computes the result of a cache key: nobody sets it, and each key has one slot. */
export const CACHE_KEY_LIMIT = 'cache-key';
/** Another one: of whoever is in the transaction of a key. */
export const TRANSACTION_LIMIT = 'transaction';
/** The slots that each key has of a limit that is the engine's own; undefined for those that people set. */
export const ownLimitSlots = (limit: string): number | undefined =>
  limit === CACHE_KEY_LIMIT || limit === TRANSACTION_LIMIT ? 1 : undefined;
/** Whether people may set it: the engine's own are what they are, and so is what one key has of them. */
export const isSettable = (limit: string): boolean =>
  ![CACHE_KEY_LIMIT, TRANSACTION_LIMIT].some((own) => limit === own || limit.startsWith(`${own}[`));

export type RetryPolicy = {
  /** Further attempts after the first. */
  readonly retriesMax: number;
  /** The delay before each further attempt; the last one goes on. Empty: none. */
  readonly delaysMs: readonly number[];
  /** In [0, 1]: each delay is stretched by up to this share of itself, by chance. */
  readonly jitter: number;
};

/**
 * What a call waits for: the next message in a mailbox, or the next event of a topic since its flow run first waited for one. After
 * `untilMs` it fails. The message becomes the call's result.
 */
export type Receives =
  | { readonly type: 'MESSAGE'; readonly mailbox: string; readonly untilMs?: EpochMs }
  | { readonly type: 'EVENT'; readonly topic: string; readonly untilMs?: EpochMs };

/** The mailbox of a flow run for messages of one name. */
export const mailboxOf = (flow: RunId, name: string): string => `${flow} message:${name}`;
/** Where the input of a resumption lies that ended the pause of this key. */
export const pauseMailbox = (flow: RunId, key: string): string => `${flow} pause:${key}`;
/** Where a flow run's events of a topic lie: those since the first of its calls that waited for one. */
export const eventMailbox = (flow: RunId, topic: string): string => `${flow} event:${topic}`;
/** Where what a call waits for lies. */
export const mailboxFor = (call: RunId, receives: Receives): string =>
  receives.type === 'MESSAGE' ? receives.mailbox : eventMailbox((parentId(call) || call) as RunId, receives.topic);
/** What a mailbox is for, and which flow run's it is. */
export function mailboxParts(mailbox: string): {
  readonly run: RunId;
  readonly kind: 'message' | 'pause' | 'event';
  readonly name: string;
} {
  const [, run = mailbox, kind = 'message', name = ''] = /^(\S*) (message|pause|event):(.*)$/s.exec(mailbox) ?? [];
  return { run: run as RunId, kind: kind as 'message' | 'pause' | 'event', name };
}
/** What an event is heard under: its name, and with a key under both. A bracket in a name begins no key. */
export const topicOf = (name: string, key?: string): string => {
  const topic = name.replaceAll(/[[\\]/g, '\\$&');
  return key === undefined ? topic : `${topic}[${key}]`;
};

/** What a topic was made of. */
export function topicParts(topic: string): { readonly name: string; readonly key?: string } {
  const [, escaped = topic, key] = /^((?:[^[\\]|\\.)*)\[(.*)\]$/s.exec(topic) ?? [];
  const name = escaped.replaceAll(/\\(.)/gs, '$1');
  return key === undefined ? { name } : { name, key };
}

/** Functions of the user's that are called when a run enters a state. */
export const HOOKS = ['onRunning', 'onCompletion', 'onFailure', 'onCancellation', 'onCrashed'] as const;
export type Hook = (typeof HOOKS)[number];

/** What a run is; recorded once, with the proposal that creates it. */
export type RunDefinition = {
  readonly kind: 'flow' | 'task';
  /** The flow's or task's name. */
  readonly name: string;
  /** The flow run that called it. Absent: a flow run of its own. */
  readonly parent?: RunId;
  /**
   * The call's identity within its parent: the task's key, the digest of its inputs, its ordinal among equals. In a strict
   * flow run also `nth`, as its how many-th the flow's function made it, from 1; and `behind`, how many of those before it
   * were not proposed yet when it was. Absent: 0.
   */
  readonly call?: {
    readonly key: string;
    readonly inputs?: Digest;
    readonly ordinal: number;
    readonly nth?: number;
    readonly behind?: number;
  };
  readonly parameters?: Value;
  /** Of a flow run with a schema: which one made the parameters, and of what, where it makes others of them. */
  readonly parsed?: { readonly schema?: Digest; readonly input?: Value };
  readonly retry?: RetryPolicy;
  readonly timeoutMs?: number;
  readonly limits?: readonly SlotWish[];
  /** Higher is sooner among those that wait for the same thing. Default 0. */
  readonly priority?: number;
  /** For rules and limits: a task asks for a slot of each limit `tag:<tag>` that is set. */
  readonly tags?: readonly string[];
  /**
   * Where the result of an equal call may be kept, and for how long; `refresh` does not look, and keeps anew. `once`: calls
   * with this key are computed one at a time, so that those made meanwhile are answered with the first one's result.
   */
  readonly cache?: { readonly key: string; readonly ttlMs?: number; readonly refresh?: true; readonly once?: true };
  /** The deployment that it is a run of: from PENDING on it needs a slot of the limit `deployment:<name>`, if that is set. */
  readonly deployment?: string;
  /** Where a worker finds it. Absent: its creator executes it. */
  readonly work?: { readonly pool: string; readonly queue: string };
  /** What a script that runs again recognises its unfinished run by: flow, parameters and script. */
  readonly identity?: Digest;
  /** What people call this one run; `name` is what it is a run of. */
  readonly title?: string;
  /** The run whose code started it, of a run that is not called but started. */
  readonly startedBy?: RunId;
  /** The states for which its code has hooks: when it enters one in nobody's hands, a worker is told. */
  readonly hooks?: readonly Hook[];
  /** It undoes what was done: it may run while its flow run is being cancelled. */
  readonly cleanup?: true;
  /** Of a flow run: when it is executed again, a call that it has not made before, in place of one that it has, is refused. */
  readonly strict?: true;
  /** Of a call that waits for a message or an event, and has no code of its own. */
  readonly receives?: Receives;
};

type Asked = {
  readonly id: ProposalId;
  /** The user that the server vouches for, from the subject; `engine` for the engine's own proposers. */
  readonly by: string;
  /** What a client says of itself. */
  readonly onBehalfOf?: string;
  /** Why, in the asker's words. */
  readonly reason?: string;
  /** The asker has the answers to all its proposals with a smaller counter. */
  readonly done?: number;
  /** Of the engine's own proposals: the epoch in which it was made. */
  readonly epoch?: number;
};

/** What a call was given, as the report of its failure says it; a call whose definition has it does not say it again. */
export type GivenInputs = {
  /** The list of them. */
  readonly value?: Value;
  /** How they begin, in words, where they are long. */
  readonly preview?: string;
  /** Why they are cut or left out, or that they are not what they were when the call was made. */
  readonly note?: string;
};

export type TransitionProposal = Asked & {
  readonly kind: 'flow' | 'task';
  readonly run: RunId;
  readonly to: State;
  /** The version of the run that a wish is based on. Absent: the asker does not care. */
  readonly basedOn?: number;
  /** It says what happened, and is judged against what is now. */
  readonly report?: true;
  /** The execution in whose name a process asks: the fencing token. */
  readonly execution?: number;
  /** The asker wants to become the process that executes this flow run; the ruling mints an execution number. */
  readonly claim?: true;
  /** An operator's override: only the rules of the policy `forced` are asked. It needs a reason. */
  readonly force?: true;
  /** Present in the proposal that creates the run. */
  readonly create?: RunDefinition;
  /** Of a resumption: what its author says to the paused run. */
  readonly input?: Value;
  /** The call of a flow that asks this of another run. It does so once, whatever becomes of its process in the meantime. */
  readonly deedOf?: RunId;
  /** Of a reopening: the record of this call and of all that began after it is not used again. */
  readonly redoFrom?: RunId;
  /** What happens with the transition, if it is accepted as it was asked for: once, because the run ends once. */
  readonly carries?: CarriedEvent;
  /** Of the report that an attempt of a call failed: what it was given. */
  readonly inputs?: GivenInputs;
};

/** What becomes of a run that finds a limit full: it waits, it is cancelled, or those that run are cancelled for it. */
export const ON_FULL = ['enqueue', 'cancel-new', 'cancel-running'] as const;
export type OnFull = (typeof ON_FULL)[number];

export type LimitSet = {
  readonly type: 'LIMIT_SET';
  readonly limit: string;
  readonly slotsMax: number;
  /** A rate limit: slots come back by time, so many a second, and not with the end of the run. */
  readonly slotsPerSecond?: number;
  /** Default: `enqueue`. */
  readonly onFull?: OnFull;
};

/** A policy is put in force: whatever is ruled on after it is judged by it. */
export type PolicySet = {
  readonly type: 'POLICY_SET';
  readonly policy: Digest;
  /** The rules of the engine itself, of whatever version it is; else those of the stored source. */
  readonly core?: true;
  /** What it was made of, for people: a file's name. */
  readonly from?: string;
};

/** A message to a flow run, for `receive`. */
export type MessageSent = {
  readonly type: 'MESSAGE_SENT';
  readonly to: RunId;
  readonly name: string;
  readonly value?: Value;
  readonly from?: RunId;
};

/** An event for whoever waits for it, under its name and, with a key, under `name[key]`. */
export type EventEmitted = {
  readonly type: 'EVENT_EMITTED';
  readonly name: string;
  readonly key?: string;
  readonly value?: Value;
  readonly from?: RunId;
};

export const ARTIFACT_KINDS = ['markdown', 'table', 'link', 'image', 'progress'] as const;
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];

/** How an artifact's key is spelled: it stands after a run's id and `/` on the command line. */
export const ARTIFACT_KEY = /^[A-Za-z0-9_.-]+$/;
/** How a variable's name is spelled. */
export const VARIABLE_NAME = /^[a-z0-9_-]+$/;

/** Something that a run made for people to look at; the newest of a key is the one that counts. */
export type ArtifactMade = {
  readonly type: 'ARTIFACT_MADE';
  readonly run: RunId;
  readonly key: string;
  readonly kind: ArtifactKind;
  readonly description?: string;
  readonly data: Value;
};

export type VariableSet = {
  readonly type: 'VARIABLE_SET';
  readonly name: string;
  readonly value: Value;
  readonly tags?: readonly string[];
};

/** A hook of a run was called; `error` is what it threw. */
export type HookRan = {
  readonly type: 'HOOK_RAN';
  readonly run: RunId;
  readonly hook: Hook | 'onCommit' | 'onRollback';
  /** The hook function's name, where it has one. */
  readonly function?: string;
  readonly error?: Value;
};

/** What a transition may bring with it. */
export type CarriedEvent = MessageSent | EventEmitted | ArtifactMade | VariableSet;

/** What belongs to no run, ruled on like a transition. */
export type WorkspaceEvent =
  | CarriedEvent
  | HookRan
  | { readonly type: 'VARIABLE_REMOVED'; readonly name: string }
  | PolicySet
  | LimitSet
  | { readonly type: 'LIMIT_REMOVED'; readonly limit: string }
  | { readonly type: 'SESSION_CLOSED'; readonly session: string; readonly silentSinceMs: EpochMs }
  /** Bytes at the door that are no proposal, or one that is not to be judged; kept for whoever wants to know. */
  | { readonly type: 'UNREADABLE'; readonly problem: string; readonly bytes: string };

export type WorkspaceProposal = Asked & { readonly kind: 'workspace'; readonly event: WorkspaceEvent };

export type Proposal = TransitionProposal | WorkspaceProposal;

/** The actor of the engine's own proposers: clock, cascade, liveness. */
export const ENGINE = 'engine';

export const proposalId = (session: string, counter: number): ProposalId =>
  `${session}:${String(counter)}` as ProposalId;

/** The session and counter of a client's proposal; undefined for the engine's own. */
export function sessionOf(id: ProposalId): { readonly session: string; readonly counter: number } | undefined {
  const at = id.indexOf(':');
  return at < 0 ? undefined : { session: id.slice(0, at), counter: Number(id.slice(at + 1)) };
}

/** The flow run at the top: the unit of execution, fencing and resuming. */
export function rootOf(run: RunId): RunId {
  const at = run.indexOf('.');
  return (at < 0 ? run : run.slice(0, at)) as RunId;
}

/** The id of the flow run that encloses a run, read from the run's own; empty for a flow run of its own. */
export const parentId = (run: RunId): string => run.slice(0, Math.max(run.lastIndexOf('.'), 0));
