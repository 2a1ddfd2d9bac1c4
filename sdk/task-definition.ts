/** What a task is, as its calls use it. */
import type { EpochMs } from '../protocol/ids.ts';
import type { CarriedEvent, Receives } from '../protocol/proposals.ts';
import type { Future } from './future.ts';
import type { Settings } from './settings.ts';
import type { TransactionHooks } from './transaction-hooks.ts';

export type TaskDefinition = {
  readonly settings: Settings;
  readonly fn: (...inputs: never[]) => unknown;
  /** The caller's own key for these inputs. */
  readonly keyOf: ((inputs: readonly unknown[]) => string) | undefined;
  /** The result is handed over only when it is ruled on. */
  readonly awaitsRuling: boolean;
  readonly waitFor?: readonly Future<unknown>[];
  readonly transaction?: TransactionHooks;
  /** The module in which it was defined, as a URL. */
  readonly module?: string;
  readonly builtIn?: BuiltIn;
};

/** A call of the SDK's own kind: it runs no code of the user's, and counts for no limit of its runner's. */
export type BuiltIn = {
  /**
   * How long it waits, from when it was first made: what receives something gives up then; what receives nothing begins
   * then. Absent: for ever, or not at all.
   */
  readonly lastsMs?: number;
  /** It has no code: it ends with what it receives. Until when is said by `lastsMs`. */
  readonly receives?: Receives;
  /** It undoes what was done. */
  readonly cleanup?: true;
  /** What its completion brings with it; asked for when it completes. */
  readonly carries?: () => CarriedEvent | undefined;
  /** It waits, and does nothing: its flow run may let go of its process meanwhile. */
  readonly waits?: true;
  /** Nothing is there for it yet; called more than once. */
  readonly onHeld?: (untilMs: EpochMs | undefined) => void;
};
