/** Tasks: the units of retrying and of recording. */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { checkTask, type TaskOptions } from './options.ts';
import { scopes } from './scope.ts';
import { callTask, type TaskDefinition } from './task-call.ts';

/** Any function; its parameters are the inputs. */
export type TaskFunction = (...inputs: never[]) => unknown;

/** A function as a task: its own type, but that it always returns a promise. */
export type Task<F extends TaskFunction> = F extends (...inputs: never[]) => Promise<unknown>
  ? F
  : (...inputs: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

/**
 * Makes a task of a function. Called by a flow that runs, it is orchestrated: the call asks to start, its outcome is
 * recorded, a failure is retried as the options say, and when the flow runs again after a crash, a call that has
 * completed is answered from the record. The same call is one with the same task (or `key`), the same inputs, and the
 * same place among calls that are equal in both.
 *
 * Called anywhere else, also by another task, it is the plain function: the outer task is the unit of recording.
 *
 * Inputs and results may hold plain data, Date, Map, Set, BigInt, Error, URL, RegExp, typed arrays and cycles.
 *
 * @param options All optional; `name` defaults to the function's own name. Durations are milliseconds or texts like `'10s'`.
 * @throws AssentError BAD_OPTION at once, if an option is unknown or wrong.
 * @throws From the call: the function's own error when no retry is left; AssentError VALUE_TOO_LARGE or
 *   VALUE_NOT_SERIALIZABLE for a result that cannot be recorded, TIMED_OUT, CANCELLED, FENCED when the flow goes on in
 *   another process, REJECTED when a rule refused.
 * @example
 * import { flow, task } from 'assent';
 *
 * const double = task({ name: 'double', retries: 3, retryDelay: '1s', timeout: '10s' }, async (n: number) => n * 2);
 * const sum = flow({ name: 'sum' }, async ({ numbers }: { numbers: number[] }) => {
 *   const doubled = await Promise.all(numbers.map((n) => double(n)));
 *   return doubled.reduce((a, b) => a + b, 0);
 * });
 * console.log(await sum({ numbers: [1, 2, 3] })); // 12
 */
export function task<F extends TaskFunction>(fn: F): Task<F>;
export function task<F extends TaskFunction>(options: TaskOptions<Parameters<F>>, fn: F): Task<F>;
export function task<F extends TaskFunction>(...given: [F] | [TaskOptions<Parameters<F>>, F]): Task<F> {
  const [options, fn] = given.length === 1 ? [{}, given[0]] : given;
  const settings = checkTask(options, fn);
  const { key, await: awaits } = options as TaskOptions;
  const definition: TaskDefinition = {
    settings,
    fn,
    keyOf: key === undefined ? undefined : typeof key === 'string' ? () => key : checkedKey(settings.name, key),
    awaitsRuling: awaits === 'ruling',
  };
  const called = (...inputs: unknown[]): unknown => {
    const scope = scopes.getStore();
    if (scope?.type === 'flow') return callTask(scope, definition, inputs);
    return plainCall(fn, inputs);
  };
  return Object.defineProperty(called, 'name', { value: settings.name, configurable: true }) as unknown as Task<F>;
}

/** Always a promise, as in a flow. */
const plainCall = (fn: TaskFunction, inputs: readonly unknown[]): Promise<unknown> =>
  new Promise((resolve) => {
    resolve(fn(...(inputs as never[])));
  });

/** A key that is no text would make every call the same one. */
function checkedKey(name: string, key: (...inputs: never[]) => unknown): (inputs: readonly unknown[]) => string {
  return (inputs) => {
    const made = key(...(inputs as never[]));
    if (typeof made === 'string' && made !== '' && made.length <= LIMITS.textMax) return made;
    const found = typeof made === 'string' ? `has ${String(made.length)} characters` : `is a ${typeof made}`;
    throw new AssentError(
      'BAD_OPTION',
      `A task '${name}' has a bad option: key: it ${found}; 1 to ${String(LIMITS.textMax)} are allowed.`,
    );
  };
}
