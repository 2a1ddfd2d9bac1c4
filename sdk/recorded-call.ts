/**
 * Calls of the SDK's own kind: a task run with a name, what it does, and what its completion brings with it. Answered from the
 * record like any call when the flow runs again; so what they do happens once.
 */
import type { CarriedEvent } from '../protocol/proposals.ts';
import { callTask } from './call-task.ts';
import { Future } from './future.ts';
import { scopes, type FlowScope } from './scope.ts';
import type { BuiltIn, TaskDefinition } from './task-definition.ts';

/** What a call of the SDK's own kind is known by. */
export type RecordedCall = {
  /** The task run's name. */
  readonly name: string;
  readonly inputs: readonly unknown[];
  /** As a task's `key`: makes it the same call with other inputs. */
  readonly key?: string;
  readonly builtIn?: Omit<BuiltIn, 'carries'>;
};

/** Completes with what `act` gives of the inputs; `carries` is asked when it has, and takes effect with the ruling on the completion. */
export function recordedCall(
  scope: FlowScope,
  { name, inputs, key, builtIn }: RecordedCall,
  act: (...inputs: never[]) => unknown,
  carries?: () => CarriedEvent | undefined,
): Future<unknown> {
  const definition: TaskDefinition = {
    settings: { name },
    fn: act,
    keyOf: key === undefined ? undefined : () => key,
    // What it carries may be refused.
    awaitsRuling: carries !== undefined,
    builtIn: { ...builtIn, ...(carries === undefined ? {} : { carries }) },
  };
  return callTask(scope, definition, inputs);
}

/**
 * What the SDK does for code, which may not look at how it ends: in a flow it is like a call of a task, waited for, and a
 * failure that nobody sees is the flow's. `waits`: it does nothing but wait, and need not be waited for.
 */
export function watched<T>(act: () => Promise<T>, { waits = false } = {}): Promise<T> {
  const scope = scopes.getStore();
  // Outside of a flow, a failure that nobody handles is the process's, as everywhere.
  if (scope?.type !== 'flow') return act();
  return Future.of<T>(waits ? scope.waits : scope, ({ resolve }) => {
    resolve(act());
  });
}
