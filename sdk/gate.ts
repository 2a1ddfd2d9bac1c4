/** A bound on what is at work at once. */
import { LIMITS } from '../protocol/limits.ts';

/** A place inside, or in the line before the gate. */
export interface GatePass {
  /** It is done, or does not wait any more. Once is enough. */
  leave(): void;
}

type Place = { go: (() => void) | undefined; isInside: boolean };

/** Lets so many calls of one flow run be at work at once; those that wait go in the order in which they came. */
export class Gate {
  readonly #limit: number;
  readonly #waiting = new Set<Place>();
  #inside = 0;

  constructor(limit: number = LIMITS.callsAtOnce) {
    this.#limit = limit;
  }

  /** Calls `go` now, or when there is room. */
  enter(go: () => void): GatePass {
    const place: Place = { go, isInside: false };
    if (this.#inside < this.#limit) this.#let(place);
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
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#let(next);
  }
}
