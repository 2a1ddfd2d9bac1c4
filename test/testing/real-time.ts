/**
 * The real time behind virtual time: the timers as they were before anybody replaced them, and what of the outside world
 * (files, names, sockets, processes) is under way. Virtual time stands still while it is.
 */
import { setTimeout as pause } from 'node:timers/promises';

export const realTimers = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  pause,
  nowMs: performance.now.bind(performance),
};

/** Operations that end by themselves, and handles that may stay open for ever. */
const OPERATION = /Req/;
const HANDLE = /^(TCPSocketWrap|TLSWrap|ProcessWrap|Worker)$/;

/** How long an open handle is waited for; it may be kept for later use, as connections are. */
const HANDLE_PATIENCE_MS = 500;
/** Work that cannot be seen (compression, key derivation), waited for when nothing else can happen. */
const UNSEEN_PATIENCE_MS = 250;
const LOOK_EVERY_MS = 1;

type Counts = { readonly operations: number; readonly handles: number };

function counts(): Counts {
  let operations = 0;
  let handles = 0;
  for (const type of process.getActiveResourcesInfo()) {
    if (HANDLE.test(type)) handles += 1;
    else if (OPERATION.test(type)) operations += 1;
  }
  return { operations, handles };
}

/** Handles that are not waited for: they were open before, or were waited for in vain. */
let accepted = 0;

/** To be called when virtual time begins. */
export function acceptOpenHandles(): void {
  accepted = counts().handles;
}

/** Waits for the outside world until something `happened`; true if there was anything to wait for. */
export async function realWork(happened: () => boolean): Promise<boolean> {
  const first = counts();
  accepted = Math.min(accepted, first.handles);
  if (first.operations > 0) {
    await realTimers.pause(LOOK_EVERY_MS);
    return true;
  }
  if (first.handles <= accepted) return false;
  const isOver = (): boolean => happened() || counts().handles !== first.handles;
  if (!(await waitFor(isOver, HANDLE_PATIENCE_MS))) accepted = first.handles;
  return true;
}

/** Nothing else can happen: waits a little for what work that cannot be seen may bring about. */
export const unseenWork = (happened: () => boolean): Promise<boolean> => waitFor(happened, UNSEEN_PATIENCE_MS);

async function waitFor(happened: () => boolean, patienceMs: number): Promise<boolean> {
  for (const untilMs = realTimers.nowMs() + patienceMs; realTimers.nowMs() < untilMs;) {
    if (happened()) return true;
    await realTimers.pause(LOOK_EVERY_MS);
  }
  return false;
}
