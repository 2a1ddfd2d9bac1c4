/** When code runs next: a port, so that a simulation moves time by itself. */
export interface Scheduler {
  /** After the events that are waiting now. */
  soon(run: () => void): void;
  /** After `delayMs`; the answer cancels it. */
  after(delayMs: number, run: () => void): () => void;
  /** As `after`, for what is done again and again and changes nothing by itself: virtual time may leave repetitions out. */
  housekeep?(delayMs: number, run: () => void): () => void;
}

/** Above this, setTimeout would fire at once; whoever waits longer is woken early and waits again. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

export const systemScheduler: Scheduler = {
  soon: (run) => {
    setImmediate(run);
  },
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(delayMs, TIMEOUT_MAX_MS));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Again and again, with `ms` in between. Returns how to end it. */
export function every(scheduler: Scheduler, ms: number, run: () => void): () => void {
  let cancel: () => void;
  const again = (): void => {
    const next = (): void => {
      run();
      again();
    };
    cancel = scheduler.housekeep?.(ms, next) ?? scheduler.after(ms, next);
  };
  again();
  return () => {
    cancel();
  };
}
