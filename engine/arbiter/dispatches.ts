/**
 * The hints that follow from rulings, on their way to the work queues. Owns which of them are stored; effects.ts says what
 * they are.
 *
 * D1 The effects of a segment are not done before all its hints are stored.
 * D2 What the server does not take is given again: nothing else would ask for a hook.
 */
import type { Dispatch } from './effects.ts';
import type { Outbox } from './ports.ts';

export class Dispatches {
  readonly #outbox: Pick<Outbox, 'dispatch'>;
  /** Those that are not stored yet, by the sequence of their ruling. */
  readonly #open = new Map<number, number>();
  #refused: (readonly [dispatch: Dispatch, seq: number])[] = [];

  constructor(outbox: Pick<Outbox, 'dispatch'>) {
    this.#outbox = outbox;
  }

  /** `seq` is the segment of the ruling that it follows from. */
  add(dispatch: Dispatch, seq: number): void {
    this.#open.set(seq, (this.#open.get(seq) ?? 0) + 1);
    this.#give(dispatch, seq);
  }

  giveAgain(): void {
    for (const [dispatch, seq] of this.#refused.splice(0)) this.#give(dispatch, seq);
  }

  /** Effects are done up to just before the oldest hint that is not stored yet. */
  doneUntil(settledSeq: number): number {
    const oldest = Math.min(...this.#open.keys());
    return Number.isFinite(oldest) ? oldest - 1 : settledSeq;
  }

  #give(dispatch: Dispatch, seq: number): void {
    void this.#outbox.dispatch(dispatch).then(
      () => {
        const left = (this.#open.get(seq) ?? 1) - 1;
        if (left === 0) this.#open.delete(seq);
        else this.#open.set(seq, left);
      },
      () => {
        this.#refused.push([dispatch, seq]);
      },
    );
  }
}
