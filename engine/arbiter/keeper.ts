/**
 * Keeps the arbiter's thread: starts it, ends it when one judgment takes longer than its budget, starts it again when it
 * died, and remembers which proposal it died of.
 */
import { Worker } from 'node:worker_threads';
import type { Position } from '../../protocol/rulings.ts';
import type { ArbiterRole } from './arbiter.ts';
import type { FromThread, ThreadData, ToThread } from './thread.ts';

export type KeeperOptions = Omit<ThreadData, 'judging' | 'endedAt'> & {
  readonly say: (line: string) => void;
  readonly onRole: (role: ArbiterRole, epoch: number) => void;
  readonly onDigest?: (seq: number, digest: string) => void;
};

export type Keeper = {
  /** Resolves with the first role that is not STARTING. */
  readonly settled: Promise<ArbiterRole>;
  counters(): Promise<unknown>;
  stop(): Promise<void>;
};

/** A single judgment may take this long; a whole hearing takes microseconds. */
const JUDGMENT_BUDGET_MS = 1000;
const WATCH_MS = 200;
const RESTART_MS = 200;
const STOP_LIMIT_MS = 5000;

export function keepArbiter(options: KeeperOptions): Keeper {
  const { say, onRole, onDigest, ...data } = options;
  const judging = new SharedArrayBuffer(3 * Float64Array.BYTES_PER_ELEMENT);
  const mark = new Float64Array(judging);
  let stopping = false;
  let worker: Worker;
  let told: (role: ArbiterRole) => void = () => undefined;
  let failed: (error: Error) => void = () => undefined;
  const settled = new Promise<ArbiterRole>((resolve, reject) => {
    told = resolve;
    failed = reject;
  });
  let counted: (counters: unknown) => void = () => undefined;
  let everSettled = false;

  const start = (endedAt: Position | undefined): void => {
    mark.fill(0);
    const workerData: ThreadData = { ...data, judging, ...(endedAt === undefined ? {} : { endedAt }) };
    worker = new Worker(new URL(`./thread${extension()}`, import.meta.url), { workerData });
    let reason: Error | undefined;
    worker.on('message', (message: FromThread) => {
      hear(message);
    });
    worker.on('error', (error) => {
      reason = error as Error;
    });
    worker.on('exit', () => {
      if (stopping) return;
      const at = markedAt();
      say(`the arbiter's thread ended${reason === undefined ? '' : `: ${reason.message}`}`);
      if (!everSettled) {
        failed(reason ?? new Error('the arbiter could not start'));
        return;
      }
      setTimeout(() => {
        start(at);
      }, RESTART_MS);
    });
  };

  const hear = (message: FromThread): void => {
    if (message.type === 'ROLE') {
      onRole(message.role as ArbiterRole, message.epoch);
      if (message.role !== 'STARTING') {
        everSettled = true;
        told(message.role as ArbiterRole);
      }
    } else if (message.type === 'SAY') say(message.line);
    else if (message.type === 'DIGEST') onDigest?.(message.seq, message.digest);
    else if (message.type === 'COUNTERS') counted(message.counters);
  };

  const markedAt = (): Position | undefined => {
    const [seq = 0, index = 0] = mark;
    return seq === 0 ? undefined : { seq, index };
  };

  let seen = { changes: -1, sinceMs: 0 };
  const watch = setInterval(() => {
    const [seq = 0, , changes = 0] = mark;
    const nowMs = performance.now();
    if (seq === 0 || changes !== seen.changes) {
      seen = { changes, sinceMs: nowMs };
    } else if (nowMs - seen.sinceMs > JUDGMENT_BUDGET_MS) {
      say(`a judgment took longer than ${String(JUDGMENT_BUDGET_MS)} ms and is ended`);
      seen = { changes: -1, sinceMs: nowMs };
      void worker.terminate();
    }
  }, WATCH_MS);
  watch.unref();
  start(undefined);

  return {
    settled,
    counters: () =>
      new Promise((resolve) => {
        counted = resolve;
        worker.postMessage({ type: 'COUNT' } satisfies ToThread);
      }),
    stop: async () => {
      stopping = true;
      clearInterval(watch);
      const gone = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage({ type: 'STOP' } satisfies ToThread);
      const limit = setTimeout(() => void worker.terminate(), STOP_LIMIT_MS);
      await gone;
      clearTimeout(limit);
    },
  };
}

/** The same file name, in the form that this one runs in: source or built. */
export const extension = (): string => (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
