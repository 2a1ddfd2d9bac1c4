/**
 * A log: one stream of messages in total order. The ledger is one, the proposals are another.
 * Owns: order, gaps, and the fate of an append. Does not know what the bytes say (protocol/segment.ts does).
 *
 * L1 `follow` delivers every stored message from `from` on, once each, in order of sequence, across reconnects and
 *    restarts of the server; a gap is delivered as a gap (the next message's sequence), never filled or reordered.
 * L2 `append` calls reach the log in the order of the calls. One of them is stored only if `expectedLast` is the last
 *    sequence then; the answer is OK only with the sequence that the server gave.
 * L3 an append that is not answered in time, or whose connection broke, is UNKNOWN: it may have been stored or not.
 */
import type { Sequence } from '../../protocol/ids.ts';

export type StoredMessage = { readonly seq: Sequence; readonly subject: string; readonly bytes: Uint8Array };

export type AppendOutcome =
  | { readonly type: 'OK'; readonly seq: Sequence }
  | { readonly type: 'CONFLICT' }
  /**
   * `detail` says what was seen: a time-out, a lost connection, an error reply other than a conflict. With such a reply
   * (a full store, for instance) it is `refused`.
   */
  | { readonly type: 'UNKNOWN'; readonly detail: string; readonly refused?: true };

export type Follower = {
  /** Ends the delivery; no call back comes after it returned. */
  stop(): void;
  /** Starts again from `from`, when whoever follows found that the log is not what it was. */
  restart(from: Sequence): void;
};

export interface Log {
  append(bytes: Uint8Array, expectedLast: Sequence): Promise<AppendOutcome>;
  /** The message stored at `seq`, or undefined when none is. Rejects when the log cannot be asked. */
  get(seq: Sequence): Promise<StoredMessage | undefined>;
  /** The first and the last sequence; last is 0 for a log that never held a message. Rejects when it cannot be asked. */
  bounds(): Promise<{ readonly first: Sequence; readonly last: Sequence }>;
  /** Calls back for every message from `from` on, those stored already and those to come. */
  follow(from: Sequence, each: (message: StoredMessage) => void): Promise<Follower>;
  /** Everything stored from `from` to the last message at the time of the call, in order. */
  read(from: Sequence): AsyncIterable<StoredMessage>;
}
