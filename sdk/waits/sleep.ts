/**
 * Sleeping. In a flow it is a call like any other, due later: the ledger keeps its time, and so it survives the process. In
 * a task, and outside, it is a plain timer.
 */
import { AssentError } from '../../protocol/errors.ts';
import { TIMER_MAX_MS, type Duration } from '../durations.ts';
import { recordedCall, watched } from '../recorded-call.ts';
import { scopes, type FlowScope } from '../scope.ts';
import { durationOf } from './where.ts';

/**
 * Waits for so long. In a flow the wait is recorded: whatever happens to the process, the flow goes on when the time is over,
 * and not sooner or later; a worker lets go of a flow that does nothing else (the option `suspendAfter`). The same wait is
 * the one of this duration, in its place among equal ones. In a task, and outside of a run, it is a timer, which the task's
 * AbortSignal ends.
 *
 * While a flow run is paused its sleeps do not end; those that are over end when it goes on.
 *
 * @param duration Milliseconds, or a text like `'10s'`, `'3d'`.
 * @throws AssentError BAD_OPTION if it is no duration; CANCELLED, FENCED as for tasks.
 * @example
 * import { flow, sleep, task } from 'assent';
 *
 * const remind = task({ name: 'remind' }, (who: string) => `reminded ${who}`);
 * const trial = flow({ name: 'trial' }, async ({ who }: { who: string }) => {
 *   await sleep('50ms'); // or '14d'
 *   return remind(who);
 * });
 * console.log(await trial({ who: 'Ada' })); // reminded Ada
 */
export function sleep(duration: Duration): Promise<void> {
  const ms = durationOf(duration, 'sleep');
  const scope = scopes.getStore();
  if (scope?.type === 'flow') return watched(() => sleptIn(scope, duration, ms), { waits: true });
  return timer(ms, scope?.signal);
}

/**
 * As {@link sleep}, until a time of day; one that is over is not waited for. In a flow the time must be the same when the
 * function runs again: one that comes from a parameter or from a task is; for one that is reckoned from now, use
 * {@link sleep}.
 *
 * @throws AssentError BAD_OPTION if it is no date; CANCELLED, FENCED as for tasks.
 * @example
 * import { flow, sleepUntil } from 'assent';
 *
 * const launch = flow({ name: 'launch' }, async ({ at }: { at: Date }) => {
 *   await sleepUntil(at);
 *   return 'launched';
 * });
 * console.log(await launch({ at: new Date('2026-01-01T09:00:00Z') })); // launched
 */
export function sleepUntil(date: Date): Promise<void> {
  const ms = date instanceof Date ? date.getTime() - Date.now() : Number.NaN;
  if (Number.isNaN(ms)) throw new AssentError('BAD_OPTION', `sleepUntil: ${String(date)} is no date.`);
  const scope = scopes.getStore();
  if (scope?.type === 'flow') return watched(() => sleptIn(scope, date, Math.max(0, ms)), { waits: true });
  return timer(ms, scope?.signal);
}

async function sleptIn(flow: FlowScope, known: Duration | Date, lastsMs: number): Promise<void> {
  await recordedCall(flow, { name: 'sleep', inputs: [known], builtIn: { lastsMs, waits: true } }, () => undefined);
}

async function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const untilMs = performance.now() + ms;
  for (let leftMs = ms; leftMs > 0; leftMs = untilMs - performance.now()) {
    await turn(Math.min(leftMs, TIMER_MAX_MS), signal);
  }
}

function turn(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (): void => {
      signal?.removeEventListener('abort', stop);
      clearTimeout(running);
      resolve();
    };
    const stop = (): void => {
      clearTimeout(running);
      reject(signal?.reason as Error);
    };
    const running = setTimeout(over, ms);
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
  });
}
