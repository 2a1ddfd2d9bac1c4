/**
 * Virtual time: what is due next happens next, and nothing takes any time. Owns the order of events; virtual-timers.ts
 * lets plain code find its timers here.
 *
 * T1 Time moves only when everything that could happen now has happened, and then to the very moment of what is next.
 * T2 Events of one moment happen in the order in which they were asked for; so the same calls give the same history.
 * T3 Housekeeping (heartbeats, asking again) does not move time. When time has moved on by a minute or more, it happens
 *    once, as in a process that was busy for so long: a week does not cost its 600,000 heartbeats.
 * T4 When nothing is left that anybody waits for, time does not go on for the sake of the rest.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import TinyQueue from 'tinyqueue';
import type { Scheduler } from '../../engine/arbiter/scheduler.ts';
import { realTimers, realWork, unseenWork } from './real-time.ts';

type Happening = {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
  /** Somebody waits for it; what does not keep a process alive is waited for by nobody. */
  readonly isAwaited: boolean;
  isOver: boolean;
};

const inOrder = (one: Happening, other: Happening): number => one.atMs - other.atMs || one.order - other.order;

/** How a stretch of virtual time ended: `done` said so, time was up, or nothing was left that anybody waits for. */
export type Ended = 'DONE' | 'TIME_IS_UP' | 'NOTHING_LEFT';

/** What happens though nobody waits for it may still bring something about; after so often, it will not. */
const IDLE_ROUNDS_MAX = 100;
const HOUSEKEEPING_EVERY_MS = 60_000;

export class VirtualClock implements Scheduler {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  /** Events to come that somebody waits for. */
  #awaited = 0;
  #keptAtMs = 0;
  readonly #events = new TinyQueue<Happening>([], inOrder);
  readonly #housekeeping = new TinyQueue<Happening>([], inOrder);
  #failure: { readonly error: unknown } | undefined;

  /** `startMs`: the time of day at which it begins. */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** The time of day. */
  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  /** Since the beginning. */
  elapsedMs(): number {
    return this.#elapsedMs;
  }

  soon(run: () => void): () => void {
    return this.after(0, run);
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#add(this.#events, { delayMs, run, isAwaited: true });
  }

  /** As a timer that does not keep its process alive. */
  perhapsAfter(delayMs: number, run: () => void): () => void {
    return this.#add(this.#events, { delayMs, run, isAwaited: false });
  }

  housekeep(delayMs: number, run: () => void): () => void {
    return this.#add(this.#housekeeping, { delayMs, run, isAwaited: false });
  }

  #add(
    to: TinyQueue<Happening>,
    { delayMs, run, isAwaited }: { readonly delayMs: number } & Pick<Happening, 'run' | 'isAwaited'>,
  ): () => void {
    this.#order += 1;
    const inContext = AsyncLocalStorage.snapshot();
    const happening: Happening = {
      atMs: this.#elapsedMs + Math.max(0, delayMs),
      order: this.#order,
      run: () => {
        inContext(run);
      },
      isAwaited,
      isOver: false,
    };
    if (isAwaited) this.#awaited += 1;
    to.push(happening);
    return () => {
      this.#end(happening);
    };
  }

  #end(happening: Happening): void {
    if (happening.isOver) return;
    happening.isOver = true;
    if (happening.isAwaited) this.#awaited -= 1;
  }

  /** Lives until `done`, or until `untilMs` after the beginning. What is due at that moment still happens. */
  async live(done: () => boolean, untilMs = Number.POSITIVE_INFINITY): Promise<Ended> {
    for (let idleRounds = 0; ;) {
      await quiet();
      if (this.#failure !== undefined) throw this.#failure.error;
      // What happens at this very moment belongs to it, whether or not somebody is satisfied already.
      if (this.#isDue()) {
        this.#happenNext();
        continue;
      }
      if (done()) return 'DONE';
      if (await realWork(() => done() || this.#isDue())) continue;
      const isIdle = this.#awaited === 0;
      if (isIdle && idleRounds === 0 && (await unseenWork(() => done() || this.#awaited > 0))) continue;
      idleRounds = isIdle ? idleRounds + 1 : 0;
      const atMs = Math.min(...this.#nextMs(isIdle));
      if (idleRounds > IDLE_ROUNDS_MAX || atMs > untilMs) return this.#beOver(untilMs);
      await this.#moveTo(atMs);
    }
  }

  /** When something happens. What is put off until time moves is something only when nothing else is. */
  #nextMs(isIdle: boolean): readonly number[] {
    const kept = isIdle ? peek(this.#housekeeping)?.atMs : undefined;
    const next = peek(this.#events)?.atMs;
    return [next ?? Number.POSITIVE_INFINITY, kept ?? Number.POSITIVE_INFINITY];
  }

  #isDue(): boolean {
    const next = peek(this.#events);
    return next !== undefined && next.atMs <= this.#elapsedMs;
  }

  #happenNext(): void {
    const next = this.#events.pop();
    if (next !== undefined) this.#happen(next);
  }

  #beOver(untilMs: number): Ended {
    if (untilMs === Number.POSITIVE_INFINITY) return 'NOTHING_LEFT';
    this.#elapsedMs = untilMs;
    return 'TIME_IS_UP';
  }

  /** T3. */
  async #moveTo(ms: number): Promise<void> {
    this.#elapsedMs = Math.max(this.#elapsedMs, ms);
    if (this.#awaited > 0 && ms - this.#keptAtMs < HOUSEKEEPING_EVERY_MS) return;
    this.#keptAtMs = ms;
    const due: Happening[] = [];
    for (let next = peek(this.#housekeeping); next !== undefined && next.atMs <= ms; next = peek(this.#housekeeping)) {
      this.#housekeeping.pop();
      due.push(next);
    }
    for (const happening of due) {
      this.#happen(happening);
      await quiet();
    }
  }

  #happen(happening: Happening): void {
    if (happening.isOver) return;
    this.#end(happening);
    try {
      happening.run();
    } catch (error) {
      this.#failure ??= { error };
    }
  }
}

/** Whatever waits for what has just happened has gone on. */
const quiet = (): Promise<void> => new Promise(realTimers.setImmediate);

function peek(queue: TinyQueue<Happening>): Happening | undefined {
  for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
    if (!next.isOver) return next;
    queue.pop();
  }
  return undefined;
}
