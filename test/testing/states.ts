/** States as a test writes them: a type, and what matters besides. */
import type { EpochMs } from '../../protocol/ids.ts';
import { DEFAULT_NAMES, type State } from '../../protocol/states.ts';

/** A state whose name, if it is left out, is the usual one of its type; a SCHEDULED that is due at once if it says no time. */
export type StateGiven = State extends infer One ? (One extends State ? Loose<One> : never) : never;
type Loose<One extends State> = Omit<One, 'name' | 'dueAtMs'> & { readonly name?: string; readonly dueAtMs?: number };

/** The whole state. `nowMs` is when a SCHEDULED is due that says no time. */
export function wholeState(given: StateGiven, nowMs: number): State {
  const named = { ...given, name: given.name ?? DEFAULT_NAMES[given.type] };
  if (named.type !== 'SCHEDULED') return named as State;
  return { ...named, dueAtMs: (named.dueAtMs ?? nowMs) as EpochMs };
}

/**
 * A run waits for its time; `AwaitingRetry`, `Late` and the like are names of this type.
 *
 * @example
 * import { given, scheduled } from 'assent/testing';
 *
 * given(scheduled({ dueAtMs: 200_000 })).propose({ type: 'RUNNING' }).with({ nowMs: 100_000 }).expectHeld('TIME');
 */
export const scheduled = (more: Part<'SCHEDULED'> = {}): StateGiven => ({ type: 'SCHEDULED', ...more });

/**
 * A run is ready, and waits for whoever executes it.
 *
 * @example
 * import { given, pending } from 'assent/testing';
 *
 * given(pending()).propose({ type: 'RUNNING' }).expectAccepted();
 */
export const pending = (more: Part<'PENDING'> = {}): StateGiven => ({ type: 'PENDING', ...more });

/**
 * A run is executed.
 *
 * @example
 * import { given, running } from 'assent/testing';
 *
 * given(running()).propose({ type: 'COMPLETED' }).expectAccepted();
 */
export const running = (more: Part<'RUNNING'> = {}): StateGiven => ({ type: 'RUNNING', ...more });

/**
 * A run failed; `message` is the error's.
 *
 * @example
 * import { failed, given, running } from 'assent/testing';
 *
 * given(running()).propose(failed('boom')).with({ retry: { retriesMax: 1 } }).expectRewritten({ name: 'AwaitingRetry' });
 */
export const failed = (message?: string, more: Part<'FAILED'> = {}): StateGiven => ({
  type: 'FAILED',
  ...(message === undefined ? {} : { message }),
  ...more,
});

type Part<Type extends State['type']> = Omit<Extract<StateGiven, { type: Type }>, 'type'>;
