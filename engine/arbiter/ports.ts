/** What the arbiter says to the world besides the ledger. Implemented over core NATS, and in memory for simulation. */
import type { AnswerMessage } from '../../protocol/messages.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import type { Dispatch } from './effects.ts';

export interface Outbox {
  /** Best effort: whoever misses an answer asks again. */
  answer(session: string, message: AnswerMessage): void;
  /** Resolves when the hint is stored. */
  dispatch(dispatch: Dispatch): Promise<void>;
  /** The live tail: the ruling's line as it is stored. */
  ruled(ruling: Ruling, line: string, at: Position): void;
  /** Says that this arbiter is active. */
  beat(lease: Lease): void;
}

export type Lease = { readonly epoch: number; readonly writer: string };

/** What was heard of active arbiters. */
export interface LeaseWatch {
  /** The last beat of any writer but `own`, and how long ago it was; undefined when none was heard. */
  last(own: string): (Lease & { readonly agoMs: number }) | undefined;
  /** How long ago a beat of this arbiter's own came back; undefined before the first. Absent where none comes back. */
  echoMs?(own: string): number | undefined;
}

/** Draws numbers in [0, 1). */
export interface Chance {
  unit(): number;
}
