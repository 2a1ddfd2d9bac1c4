/** Keeps the projector's thread: starts it, and starts it again when it died. What it made is on the disk. */
import { Worker } from 'node:worker_threads';
import type { FromThread, ProjectorMetrics, ThreadData, ToThread } from './thread.ts';

export type ProjectorOptions = Omit<ThreadData, 'digests'> & {
  readonly say: (line: string) => void;
  readonly onDigest?: (seq: number, digest: string) => void;
};

export type ProjectorKeeper = {
  /**
   * Resolves when questions are answered, or the first attempt has failed. It may take a while longer until the view has
   * caught up; answers say so.
   */
  readonly ready: Promise<void>;
  /** What the arbiter of this engine is now; part of the answer about the status. */
  role(role: string, epoch: number): void;
  /** What there is to measure; undefined when the thread does not say so in time. */
  metrics(): Promise<ProjectorMetrics | undefined>;
  stop(): Promise<void>;
};

const RESTART_FIRST_MS = 200;
const RESTART_MOST_MS = 10_000;
const STOP_LIMIT_MS = 5000;
const MEASURE_LIMIT_MS = 2000;

export function keepProjector(options: ProjectorOptions): ProjectorKeeper {
  const { say, onDigest, ...rest } = options;
  const workerData: ThreadData = { ...rest, digests: onDigest !== undefined };
  const ready = Promise.withResolvers<undefined>();
  let stopping = false;
  let worker: Worker;
  let known: ToThread | undefined;
  let waitMs = RESTART_FIRST_MS;
  let again: NodeJS.Timeout | undefined;
  const measuring: ((metrics: ProjectorMetrics | undefined) => void)[] = [];

  const hear = (message: FromThread): void => {
    switch (message.type) {
      case 'READY':
        waitMs = RESTART_FIRST_MS;
        ready.resolve(undefined);
        break;
      case 'SAY':
        say(message.line);
        break;
      case 'DIGEST':
        onDigest?.(message.seq, message.digest);
        break;
      case 'METRICS':
        for (const told of measuring.splice(0)) told(message.metrics);
        break;
    }
  };
  const start = (): void => {
    worker = new Worker(new URL(`./thread${extension()}`, import.meta.url), { workerData });
    if (known !== undefined) worker.postMessage(known);
    let reason: unknown;
    worker.on('message', hear);
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', () => {
      if (stopping) return;
      // An engine works without its view; what is wrong has been said.
      ready.resolve(undefined);
      say(`the projector's thread ended${reason instanceof Error ? `: ${reason.message}` : ''}; it is started again`);
      again = setTimeout(start, waitMs);
      waitMs = Math.min(2 * waitMs, RESTART_MOST_MS);
    });
  };
  start();

  return {
    ready: ready.promise,
    role: (role, epoch) => {
      known = { type: 'ROLE', role, epoch };
      worker.postMessage(known);
    },
    metrics: () => {
      worker.postMessage({ type: 'MEASURE' } satisfies ToThread);
      return inTime(measuring);
    },
    stop: async () => {
      stopping = true;
      clearTimeout(again);
      ready.resolve(undefined);
      const gone = new Promise((resolve) => {
        if (worker.threadId === -1) resolve(undefined);
        else worker.once('exit', resolve);
      });
      worker.postMessage({ type: 'STOP' } satisfies ToThread);
      const limit = setTimeout(() => void worker.terminate(), STOP_LIMIT_MS);
      await gone;
      clearTimeout(limit);
    },
  };
}

/** What is told next; undefined when nothing is told in time. */
function inTime<T>(listeners: ((told: T | undefined) => void)[]): Promise<T | undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, MEASURE_LIMIT_MS, undefined).unref();
    listeners.push(resolve);
  });
}

/** The same file name, in the form that this one runs in: source or built. */
const extension = (): string => (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
