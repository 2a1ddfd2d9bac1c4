/**
 * Hooks that are owed: a run that ended in nobody's hands has no process that would call them, so a worker is told to. Owns
 * what is owed, and until when; effects.ts makes hints of it.
 *
 * O1 What is owed is forgotten when the ledger says that the effects of its ruling are done: an arbiter that takes over
 *    before gives the hint again.
 */
import type { Hook } from '../../protocol/proposals.ts';
import type { Position } from '../../protocol/rulings.ts';
import { isTerminal, type StateType } from '../../protocol/states.ts';
import type { Run, Workspace } from './workspace.ts';

const HOOK_OF: { readonly [type in StateType]?: Hook } = {
  COMPLETED: 'onCompletion',
  FAILED: 'onFailure',
  CANCELLED: 'onCancellation',
  CRASHED: 'onCrashed',
};

/** A run of a version: what came of it later does not change what it is owed for this end. */
export const owedKey = ({ id, version }: Pick<Run, 'id' | 'version'>): string => `${id} ${String(version)}`;

/** `was` is the run before the ruling at `at`, `now` after it. */
export function oweHook(workspace: Workspace, was: Run | undefined, now: Run, { seq }: Position): void {
  const { id, version, state, work, hooks } = now;
  const hook = HOOK_OF[state.type];
  if (work === undefined || hook === undefined || hooks?.includes(hook) !== true) return;
  if (isInHands(was, now) || (was !== undefined && isTerminal(was.state) && was.state.type === state.type)) return;
  workspace.hooksOwed.set(owedKey(now), { run: id, version, hook, state, seq });
}

/** The process that executed it until now hears of its end; one that it was taken from does nothing for it any more. */
const isInHands = (was: Run | undefined, now: Run): boolean =>
  was?.session !== undefined && !isTerminal(was.state) && was.execution === now.execution;

/** The effects of all segments up to here are done. */
export function forgetOwed(workspace: Workspace, effects: number): void {
  for (const [key, { seq }] of [...workspace.hooksOwed.entries()]) if (seq <= effects) workspace.hooksOwed.delete(key);
}
