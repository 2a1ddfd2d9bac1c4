/** Where the waits may be called: a flow waits, a task is at work. */
import { AssentError } from '../../protocol/errors.ts';
import { LAST_INSTANT_MS, parseDuration, type Duration } from '../durations.ts';
import { scopes, type FlowScope } from '../scope.ts';

/** The flow whose function calls. @throws AssentError OUTSIDE_FLOW */
export function callingFlow(what: string): FlowScope {
  const scope = scopes.getStore();
  if (scope?.type === 'flow') return scope;
  const where = scope === undefined ? 'outside of a flow that runs' : `in the task '${scope.name}'`;
  throw new AssentError('OUTSIDE_FLOW', `${what}() was called ${where}.`);
}

/** @throws AssentError BAD_OPTION */
export function durationOf(duration: Duration, what: string): number {
  const ms = parseDuration(duration);
  if (ms !== undefined && Date.now() + ms < LAST_INSTANT_MS) return ms;
  const found = `${what}: '${String(duration)}'`;
  const problem =
    ms === undefined
      ? "is no duration; milliseconds, or a text like '10s' or '3d'"
      : 'ends after the last day that a Date can say';
  throw new AssentError('BAD_OPTION', `${found} ${problem}.`);
}

/** As the wait of a call. @throws AssentError BAD_OPTION */
export const lastsFor = (timeout: Duration | undefined, what: string): { readonly lastsMs?: number } =>
  timeout === undefined ? {} : { lastsMs: durationOf(timeout, `${what}: timeout`) };
