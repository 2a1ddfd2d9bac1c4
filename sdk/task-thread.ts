/**
 * Threads in which tasks run (runners/threads.ts). Such a thread loads the file that defines the task, with whatever that
 * file does at its top; what it starts there was started by the process already.
 */
import { scopes } from './scope.ts';

/** Marks such a thread, for every copy of this package that is loaded there. */
export const TASK_THREAD: unique symbol = Symbol.for('assent.task-thread') as never;

export const isTaskThread = (): boolean => (globalThis as { [TASK_THREAD]?: true })[TASK_THREAD] === true;

/** What the file does while it is loaded, and not in a task. */
export const isLoadedByThread = (): boolean => isTaskThread() && scopes.getStore() === undefined;

/** Whoever waits for it waits for something that happens in the process. */
export const NEVER: Promise<never> = new Promise(() => undefined);
