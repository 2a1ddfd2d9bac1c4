/**
 * Processes in a world of virtual time, and an arbiter in one of them: the real Arbiter on logs in memory, with ports that
 * delay, lose and reorder as chance wants it. Nothing here reads a clock: time moves when the world moves it.
 */
import TinyQueue from 'tinyqueue';
import { Arbiter } from '../../engine/arbiter/arbiter.ts';
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import { ARBITER_DEFAULTS, type ArbiterSettings } from '../../engine/arbiter/parts.ts';
import { policyDigest } from './policy-digest.ts';
import type { Lease } from '../../engine/arbiter/ports.ts';
import type { Scheduler } from '../../engine/arbiter/scheduler.ts';
import { StateStore } from '../../engine/arbiter/state-store.ts';
import type { Workspace } from '../../engine/fold/workspace.ts';
import type { AppendOutcome, Log, StoredMessage } from '../../engine/log/port.ts';
import type { MemoryLog } from '../../engine/log/memory.ts';
import type { AnswerMessage } from '../../protocol/messages.ts';
import type { Position } from '../../protocol/rulings.ts';
import { court, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

/** Virtual time: what happens next is what is due next. */
export class Kernel {
  nowMs = 0;
  readonly chance: () => number;
  readonly #events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs || a.order - b.order);
  #order = 0;

  constructor(chance: () => number) {
    this.chance = chance;
  }

  after(delayMs: number, run: () => void): () => void {
    let cancelled = false;
    this.#order += 1;
    const once = (): void => {
      if (!cancelled) run();
    };
    this.#events.push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order, run: once });
    return () => {
      cancelled = true;
    };
  }

  /** A number in [from, to). */
  between(from: number, to: number): number {
    return from + this.chance() * (to - from);
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.chance() * list.length)]!;
  }

  happens(probability: number): boolean {
    return this.chance() < probability;
  }

  /** Lives until `untilMs`, or until `done` says that it is enough. */
  async live(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (;;) {
      // Whatever awaits what has just happened goes on before the next thing happens.
      await new Promise(setImmediate);
      if (done()) return;
      const next = this.#events.peek();
      if (next === undefined || next.atMs > untilMs) break;
      this.#events.pop();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }
}

/** The end of a process by a proposal that it cannot digest. */
export class Killed extends Error {}

/** A process: it can be killed, or stopped for a while, and then all that was due for it happens late. */
export class Process {
  readonly kernel: Kernel;
  alive = true;
  #stoppedUntilMs = 0;
  readonly #onKilled: () => void;

  constructor(kernel: Kernel, onKilled: () => void = () => undefined) {
    this.kernel = kernel;
    this.#onKilled = onKilled;
  }

  get isStopped(): boolean {
    return this.kernel.nowMs < this.#stoppedUntilMs;
  }

  after(delayMs: number, run: () => void): () => void {
    let cancel = (): void => undefined;
    const fire = (): void => {
      if (!this.alive) return;
      if (this.isStopped) cancel = this.kernel.after(this.#stoppedUntilMs - this.kernel.nowMs, fire);
      else this.#guarded(run);
    };
    const first = this.kernel.after(delayMs, fire);
    return () => {
      first();
      cancel();
    };
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.kill();
    }
  }

  every(ms: number, run: () => void): void {
    this.after(ms, () => {
      run();
      this.every(ms, run);
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  stop(forMs: number): void {
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.kernel.nowMs + forMs);
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#onKilled();
  }
}

/** What arbiters and the world share. */
export type Surroundings = {
  readonly ledger: MemoryLog;
  readonly proposals: MemoryLog;
  /** From an arbiter to a session. */
  readonly answer: (session: string, message: AnswerMessage) => void;
  readonly dispatch: (dispatch: Dispatch) => Promise<void>;
  /** To the other arbiters. */
  readonly beat: (from: ArbiterProcess, lease: Lease) => void;
  /** How long one message is on its way. */
  readonly latencyMs: () => number;
  /** Whether asking a log fails this time. */
  readonly unreachable: () => boolean;
  /** Before a proposal is judged; may throw Killed. */
  readonly judging: (at: Position) => void;
  readonly folded: (by: ArbiterProcess, workspace: Workspace, asleep: readonly string[]) => void;
  readonly say: (line: string) => void;
};

export type ArbiterProcessOptions = {
  readonly name: string;
  readonly kernel: Kernel;
  readonly around: Surroundings;
  readonly settings: Partial<ArbiterSettings>;
  /** Where its state is kept; left out, it begins from the ledger alone. */
  readonly statePath?: string;
  readonly endedAt?: Position;
  readonly wallOffsetMs: () => number;
  readonly court?: Court;
  /** Names the process of a session that is known to have ended. */
  readonly gone?: (session: string) => string | undefined;
  /** Hears of its death; `judged` is what it was judging then. */
  readonly onKilled?: (judged: Position | undefined) => void;
};

export class ArbiterProcess {
  readonly name: string;
  readonly process: Process;
  readonly arbiter: Arbiter;
  readonly #kernel: Kernel;
  readonly #around: Surroundings;
  readonly #heard = new Map<string, { readonly lease: Lease; readonly atMs: number }>();
  /** Until then, what it appends stays on its way. */
  delayedUntilMs = 0;
  #arrivesMs = 0;
  #judging: Position | undefined;

  constructor(options: ArbiterProcessOptions) {
    const { name, kernel, around, settings, statePath, endedAt, wallOffsetMs } = options;
    this.name = name;
    this.#kernel = kernel;
    this.#around = around;
    this.process = new Process(kernel, () => options.onKilled?.(this.#judging));
    const store = statePath === undefined ? undefined : new StateStore(statePath);
    this.arbiter = new Arbiter({
      ledger: this.#view(around.ledger),
      proposals: this.#view(around.proposals),
      outbox: {
        answer: (session, message) => {
          if (this.process.alive) around.answer(session, message);
        },
        dispatch: (dispatch) => (this.process.alive ? around.dispatch(dispatch) : new Promise(() => undefined)),
        ruled: () => undefined,
        beat: (lease) => {
          if (this.process.alive) around.beat(this, lease);
        },
      },
      leases: { last: (own) => this.#lastLease(own) },
      court: options.court ?? court(corePolicies),
      policy: policyDigest(corePolicies),
      clock: { wallMs: () => kernel.nowMs + wallOffsetMs(), monotonicMs: () => kernel.nowMs },
      chance: { unit: kernel.chance },
      scheduler: this.#scheduler(),
      ...(store === undefined ? {} : { store }),
      settings: { ...ARBITER_DEFAULTS, ...settings },
      judging: (at) => {
        this.#judging = at;
        if (at !== undefined) around.judging(at);
      },
      ...(endedAt === undefined ? {} : { endedAt }),
      ...(options.gone === undefined ? {} : { gone: options.gone }),
      say: (line) => {
        around.say(`${name}: ${line}`);
      },
      folded: (workspace) => {
        if (this.process.alive) around.folded(this, workspace, [...(store?.asleep() ?? [])]);
      },
    });
  }

  hearLease(lease: Lease): void {
    this.#heard.delete(lease.writer);
    this.#heard.set(lease.writer, { lease, atMs: this.#kernel.nowMs });
  }

  #lastLease(own: string): (Lease & { readonly agoMs: number }) | undefined {
    const last = [...this.#heard.values()].filter(({ lease }) => lease.writer !== own).at(-1);
    return last && { ...last.lease, agoMs: this.#kernel.nowMs - last.atMs };
  }

  #scheduler(): Scheduler {
    return {
      soon: (run) => {
        this.process.after(0, run);
      },
      after: (delayMs, run) => this.process.after(delayMs, run),
    };
  }

  /** A log as this process meets it: far away, and silent once the process is dead. */
  #view(log: MemoryLog): Log {
    const asked = async <T>(ask: () => Promise<T>): Promise<T> => {
      if (!this.process.alive) return new Promise<T>(() => undefined);
      if (this.#around.unreachable()) throw new Error('the log cannot be asked');
      return ask();
    };
    return {
      append: (bytes, expectedLast) => this.#append(log, bytes, expectedLast),
      get: (seq) => asked(() => log.get(seq)),
      bounds: () => asked(() => log.bounds()),
      read: (from) => log.read(from),
      follow: (from, each) => this.#follow(log, from, each),
    };
  }

  #append(log: MemoryLog, bytes: Uint8Array, expectedLast: number): Promise<AppendOutcome> {
    if (!this.process.alive) return new Promise(() => undefined);
    // On one connection, what is sent first arrives first; what is answered may be overtaken.
    this.#arrivesMs = Math.max(this.#arrivesMs, this.delayedUntilMs, this.#kernel.nowMs + this.#around.latencyMs());
    return new Promise((resolve) => {
      this.#kernel.after(this.#arrivesMs - this.#kernel.nowMs, () => {
        void log.append(bytes, expectedLast).then((outcome) => {
          const delayMs = outcome.type === 'UNKNOWN' ? 2000 : this.#around.latencyMs();
          this.process.after(delayMs, () => {
            resolve(outcome);
          });
        });
      });
    });
  }

  async #follow(log: MemoryLog, from: number, each: (message: StoredMessage) => void): ReturnType<Log['follow']> {
    let stopped = false;
    let generation = 0;
    let arrivesMs = 0;
    const follower = await log.follow(from, (message) => {
      const sent = generation;
      arrivesMs = Math.max(arrivesMs, this.#kernel.nowMs + this.#around.latencyMs());
      this.process.after(arrivesMs - this.#kernel.nowMs, () => {
        if (!stopped && sent === generation) each(message);
      });
    });
    return {
      stop: () => {
        stopped = true;
        follower.stop();
      },
      restart: (again) => {
        generation += 1;
        follower.restart(again);
      },
    };
  }
}
