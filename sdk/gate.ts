/** A bound on what is at work at once. */
import { LIMITS } from '../protocol/limits.ts';

/** A place inside, or in the line before the gate. */
export interface GatePass {
  /** It is done, or does not wait any more. Once is enough. */
  leave(): void;
}

type Place = { go: (() => void) | undefined; isInside: boolean; readonly mayGo: () => boolean };

const always = (): boolean => true;

/** Lets so many calls of one flow run be at work at once; those that wait go in the order in which they came. */
export class Gate {
  readonly #limit: number;
  readonly #waiting = new Set<Place>();
  #inside = 0;

  constructor(limit: number = LIMITS.callsAtOnce) {
    this.#limit = limit;
  }

  /** Calls `go` now, or when there is room; not while it may not, and then not before the next one leaves. */
  enter(go: () => void, mayGo = always): GatePass {
    const place: Place = { go, isInside: false, mayGo };
    if (this.#inside < this.#limit && mayGo()) this.#let(place);
    else this.#waiting.add(place);
    return {
      leave: () => {
        this.#leave(place);
      },
    };
  }

  #let(place: Place): void {
    this.#inside += 1;
    place.isInside = true;
    const { go } = place;
    place.go = undefined;
    go?.();
  }

  #leave(place: Place): void {
    if (!place.isInside) {
      this.#waiting.delete(place);
      return;
    }
    place.isInside = false;
    this.#inside -= 1;
    for (const next of this.#waiting) {
      if (!next.mayGo()) continue;
      this.#waiting.delete(next);
      this.#let(next);
      return;
    }
  }
}
