/**
 * Keeps one embedded server running: a server that ends unasked is started again until somebody asks it to stop.
 *
 * K1. One relaunch at a time: all of them happen in one loop, whoever caused them.
 * K2. After `stop()` has resolved no server is left, even if one was being launched when it was called.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerExit, ServerProcess } from './launch.ts';

/** A server ended that nobody had asked to. */
export interface UnexpectedExit extends ServerExit {
  readonly pid: number;
}

export interface Keeper {
  /** Of the server that runs, or of the last one while the next is being launched. */
  pid(): number;
  /** Resolves when the next server greets clients, or the keeper was stopped. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 5_000;
/** A server that has lived this long was well; its next end starts the backoff anew. */
const WELL_AFTER_MS = 30_000;

interface Ways {
  readonly launch: (signal: AbortSignal) => Promise<ServerProcess>;
  readonly say: (line: string) => void;
  readonly onExit: (exit: UnexpectedExit) => void;
}

export function keepServer(first: ServerProcess, ways: Ways): Keeper {
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;
  const backoff = backoffUntil(stopping.signal);
  const relaunches = gate();
  let server = first;
  let restartAsked = false;

  const keep = async (): Promise<void> => {
    while (!stopped()) {
      const launchedAtMs = performance.now();
      const { code } = await server.exited;
      if (stopped()) break;
      if (!restartAsked) {
        ways.onExit({ pid: server.pid, code });
        if (performance.now() - launchedAtMs > WELL_AFTER_MS) backoff.reset();
        await backoff.wait();
      }
      server = (await launchUntil(stopping.signal, ways, backoff)) ?? server;
      restartAsked = false;
      relaunches.pass();
    }
    // K2: the one that was being launched when the stop was asked for.
    await server.end();
    relaunches.pass();
  };
  const kept = keep();
  return {
    pid: () => server.pid,
    async restart() {
      if (stopped()) return;
      const relaunched = relaunches.next();
      restartAsked = true;
      await server.end();
      await relaunched;
    },
    async stop() {
      stopping.abort();
      await server.end();
      await kept;
    },
  };
}

/** Tries until a server runs; `undefined` if it was stopped before. */
async function launchUntil(stopping: AbortSignal, ways: Ways, backoff: Backoff): Promise<ServerProcess | undefined> {
  while (!stopping.aborted) {
    try {
      return await ways.launch(stopping);
    } catch (error) {
      ways.say(`nats-server could not be started again: ${(error as Error).message}`);
      await backoff.wait();
    }
  }
  return undefined;
}

/** Everybody who waits for the next passing is let go at once. */
function gate(): { next(): Promise<void>; pass(): void } {
  let waiting: (() => void)[] = [];
  return {
    next: () => new Promise((resolve) => waiting.push(resolve)),
    pass() {
      const released = waiting;
      waiting = [];
      for (const resolve of released) resolve();
    },
  };
}

interface Backoff {
  wait(): Promise<void>;
  reset(): void;
}

function backoffUntil(signal: AbortSignal): Backoff {
  let nextMs = FIRST_BACKOFF_MS;
  return {
    async wait() {
      const waitMs = nextMs;
      nextMs = Math.min(LONGEST_BACKOFF_MS, nextMs * 2);
      await pause(waitMs, undefined, { signal }).catch(() => undefined);
    },
    reset() {
      nextMs = FIRST_BACKOFF_MS;
    },
  };
}
