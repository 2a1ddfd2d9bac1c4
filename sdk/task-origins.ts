/**
 * Where each task was defined: what another thread or process needs to find its function again. A function cannot be sent,
 * but the module that defines it can be imported there.
 *
 * O1 Tasks of one name in one module are told apart by the order in which they are defined.
 */
import { fileURLToPath } from 'node:url';
import { isTaskThread } from './task-thread.ts';

/** A function's address. `module` is a URL. */
export type TaskOrigin = {
  readonly module: string;
  readonly name: string;
  readonly ordinal: number;
};

type TaskCode = (...inputs: never[]) => unknown;

const origins = new WeakMap<TaskCode, TaskOrigin>();
const defined = new Map<string, TaskCode>();
const counts = new Map<string, number>();
const waiting = new Set<() => void>();

/** Called where a task is defined. A task that is made anew with other options has the same function, and its first origin. */
export function noteOrigin(name: string, fn: TaskCode, module: string | undefined): void {
  if (module?.startsWith('file:') !== true || origins.has(fn)) return;
  const same = JSON.stringify([module, name]);
  const ordinal = counts.get(same) ?? 0;
  counts.set(same, ordinal + 1);
  const origin = { module, name, ordinal };
  origins.set(fn, origin);
  // Looked for in threads alone; elsewhere a task that is made anew by each run would be kept for ever.
  if (isTaskThread()) defined.set(keyOf(origin), fn);
  for (const look of [...waiting]) look();
}

/** Undefined for a function that was not defined in a file: in `node -e`, for one. */
export const originOf = (fn: TaskCode): TaskOrigin | undefined => origins.get(fn);

/**
 * The function that was defined there, when this process, or thread, has come so far in loading its module. `loaded` settles
 * when the module is loaded as far as it can be: one that awaits a flow at its top never is, and need not be.
 */
export async function definedAt(origin: TaskOrigin, loaded: Promise<unknown>): Promise<TaskCode | undefined> {
  const key = keyOf(origin);
  let look: () => void = () => undefined;
  const found = new Promise<void>((resolve) => {
    look = (): void => {
      if (defined.has(key)) resolve();
    };
    waiting.add(look);
    look();
  });
  try {
    await Promise.race([found, loaded]);
  } finally {
    waiting.delete(look);
  }
  return defined.get(key);
}

const keyOf = ({ module, name, ordinal }: TaskOrigin): string => JSON.stringify([pathOf(module), name, ordinal]);

/** The same file may have been loaded under a URL with a query. */
const pathOf = (module: string): string => fileURLToPath(new URL(module));
