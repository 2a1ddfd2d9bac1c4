/** What the timer functions return in virtual time: as Node's own objects, as far as code can tell. */
import { HOUSEKEEPING } from '../../sdk/client/housekeeping.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Node's own limit: a longer timer fires after 1 ms, with a warning. A flow that does that must be seen to. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

type Timed = {
  readonly run: (...given: unknown[]) => unknown;
  readonly ms: unknown;
  readonly given: readonly unknown[];
  readonly repeats: boolean;
};

const numbered = new Map<number, VirtualTimer>();
// Far from the numbers of real timers, which must not be taken for ours.
let lastNumber = 2 ** 40;

export class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly #timed: Timed;
  readonly #delayMs: number;
  readonly #number: number;
  #isRef = true;
  #dueMs = 0;
  #cancel: () => void = () => undefined;

  private constructor(clock: VirtualClock, timed: Timed) {
    if (typeof timed.run !== 'function') throw new TypeError('The "callback" argument must be of type function.');
    this.#clock = clock;
    this.#timed = timed;
    this.#delayMs = delayOf(timed.ms);
    lastNumber += 1;
    this.#number = lastNumber;
    numbered.set(this.#number, this);
  }

  static begin(clock: VirtualClock, timed: Timed): VirtualTimer {
    const timer = new VirtualTimer(clock, timed);
    timer.refresh();
    return timer;
  }

  refresh(): this {
    this.#begin(this.#delayMs);
    return this;
  }

  #begin(delayMs: number): void {
    this.#cancel();
    const { repeats, run, given } = this.#timed;
    const wait = this.#wait();
    this.#dueMs = this.#clock.elapsedMs() + delayMs;
    this.#cancel = wait(delayMs, () => {
      if (repeats) this.refresh();
      else numbered.delete(this.#number);
      run(...given);
    });
  }

  #wait(): (delayMs: number, run: () => void) => () => void {
    const clock = this.#clock;
    if (this.#isRef) return clock.after.bind(clock);
    return HOUSEKEEPING in this.#timed.run ? clock.housekeep.bind(clock) : clock.perhapsAfter.bind(clock);
  }

  ref(): this {
    return this.#setRef(true);
  }

  unref(): this {
    return this.#setRef(false);
  }

  hasRef(): boolean {
    return this.#isRef;
  }

  isOf(clock: VirtualClock): boolean {
    return this.#clock === clock;
  }

  /** It still fires when it would have fired. */
  #setRef(isRef: boolean): this {
    if (this.#isRef === isRef) return this;
    this.#isRef = isRef;
    if (numbered.has(this.#number)) this.#begin(Math.max(0, this.#dueMs - this.#clock.elapsedMs()));
    return this;
  }

  close(): this {
    this.#cancel();
    numbered.delete(this.#number);
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.#number;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function delayOf(ms: unknown): number {
  const delayMs = Math.trunc(Number(ms ?? 1));
  if (delayMs > TIMEOUT_MAX_MS) {
    process.emitWarning(
      `${String(ms)} does not fit into a 32-bit signed integer.\nTimeout duration was set to 1.`,
      'TimeoutOverflowWarning',
    );
    return 1;
  }
  return delayMs >= 1 ? delayMs : 1;
}

export class VirtualImmediate {
  readonly #cancel: () => void;
  #isRef = true;

  constructor(clock: VirtualClock, run: () => unknown) {
    this.#cancel = clock.soon(() => {
      run();
    });
  }

  ref(): this {
    this.#isRef = true;
    return this;
  }

  unref(): this {
    this.#isRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#isRef;
  }

  close(): void {
    this.#cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Of a world that is over: what has not fired never will. */
export function forgetTimers(clock: VirtualClock): void {
  for (const timer of numbered.values()) if (timer.isOf(clock)) timer.close();
}

/** False if it is no timer of virtual time. */
export function clearVirtual(timer: unknown): boolean {
  const known = typeof timer === 'number' || typeof timer === 'string' ? numbered.get(Number(timer)) : timer;
  if (!(known instanceof VirtualTimer || known instanceof VirtualImmediate)) return false;
  known.close();
  return true;
}
