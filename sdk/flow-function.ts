/**
 * Runs a flow's function, and finds out how the flow ends from what it gave: the value, the state that it returned, the states
 * of the calls that it returned, or a failure of a call that nobody looked at.
 *
 * G1 A call that nobody looks at is waited for. A failure that nobody has seen is the flow's own.
 */
import { AssentError } from '../protocol/errors.ts';
import { noteCutOff } from './attempt-notes.ts';
import { aggregate, FinalState } from './final-state.ts';
import { lookedAt } from './errors-across.ts';
import type { Gave } from './flow-report.ts';
import { Future } from './future.ts';
import { scopes, type FlowScope } from './scope.ts';

export async function gaveOf(scope: FlowScope, fn: (parameters: never) => unknown, parameters: unknown): Promise<Gave> {
  try {
    const value = await scopes.run(scope, () => fn(parameters as never));
    const state = await stateIn(value);
    const lost = await lostFailure(scope);
    if (lost !== undefined) return { error: lost };
    if (scope.stopped === undefined) noteCutOff(scope);
    return state === undefined ? { value: listed(value) } : { state };
  } catch (error) {
    return { error: lookedAt(error) };
  } finally {
    scope.functionEnded = true;
  }
}

/** A list of ends, or of calls, is how the flow ends; other containers are values. */
async function stateIn(value: unknown): Promise<FinalState | undefined> {
  if (value instanceof FinalState) return value;
  const list = Array.isArray(value) || value instanceof Set ? [...(value as Iterable<unknown>)] : [];
  if (list.length === 0 || !list.every(isEnd)) return undefined;
  return aggregate(await Promise.all(list.map(endOf)));
}

const isEnd = (one: unknown): boolean =>
  one instanceof FinalState || one instanceof Future || (Array.isArray(one) && one.length > 0 && one.every(isEnd));

async function endOf(one: unknown): Promise<FinalState> {
  if (one instanceof FinalState) return one;
  if (one instanceof Future) return one.state();
  return aggregate(await Promise.all((one as readonly unknown[]).map(endOf)));
}

/** What a generator gives, as a list. */
const listed = (value: unknown): unknown =>
  Object.prototype.toString.call(value) === '[object Generator]' ? [...(value as Iterable<unknown>)] : value;

/** G1. */
async function lostFailure(scope: FlowScope): Promise<AssentError | undefined> {
  const failures: FinalState[] = [];
  for (let left = scope.unobserved; left.length > 0; left = scope.unobserved) {
    for (const future of left) {
      const state = await future.state();
      if (!state.isCompleted) failures.push(state);
    }
  }
  const [first] = failures;
  if (first === undefined) return undefined;
  const more = failures.length === 1 ? '' : `, and ${String(failures.length - 1)} more`;
  const what = first.runId === undefined ? 'A call' : `Run ${first.runId}`;
  const text = `${what} ended as ${first.name}, and nobody waited for it${more}: ${first.message ?? ''}`;
  return new AssentError('UNAWAITED_FAILURE', text, { cause: first.error });
}
