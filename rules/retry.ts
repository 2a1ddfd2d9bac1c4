/** What retrying a task and retrying a flow have in common: the next attempt's time. Not a rule. */
import { later, type EpochMs } from '../protocol/ids.ts';
import type { State } from '../protocol/states.ts';
import { pass, reject, rewrite, type Facts, type Opinion, type Transition } from './rule.ts';

type Known = Pick<Facts, 'retry' | 'chance'> & { readonly nowMs: EpochMs };

const AWAITING_RETRY = 'AwaitingRetry';

/** Nothing of it is at work that could have failed: it has timed out. */
const isSuspended = (from: State | undefined): boolean => from?.type === 'PAUSED' && from.suspended === true;

/** A failure becomes a later attempt, or stands; that of an attempt which is over already is no news. */
export function retryOpinion({ from, to, report }: Transition, { retry, chance, nowMs }: Known): Opinion {
  if (isSuspended(from)) return pass();
  if (from?.type === 'SCHEDULED') {
    const isOver = report && from.name === AWAITING_RETRY;
    return isOver ? reject('STALE', 'the attempt that failed is over already, and another one is due') : pass();
  }
  if (to.type !== 'FAILED' || retry.retriesMax === 0) return pass();
  if (to.retriable === false) return pass(undefined, 'the error is not worth another attempt');
  if (retry.used >= retry.retriesMax) return pass(undefined, usedUp(retry.retriesMax));
  const delayMs = delayOf(retry, chance);
  const scheduled: State = {
    type: 'SCHEDULED',
    name: AWAITING_RETRY,
    dueAtMs: later(nowMs, delayMs),
    ...(to.message === undefined ? {} : { message: to.message }),
    ...(to.error === undefined ? {} : { error: to.error }),
  };
  const nth = `retry ${String(retry.used + 1)} of ${String(retry.retriesMax)} in ${String(delayMs)} ms`;
  return rewrite(scheduled, to.message === undefined ? nth : `${nth}, after: ${to.message.slice(0, 200)}`);
}

const usedUp = (retriesMax: number): string =>
  retriesMax === 1 ? 'its one retry is used' : `all ${String(retriesMax)} retries are used`;

/** The listed delay of this retry, the last one for all after it; stretched by chance, so that what failed together does not come back together. */
function delayOf({ used, delaysMs, jitter }: Facts['retry'], chance: number): number {
  const base = delaysMs[Math.min(used, delaysMs.length - 1)] ?? 0;
  return Math.round(base * (1 + jitter * chance));
}
