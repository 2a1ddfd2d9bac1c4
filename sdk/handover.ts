/**
 * Hands the ends of calls to the flow functions that wait for them, in the order in which the ledger has them; so a flow
 * function whose calls race sees the same winner in every execution of its run. One for each execution of a flow run of
 * its own, and all flow functions under it.
 *
 * V1 One at a time: the next end is handed over when the code that waited for the last one waits again. Of two at once
 *    the code would see first not what ended first, but what has fewer awaits between.
 * V2 Ends that the ledger has from earlier come first, in its order; what ends now waits until no such end is asked for.
 * V3 An end is handed over before it is ruled on only while none is in doubt that may come to stand before it.
 */
import TinyQueue from 'tinyqueue';
import type { Position } from '../protocol/rulings.ts';

/** Tells whoever waits; what it returns is waited for. */
type Telling = () => unknown;
type Recorded = { readonly at: Position; readonly tell: Telling };

const inOrder = (one: Recorded, other: Recorded): number => one.at.seq - other.at.seq || one.at.index - other.at.index;

/** Ends handed over in one turn of the event loop, before what waits at the sockets is heard. */
const TURN_MAX = 256;

export class Handover {
  readonly #recorded = new TinyQueue<Recorded>([], inOrder);
  #live: Telling[] = [];
  #next = 0;
  #busy = false;
  #handed = 0;
  #doubts = 0;

  /** An end that was ruled in an earlier execution or attempt. */
  recorded(at: Position, tell: Telling): void {
    this.#recorded.push({ at, tell });
    // Calls that are made together are all asked for before the first of them is answered.
    if (!this.#busy) this.#rest();
  }

  /** An end that comes about now: it was ruled, or is proposed and cannot be ruled otherwise. */
  live(tell: Telling): void {
    this.#live.push(tell);
    if (!this.#busy) this.#hand();
  }

  /** V3. */
  get isCertain(): boolean {
    return this.#doubts === 0;
  }

  /** A call's end may be ruled at any time, and not as this process says. Returns how to end the doubt. */
  doubt(): () => void {
    let open = true;
    this.#doubts += 1;
    return () => {
      if (open) this.#doubts -= 1;
      open = false;
    };
  }

  #hand(): void {
    const tell = this.#recorded.pop()?.tell ?? this.#nextLive();
    if (tell === undefined) return;
    this.#busy = true;
    const told = tell();
    if (!(told instanceof Promise)) {
      this.#rest();
      return;
    }
    const rest = (): void => {
      this.#rest();
    };
    told.then(rest, rest);
  }

  #nextLive(): Telling | undefined {
    const tell = this.#live[this.#next];
    this.#next += 1;
    if (tell !== undefined) return tell;
    this.#live = [];
    this.#next = 0;
    return undefined;
  }

  /** Goes on when no promise has anything left to do: ticks are run only then. */
  #rest(): void {
    this.#busy = true;
    this.#handed += 1;
    const goOn = (): void => {
      this.#busy = false;
      this.#hand();
    };
    if (this.#handed % TURN_MAX === 0) setImmediate(goOn);
    else
      queueMicrotask(() => {
        process.nextTick(goOn);
      });
  }
}

/** A subflow's turn to tell its caller how it ended. Without a handover (a flow run of its own) it is always its turn. */
export class Turn {
  readonly #handover: Handover | undefined;
  readonly #told = Promise.withResolvers<undefined>();
  #endDoubt: (() => void) | undefined;
  #comes: Promise<void> | undefined;

  constructor(handover: Handover | undefined) {
    this.#handover = handover;
  }

  doubt(): void {
    this.#endDoubt?.();
    this.#endDoubt = this.#handover?.doubt();
  }

  /** An attempt's end is known; `isLast`: so is the end for the caller. To be called in the order of the ledger. */
  known(isLast: boolean): void {
    this.#endDoubt?.();
    if (!isLast || this.#comes !== undefined) return;
    this.#comes = new Promise((resolve) => {
      if (this.#handover === undefined) resolve();
      this.#handover?.live(() => {
        resolve();
        return this.#told.promise;
      });
    });
  }

  async comes(): Promise<void> {
    await this.#comes;
  }

  /** The caller is being told. */
  over(): void {
    this.#endDoubt?.();
    this.#told.resolve(undefined);
  }
}
