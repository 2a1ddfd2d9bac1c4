/**
 * Keeps the arbiter's thread: starts it, ends it when one judgment takes longer than its budget, starts it again when it
 * died, and remembers which proposal it died of.
 */
import { Worker } from 'node:worker_threads';
import type { Position } from '../../protocol/rulings.ts';
import type { ArbiterRole } from './arbiter.ts';
import type { Counters } from './counters.ts';
import type { FromThread, ThreadData, ToThread } from './thread.ts';

export type KeeperOptions = Omit<ThreadData, 'judging' | 'endedAt'> & {
  readonly say: (line: string) => void;
  readonly onRole: (role: ArbiterRole, epoch: number) => void;
  /** The server does not answer appends; whoever keeps it may start it anew. */
  readonly onUnanswered: () => void;
  readonly onDigest?: (seq: number, digest: string) => void;
};

/** A single judgment may take this long; a whole hearing takes microseconds. */
const JUDGMENT_BUDGET_MS = 1000;
const WATCH_MS = 200;
const RESTART_MS = 200;
const STOP_LIMIT_MS = 5000;

export class ArbiterKeeper {
  /** Resolves with the first role that is not STARTING; rejects when the first thread dies before. */
  readonly settled: Promise<ArbiterRole>;
  readonly #options: KeeperOptions;
  readonly #judging = new SharedArrayBuffer(3 * Float64Array.BYTES_PER_ELEMENT);
  readonly #mark = new Float64Array(this.#judging);
  readonly #first = Promise.withResolvers<ArbiterRole>();
  readonly #watch: NodeJS.Timeout;
  #worker: Worker;
  #everSettled = false;
  #stopping = false;
  #seen = { changes: -1, sinceMs: 0 };
  #counted: (counters: Counters) => void = () => undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.settled = this.#first.promise;
    this.#worker = this.#start(undefined);
    this.#watch = setInterval(() => {
      this.#look();
    }, WATCH_MS);
    this.#watch.unref();
  }

  counters(): Promise<Counters> {
    return new Promise((resolve) => {
      this.#counted = resolve;
      this.#worker.postMessage({ type: 'COUNT' } satisfies ToThread);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.postMessage({ type: 'STOP' } satisfies ToThread);
    const limit = setTimeout(() => void this.#worker.terminate(), STOP_LIMIT_MS);
    await gone;
    clearTimeout(limit);
  }

  #start(endedAt: Position | undefined): Worker {
    const { say: _say, onRole: _onRole, onDigest: _onDigest, onUnanswered: _onUnanswered, ...data } = this.#options;
    this.#mark.fill(0);
    const workerData: ThreadData = {
      ...data,
      judging: this.#judging,
      ...(endedAt === undefined ? {} : { endedAt }),
    };
    const worker = new Worker(new URL(`./thread${extension()}`, import.meta.url), { workerData });
    let reason: unknown;
    worker.on('message', (message: FromThread) => {
      this.#hear(message);
    });
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', () => {
      this.#ended(reason);
    });
    return worker;
  }

  #ended(reason: unknown): void {
    if (this.#stopping) return;
    if (!this.#everSettled) {
      this.#first.reject(reason instanceof Error ? reason : new Error('the arbiter could not start'));
      return;
    }
    const [seq = 0, index = 0] = this.#mark;
    this.#options.say(`the arbiter's thread ended${reason instanceof Error ? `: ${reason.message}` : ''}`);
    setTimeout(() => {
      if (!this.#stopping) this.#worker = this.#start(seq === 0 ? undefined : { seq, index });
    }, RESTART_MS);
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case 'ROLE':
        this.#options.onRole(message.role, message.epoch);
        if (message.role === 'STARTING') return;
        this.#everSettled = true;
        this.#first.resolve(message.role);
        return;
      case 'SAY':
        this.#options.say(message.line);
        return;
      case 'UNANSWERED':
        this.#options.onUnanswered();
        return;
      case 'DIGEST':
        this.#options.onDigest?.(message.seq, message.digest);
        return;
      case 'COUNTERS':
        this.#counted(message.counters);
    }
  }

  /** The same judgment at two looks that are further apart than its budget: it does not end by itself. */
  #look(): void {
    const [seq = 0, , changes = 0] = this.#mark;
    const nowMs = performance.now();
    if (seq === 0 || changes !== this.#seen.changes) {
      this.#seen = { changes, sinceMs: nowMs };
    } else if (nowMs - this.#seen.sinceMs > JUDGMENT_BUDGET_MS) {
      this.#options.say(`a judgment took longer than ${String(JUDGMENT_BUDGET_MS)} ms and is ended`);
      this.#seen = { changes: -1, sinceMs: nowMs };
      void this.#worker.terminate();
    }
  }
}

/** The same file name, in the form that this one runs in: source or built. */
const extension = (): string => (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
