/**
 * Notices that this process did not get to run for so long (it was stopped, its machine slept, its code never let go)
 * that its runs may have been given to others, and keeps back what it is told until that is known. Else a start that was
 * granted while it slept would be made use of when it wakes, long after another process has done that very work.
 *
 * B1 From the moment at which an absence is noticed, what arrives waits until `ask` has resolved, and is then read in order.
 * B2 An absence is noticed before anything is read that arrived in it: whoever wakes runs its timers first, and then
 *    reads; both look here.
 */
export class Absence {
  readonly #limitMs: number;
  readonly #ask: () => Promise<void>;
  #presentMs = performance.now();
  #waiting: (() => void)[] | undefined;
  #absences = 0;

  /** `ask` resolves when this process knows which of its runs are still its own. */
  constructor(limitMs: number, ask: () => Promise<void>) {
    this.#limitMs = limitMs;
    this.#ask = ask;
  }

  /** To be called more often than every `limitMs`. */
  present(): void {
    const nowMs = performance.now();
    const awayMs = nowMs - this.#presentMs;
    this.#presentMs = nowMs;
    if (awayMs <= this.#limitMs) return;
    this.#absences += 1;
    if (this.#waiting === undefined) void this.#comeBack();
  }

  /** Nobody has looked for a while because there was nothing to look after. */
  begin(): void {
    this.#presentMs = performance.now();
  }

  /** Runs `read` now, or when it is known what this process may still do. */
  read(read: () => void): void {
    this.present();
    if (this.#waiting === undefined) read();
    else this.#waiting.push(read);
  }

  async #comeBack(): Promise<void> {
    const waiting: (() => void)[] = [];
    this.#waiting = waiting;
    // What was answered before another absence says nothing about what happened in it.
    for (let known = 0; known < this.#absences;) {
      known = this.#absences;
      await this.#ask();
      this.present();
    }
    this.#waiting = undefined;
    for (const read of waiting) read();
  }
}
