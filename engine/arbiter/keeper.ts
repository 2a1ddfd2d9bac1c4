/**
 * Keeps the arbiter's thread: starts it, ends it when one judgment takes longer than its budget, starts it again when it
 * died, and remembers which proposal, and which rule, it died of (engine/arbiter/judgment-watch.ts).
 */
import { Worker } from 'node:worker_threads';
import { AssentError } from '../../protocol/errors.ts';
import type { ArbiterRole } from './arbiter.ts';
import type { Counters } from './counters.ts';
import { JudgmentWatch } from './judgment-watch.ts';
import type { Call, FromThread, GivenPolicy, ThreadData, ToThread } from './thread-words.ts';

export type KeeperOptions = Omit<ThreadData, 'judging' | 'isSpare' | Exclude<keyof Call, 'policy'>> & {
  readonly say: (line: string) => void;
  readonly onRole: (role: ArbiterRole, epoch: number) => void;
  /** The server does not answer appends; whoever keeps it may start it anew. */
  readonly onUnanswered: () => void;
  readonly onDigest?: (seq: number, digest: string) => void;
};

const RESTART_MS = 200;
const STOP_LIMIT_MS = 5000;
const COUNT_LIMIT_MS = 2000;

export class ArbiterKeeper {
  /** Resolves with the first role that is not STARTING; rejects when the first thread dies before. */
  readonly settled: Promise<ArbiterRole>;
  readonly #options: KeeperOptions;
  readonly #first = Promise.withResolvers<ArbiterRole>();
  readonly #watch: JudgmentWatch;
  #worker: Worker;
  #spare: Worker | undefined;
  #everSettled = false;
  #stopping = false;
  /** The thread has ended, and no other has begun. */
  #isGone = false;
  #role: ArbiterRole = 'STARTING';
  /** What is to be in force and is not yet. */
  #policy: GivenPolicy | undefined;
  #counted: ((counters: Counters) => void)[] = [];

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.settled = this.#first.promise;
    this.#policy = options.policy;
    this.#watch = new JudgmentWatch((why) => {
      this.#options.say(why);
      void this.#worker.terminate();
    });
    this.#worker = this.#start({});
  }

  /** Puts a policy in force as soon as this engine is active. */
  putInForce(policy: GivenPolicy): void {
    this.#policy = policy;
    this.#worker.postMessage({ type: 'POLICY', policy } satisfies ToThread);
  }

  counters(): Promise<Counters> {
    return new Promise((resolve) => {
      this.#counted.push(resolve);
      this.#worker.postMessage({ type: 'COUNT' } satisfies ToThread);
    });
  }

  /** As `counters`; undefined when the thread is too busy, or is being started again. */
  countersInTime(): Promise<Counters | undefined> {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, COUNT_LIMIT_MS, undefined).unref());
    return Promise.race([this.counters(), late]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#watch.stop();
    const spare = this.#spare;
    this.#spare = undefined;
    await spare?.terminate();
    if (this.#isGone) return;
    const gone = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.postMessage({ type: 'STOP' } satisfies ToThread);
    const limit = setTimeout(() => void this.#worker.terminate(), STOP_LIMIT_MS);
    await gone;
    clearTimeout(limit);
  }

  #start(last: Pick<Call, 'endedAt' | 'endless'>, isHeir = false): Worker {
    const call: Call = {
      ...last,
      ...(this.#policy === undefined ? {} : { policy: this.#policy }),
      muted: this.#watch.muted,
      isHeir,
    };
    const worker = this.#spare ?? this.#thread({ ...call, isSpare: false });
    if (worker === this.#spare) worker.postMessage({ type: 'GO', call } satisfies ToThread);
    this.#spare = undefined;
    this.#isGone = false;
    return worker;
  }

  #thread(more: Call & Pick<ThreadData, 'isSpare'>): Worker {
    const { say: _say, onRole: _onRole, onDigest: _onDigest, onUnanswered: _onUnanswered, ...data } = this.#options;
    const { policy: _policy, ...rest } = data;
    const workerData: ThreadData = { ...rest, ...more, judging: this.#watch.buffer };
    const worker = new Worker(new URL(`./thread${extension()}`, import.meta.url), { workerData });
    let reason: unknown;
    worker.on('message', (message: FromThread) => {
      this.#hear(message);
    });
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', () => {
      if (worker === this.#spare) this.#spare = undefined;
      // A spare one that was ended is none of our business.
      else if (worker === this.#worker) this.#ended(reason);
    });
    return worker;
  }

  /** Where rules of users judge, a thread may have to be ended at any time: another one is ready. */
  #prepare(): void {
    if (this.#stopping || this.#spare !== undefined) return;
    this.#spare = this.#thread({ isSpare: true, muted: {}, isHeir: false });
  }

  #ended(reason: unknown): void {
    this.#isGone = true;
    if (this.#stopping) return;
    if (!this.#everSettled) {
      this.#first.reject(reason instanceof Error ? reason : new Error('the arbiter could not start'));
      return;
    }
    this.#options.say(`the arbiter's thread ended${reason instanceof Error ? `: ${reason.message}` : ''}`);
    const { at, endless } = this.#watch.take();
    const isHeir = this.#role === 'ACTIVE';
    this.#role = 'STARTING';
    const start = (): void => {
      if (this.#stopping) return;
      const last = { ...(at === undefined ? {} : { endedAt: at }), ...(endless === undefined ? {} : { endless }) };
      this.#worker = this.#start(last, isHeir);
    };
    // A thread that was ended for a rule is replaced at once: others wait for their rulings.
    if (endless === undefined) setTimeout(start, RESTART_MS);
    else start();
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case 'ROLE':
        this.#role = message.role;
        this.#options.onRole(message.role, message.epoch);
        if (message.role === 'STARTING') return;
        this.#everSettled = true;
        this.#first.resolve(message.role);
        return;
      case 'SAY':
        this.#options.say(message.line);
        return;
      case 'POLICY':
        this.#watch.know(message.policy, message.rules);
        if (message.rules.length > 0) this.#prepare();
        if (message.policy === this.#policy?.event.policy) this.#policy = undefined;
        this.#options.say(`the policy ${message.policy.slice(0, 16)} judges`);
        return;
      case 'STUCK':
        this.#first.reject(new AssentError(message.kind, message.detail));
        return;
      case 'UNANSWERED':
        this.#options.onUnanswered();
        return;
      case 'DIGEST':
        this.#options.onDigest?.(message.seq, message.digest);
        return;
      case 'COUNTERS':
        for (const told of this.#counted.splice(0)) told(message.counters);
    }
  }
}

/** The same file name, in the form that this one runs in: source or built. */
const extension = (): string => (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
