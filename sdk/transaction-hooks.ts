/** What tasks say of transactions: the hooks by which a completed call is committed or undone. */
import type { Position } from '../protocol/rulings.ts';

/** A completed call, as its hooks see it. */
export interface CompletedCall<Args extends readonly unknown[] = readonly unknown[]> {
  /** The task run. */
  readonly runId: string;
  /** The same for each attempt to commit or undo this call. */
  readonly idempotencyKey: string;
  readonly inputs: Args;
  /** What the call gave. */
  readonly result: unknown;
  /** What was left in the transaction by `set`. */
  readonly get: (name: string) => unknown;
}

/** Called when the outermost transaction around a completed call is committed. */
export type CommitHook<Args extends readonly unknown[] = never> = (call: CompletedCall<Args>) => unknown;
/** Undoes a completed call when a transaction around it is rolled back. */
export type RollbackHook<Args extends readonly unknown[] = never> = (call: CompletedCall<Args>) => unknown;

export type TransactionHooks = {
  readonly onCommit: readonly CommitHook[];
  readonly onRollback: readonly RollbackHook[];
};

/** A completed call, as a transaction keeps it. */
export type CallInside = {
  readonly runId: string;
  readonly name: string;
  readonly inputs: readonly unknown[];
  readonly result: unknown;
  readonly hooks: TransactionHooks;
  /** Where the ruling stands that ended it, if it is answered from the record; what ends now comes after all of those. */
  readonly at?: Position | undefined;
};

/** What a task's completion is told to; a transaction, for the flow scope that is its own. */
export interface TransactionLog {
  completed(call: CallInside): void;
  /** More completed calls are found meanwhile; the end of the transaction waits for it. */
  expect(found: Promise<void>): void;
}
