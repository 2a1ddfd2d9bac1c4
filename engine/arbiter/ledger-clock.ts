/**
 * The ledger's time: advances with the monotonic clock, never stands still and never jumps. The wall clock is only where
 * it starts, and what it is compared with.
 */
import type { EpochMs } from '../../protocol/ids.ts';

export interface Clock {
  /** The machine's idea of the time of day. */
  wallMs(): number;
  /** Milliseconds that only ever grow. */
  monotonicMs(): number;
}

export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

const DISAGREEMENT_MS = 1000;

export class LedgerClock {
  readonly #clock: Clock;
  #startMs: number;
  #startMonotonicMs: number;
  #offsetMs: number;

  /** Starts at the wall clock's time, or at the ledger's last one if that is later. */
  constructor(clock: Clock, lastMs: number) {
    this.#clock = clock;
    this.#startMs = Math.max(Math.floor(clock.wallMs()), lastMs);
    this.#startMonotonicMs = clock.monotonicMs();
    this.#offsetMs = clock.wallMs() - this.#startMs;
  }

  /** Others have written the ledger since: it goes on from their last time, if that is later. */
  notBefore(lastMs: number): void {
    if (this.nowMs() >= lastMs) return;
    this.#startMs = lastMs;
    this.#startMonotonicMs = this.#clock.monotonicMs();
    this.#offsetMs = this.#clock.wallMs() - lastMs;
  }

  nowMs(): EpochMs {
    // What has passed is rounded by itself: in a sum with the time of day, the error could take it back by a millisecond.
    return (this.#startMs + Math.floor(this.#clock.monotonicMs() - this.#startMonotonicMs)) as EpochMs;
  }

  /** The wall clock's time, once for each time that it is seen to have stepped by more than a second. */
  stepped(): EpochMs | undefined {
    const wallMs = this.#clock.wallMs();
    const offsetMs = wallMs - this.nowMs();
    if (Math.abs(offsetMs - this.#offsetMs) <= DISAGREEMENT_MS) return undefined;
    this.#offsetMs = offsetMs;
    return wallMs as EpochMs;
  }
}
