/** A flow in virtual time: how it may be run, and what is known of it afterwards. */
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { PolicyChange, PolicyModule } from '../../rules/compose.ts';
import type { Duration } from '../../sdk/durations.ts';
import type { RunAtEnd } from './virtual-world.ts';

/** What may happen besides the flow. */
export interface Meanwhile {
  /** The time of day in the virtual world. */
  readonly nowMs: () => number;
  /** Resolves when so much virtual time has passed. */
  readonly sleep: (duration: Duration) => Promise<void>;
  /** Asks for the flow's run to be cancelled, as an operator would. */
  readonly cancel: (reason?: string) => Promise<void>;
  /** The run's id; undefined before it exists. */
  readonly runId: () => RunId | undefined;
}

/** How a flow is run in virtual time; all optional. */
export interface VirtualTimeOptions {
  /** In the place of ours, kind by kind, or as a policy module exports them. */
  readonly policies?: PolicyModule | PolicyChange;
  /** Of all chance: jitter, ids, `Math.random()`. The same seed gives the same ledger. Default 1. */
  readonly seed?: number;
  /** The time of day at which it begins: an ISO date, or milliseconds. Default `2026-01-01T00:00:00Z`. */
  readonly startAt?: string | number;
  /** Ends after so much virtual time, whether or not the flow has. Default: when the flow has ended. */
  readonly until?: Duration;
  /** Named limits that are set before the flow begins. */
  readonly limits?: Readonly<Record<string, number>>;
  /**
   * Other flows, and tasks, whose runs are executed as by a worker: those that are started by `startRun` or `delay`, and
   * the calls of tasks in `workers()`.
   */
  readonly serves?: readonly unknown[];
  /** Goes on beside the flow; what it throws is thrown. */
  readonly meanwhile?: (world: Meanwhile) => Promise<void>;
}

/** What is known of a flow that was run in virtual time. */
export interface VirtualRun<Result> {
  /** `unfinished`: time was up, or nothing was left that could happen; {@link VirtualRun.why} says what it waits for. */
  readonly outcome: 'completed' | 'failed' | 'unfinished';
  readonly result?: Result;
  readonly error?: unknown;
  /** The flow run's id and the state that it is in; undefined if it never began. */
  readonly run?: RunId;
  readonly state?: State;
  /** The time of day at which it ended, and how much virtual time had passed. */
  readonly at: EpochMs;
  readonly tookMs: number;
  /** Every run, in the order in which they began. */
  readonly runs: readonly RunAtEnd[];
  /** Every ruling, in the order of the ledger. */
  readonly rulings: readonly Ruling[];
  /** The stored segments, in order: the whole ledger, for replay. */
  readonly ledger: readonly Uint8Array[];
  /** The lines of the runs' logs. */
  readonly logged: readonly string[];
  /** The result; throws the flow's error, or says why it is unfinished. */
  readonly value: () => Result;
  /** What the rules did to a run (default: the flow's) and what it waits for, in words. */
  readonly why: (run?: string) => string;
}
