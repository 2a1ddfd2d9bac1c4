/**
 * The log in memory: for tests, for simulation and for offline replay.
 * Owns: the messages, and when what happens: every arrival of an append, every answer and every delivery is one step
 * given to `schedule`, so a simulation decides what happens next and what in between.
 *
 * M1 With the same calls, fates and order of steps, everything happens alike: nothing here reads a clock or chance.
 * M2 Appends arrive, and each follower's messages are delivered, in order, in whatever order the steps are run.
 * M3 A follower whose call back throws is stopped, and the error is thrown out of the step.
 * M4 As on JetStream: an empty log has `first = last + 1`; after a rewind a follower gets nothing until the log has grown
 *    past what it got, or it restarts.
 */
import type { Sequence } from '../../protocol/ids.ts';
import type { AppendOutcome, Follower, Log, StoredMessage } from './port.ts';

/**
 * | fate              | stored                | answer                     |
 * | ----------------- | --------------------- | -------------------------- |
 * | STORE             | if the last is right  | OK, or CONFLICT            |
 * | DROP              | no                    | CONFLICT                   |
 * | STORE_BUT_UNKNOWN | if the last is right  | UNKNOWN                    |
 * | DROP_UNKNOWN      | no                    | UNKNOWN                    |
 */
export type AppendFate = 'STORE' | 'DROP' | 'STORE_BUT_UNKNOWN' | 'DROP_UNKNOWN';

export type MemoryLogOptions = {
  /** Runs each step once, later, never inside the call; steps may be run in any order. */
  readonly schedule?: (step: () => void) => void;
  /** Decides what becomes of an append when it arrives. */
  readonly fate?: (bytes: Uint8Array, expectedLast: Sequence) => AppendFate;
};

export type MemoryLog = Log & {
  /** Forgets everything after `seq`, as a restored backup does. */
  rewindTo(seq: Sequence): void;
  /** Forgets everything before `seq`, as a purge does. */
  purgeBelow(seq: Sequence): void;
  /** Puts other bytes in the place of a stored message, as a bad disk does. */
  overwrite(seq: Sequence, bytes: Uint8Array): void;
  /** An append of another writer, who expects nothing; returns its sequence. */
  storeForeign(bytes: Uint8Array, subject?: string): Sequence;
};

export function memoryLog(subject = 'memory', options: MemoryLogOptions = {}): MemoryLog {
  const { schedule = queueMicrotask, fate = (): AppendFate => 'STORE' } = options;
  const store = new Store();
  const readers = new Set<Reader>();
  const arriving: (() => void)[] = [];

  const keep = (bytes: Uint8Array, as: string): Sequence => {
    const seq = store.add(bytes, as);
    for (const reader of readers) reader.wake();
    return seq;
  };
  const arrive = (bytes: Uint8Array, expectedLast: Sequence): AppendOutcome => {
    const decided = fate(bytes, expectedLast);
    const stores = decided === 'STORE' || decided === 'STORE_BUT_UNKNOWN';
    const seq = stores && store.last === expectedLast ? keep(bytes, subject) : undefined;
    if (decided === 'STORE_BUT_UNKNOWN' || decided === 'DROP_UNKNOWN') return { type: 'UNKNOWN', detail: decided };
    return seq === undefined ? { type: 'CONFLICT' } : { type: 'OK', seq };
  };

  return {
    append: (bytes, expectedLast) =>
      new Promise((answer) => {
        const sent = bytes.slice();
        arriving.push(() => {
          const outcome = arrive(sent, expectedLast);
          schedule(() => {
            answer(outcome);
          });
        });
        schedule(() => arriving.shift()?.());
      }),
    get: (seq) => Promise.resolve(store.get(seq)),
    bounds: () => Promise.resolve({ first: store.first, last: store.last }),
    follow: (from, each) => {
      const reader = new Reader({ store, readers, schedule, each }, from);
      const following = Promise.resolve(reader);
      // One turn later, so that even with microtasks as steps whoever awaits the follower has it before a message.
      void following.then(() => {
        reader.wake();
      });
      return following;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- the port's reading is asynchronous, this one need not wait.
    async *read(from) {
      const { last } = store;
      for (let message = store.from(from); message !== undefined; message = store.from(message.seq + 1)) {
        if (message.seq > last) return;
        yield message;
      }
    },
    rewindTo: (seq) => {
      store.rewindTo(seq);
    },
    purgeBelow: (seq) => {
      store.purgeBelow(seq);
    },
    overwrite: (seq, bytes) => {
      store.overwrite(seq, bytes.slice());
    },
    storeForeign: (bytes, as = subject) => keep(bytes.slice(), as),
  };
}

class Store {
  readonly #messages = new Map<Sequence, StoredMessage>();
  first: Sequence = 1;
  last: Sequence = 0;

  add(bytes: Uint8Array, subject: string): Sequence {
    this.last += 1;
    this.#messages.set(this.last, { seq: this.last, subject, bytes });
    return this.last;
  }

  get(seq: Sequence): StoredMessage | undefined {
    return this.#messages.get(seq);
  }

  /** The first message at `seq` or later. */
  from(seq: Sequence): StoredMessage | undefined {
    return this.#messages.get(Math.max(seq, this.first));
  }

  rewindTo(seq: Sequence): void {
    for (; this.last > seq; this.last -= 1) this.#messages.delete(this.last);
    this.first = Math.min(this.first, this.last + 1);
  }

  purgeBelow(seq: Sequence): void {
    for (; this.first < seq && this.first <= this.last; this.first += 1) this.#messages.delete(this.first);
  }

  overwrite(seq: Sequence, bytes: Uint8Array): void {
    const message = this.#messages.get(seq);
    if (message !== undefined) this.#messages.set(seq, { ...message, bytes });
  }
}

type ReaderParts = {
  readonly store: Store;
  readonly readers: Set<Reader>;
  readonly schedule: (step: () => void) => void;
  readonly each: (message: StoredMessage) => void;
};

class Reader implements Follower {
  readonly #parts: ReaderParts;
  #next: Sequence;
  #scheduled = false;

  constructor(parts: ReaderParts, from: Sequence) {
    this.#parts = parts;
    this.#next = from;
    parts.readers.add(this);
  }

  stop(): void {
    this.#parts.readers.delete(this);
  }

  restart(from: Sequence): void {
    this.#next = from;
    this.wake();
  }

  /** Has one step scheduled as long as there is something to deliver. */
  wake(): void {
    const { store, schedule } = this.#parts;
    if (this.#scheduled || this.#stopped() || store.from(this.#next) === undefined) return;
    this.#scheduled = true;
    schedule(() => {
      this.#scheduled = false;
      this.#deliverOne();
    });
  }

  #deliverOne(): void {
    const message = this.#parts.store.from(this.#next);
    if (this.#stopped() || message === undefined) return;
    this.#next = message.seq + 1;
    try {
      this.#parts.each(message);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.wake();
  }

  #stopped(): boolean {
    return !this.#parts.readers.has(this);
  }
}
