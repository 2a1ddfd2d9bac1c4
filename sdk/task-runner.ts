/** Where the functions of tasks run: the seam between a task's call (task-call.ts) and the runners (runners/). */
import { scopes, type TaskScope } from './scope.ts';
import type { TaskDefinition } from './task-definition.ts';

/** Where the functions of tasks run; made by {@link concurrent}, {@link threads} and {@link workers}. */
export interface TaskRunner {
  /** `concurrent`, `threads`, `workers`. */
  readonly type: string;
  /** Calls of one flow run that are at work at once. Default: 1,000. */
  readonly limit?: number;
  /**
   * Retries, time-outs and slots are kept where the function runs, and not by the call in the flow, which is one attempt.
   */
  readonly ownsAttempts?: true;
  /** Runs one attempt: what it gives or throws is what the function gave or threw. `scope` has the signal to stop. */
  run(scope: TaskScope, task: TaskDefinition, inputs: readonly unknown[]): unknown;
}

/** In this process, on its event loop. */
export const inProcess: TaskRunner = {
  type: 'concurrent',
  run: (scope, { fn }, inputs) => scopes.run(scope, () => fn(...(inputs as never[]))),
};
