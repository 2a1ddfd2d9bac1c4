/**
 * The nine types of state, and what each carries. A name refines a type (`AwaitingRetry` is a SCHEDULED); rules match
 * on types. The vocabulary is Prefect 3's.
 */
import type { EpochMs } from './ids.ts';
import type { Value } from './values.ts';

export const STATE_TYPES = [
  'SCHEDULED',
  'PENDING',
  'RUNNING',
  'PAUSED',
  'CANCELLING',
  'COMPLETED',
  'FAILED',
  'CRASHED',
  'CANCELLED',
] as const;
export type StateType = (typeof STATE_TYPES)[number];

type Named = {
  /** `Running`, `Retrying`, `AwaitingRetry`, `TimedOut` …: any name of 1 to 64 characters. */
  readonly name: string;
  /** One line for people, at most 1,000 characters. */
  readonly message?: string;
};

export type State =
  | (Named & { readonly type: 'SCHEDULED'; readonly dueAtMs: EpochMs; readonly error?: Value })
  /** `dueAtMs`: when it was due; it does not run before. */
  | (Named & { readonly type: 'PENDING'; readonly dueAtMs?: EpochMs })
  | (Named & { readonly type: 'RUNNING' })
  /**
   * `key` names this pause within the run: each fires once an attempt. After `timeoutAtMs` it cannot be resumed any more.
   * `suspended`: its process has ended, a worker goes on with it; otherwise its process waits. It goes on by itself at
   * `wakeAtMs` (a long sleep), and when a message comes to one of the mailboxes in `wakeOn`. `input`: the JSON Schema of
   * what whoever resumes it has to say.
   */
  | (Named & {
      readonly type: 'PAUSED';
      readonly key?: string;
      readonly timeoutAtMs?: EpochMs;
      readonly suspended?: true;
      readonly wakeAtMs?: EpochMs;
      readonly wakeOn?: readonly string[];
      readonly input?: Value;
    })
  | (Named & { readonly type: 'CANCELLING' })
  | (Named & { readonly type: 'COMPLETED'; readonly result?: Value })
  /** `retriable: false` says that another attempt would fail in the same way. Default: true. */
  | (Named & { readonly type: 'FAILED'; readonly error?: Value; readonly retriable?: boolean })
  | (Named & { readonly type: 'CRASHED'; readonly error?: Value })
  /** `result` or `error` is evidence: what the code reported after the cancel was ruled. */
  | (Named & { readonly type: 'CANCELLED'; readonly result?: Value; readonly error?: Value });

export const TERMINAL_TYPES = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'] as const satisfies readonly StateType[];
export type TerminalType = (typeof TERMINAL_TYPES)[number];

export const isTerminal = (state: { readonly type: StateType } | undefined): boolean =>
  state !== undefined && (TERMINAL_TYPES as readonly StateType[]).includes(state.type);

/** What FAILED is called of a flow run that did not do again what it did: it goes on in the same round. */
export const DIVERGED_NAME = 'Diverged';

export const DEFAULT_NAMES: Readonly<Record<StateType, string>> = {
  SCHEDULED: 'Scheduled',
  PENDING: 'Pending',
  RUNNING: 'Running',
  PAUSED: 'Paused',
  CANCELLING: 'Cancelling',
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  CRASHED: 'Crashed',
  CANCELLED: 'Cancelled',
};
