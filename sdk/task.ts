/** Tasks: the units of retrying and of recording. */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { checkTask, type TaskOptions } from './options.ts';
import { moduleOfCaller } from './call-site.ts';
import { noteOrigin } from './task-origins.ts';
import { placeOf } from './runners/workers.ts';
import { delayTask } from './background-start.ts';
import type { RunHandle } from './runs.ts';
import { scopes } from './scope.ts';
import type { TaskDefinition } from './task-definition.ts';
import { hasFutures, resolved, type AllGiven } from './upstream.ts';
import { callTask } from './call-task.ts';
import type { FinalState } from './final-state.ts';
import { Future, OUTSIDE, type FutureList } from './future.ts';
import { mapped, type MapInputs } from './map.ts';

/** Any function; its parameters are the inputs. */
export type TaskFunction = (...inputs: never[]) => unknown;

/** What a function gives to its caller: of a state that it returns, the value in it. */
export type Gives<F extends TaskFunction> = ValueOf<Awaited<ReturnType<F>>>;
type ValueOf<V> = V extends FinalState<infer T> ? T : V;

/** A function as a task: its own type, but that it always returns a promise; and inputs may be futures. */
export type Task<F extends TaskFunction> = Called<F> & TaskMethods<F>;

// What it gives is asked of the return type: a generic function by itself would fit any promise.
type Called<F extends TaskFunction> = [ReturnType<F>] extends [never]
  ? Awaiting<F>
  : ReturnType<F> extends Promise<infer V>
    ? Extract<V, FinalState> extends never
      ? F & WithFutures<F>
      : Awaiting<F>
    : Awaiting<F>;
type Awaiting<F extends TaskFunction> = ((...inputs: Parameters<F>) => Promise<Gives<F>>) & WithFutures<F>;
type WithFutures<F extends TaskFunction> = (...inputs: AllGiven<Parameters<F>>) => Promise<Gives<F>>;

/** What a task can do besides being called. */
export interface TaskMethods<F extends TaskFunction> {
  /** The task's name. */
  readonly name: string;
  /** Calls it, as calling it does, and gives a {@link Future}, which can be passed to other calls. */
  submit(...inputs: AllGiven<Parameters<F>>): Future<Gives<F>>;
  /**
   * Calls it once for each element of the lists among the inputs, which must be of one length; what is no list, or is
   * {@link unmapped}, is the same for all calls.
   * @throws AssentError BAD_OPTION if there is no list, or lists are of different lengths.
   */
  map(...lists: MapInputs<Parameters<F>>): FutureList<Gives<F>>;
  /** The same function with some options changed. @throws AssentError BAD_OPTION */
  with(options: TaskOptions<Parameters<F>>): Task<F>;
  /**
   * Starts it in the background, for whatever worker is free ({@link serve}, or `assent worker FILE`), and resolves when the
   * ledger has it. Whoever waits for it does so with the handle. Started by a flow, it is started once, however often the
   * flow is executed; it outlives the flow. The queue is that of the task's own {@link workers}, else `default`.
   * @throws AssentError VALUE_NOT_SERIALIZABLE, VALUE_TOO_LARGE; REJECTED if a rule refused.
   */
  delay(...inputs: Parameters<F>): Promise<RunHandle<Gives<F>>>;
}

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
  const definition = definitionOf(options, fn);
  const { name } = definition.settings;
  const submit = (...inputs: unknown[]): Future<unknown> => {
    const scope = scopes.getStore();
    return scope?.type === 'flow' ? callTask(scope, definition, inputs) : plainCall(definition, inputs);
  };
  const methods = {
    submit,
    map: (...lists: unknown[]) => mapped(`Task '${name}'`, lists, (inputs) => submit(...inputs)),
    with: (changes: TaskOptions<Parameters<F>>) => task({ name, ...options, ...changes }, fn),
    delay: (...inputs: unknown[]) => delayTask(definition, inputs, placeOf(definition.settings.runner)),
  };
  const called = Object.assign((...inputs: unknown[]): unknown => submit(...inputs), methods);
  Object.defineProperty(called, 'name', { value: name, configurable: true });
  return Object.defineProperty(called, TASK, { value: definition }) as unknown as Task<F>;
}

/** Where a callable task keeps what it is; for workers. */
export const TASK: unique symbol = Symbol.for('assent.task') as never;

/** What a callable task is made of; undefined if the value is none. */
export const taskDefinition = (value: unknown): TaskDefinition | undefined =>
  typeof value === 'function' ? (value as { [TASK]?: TaskDefinition })[TASK] : undefined;

function definitionOf<F extends TaskFunction>(options: TaskOptions<Parameters<F>>, fn: F): TaskDefinition {
  const settings = checkTask(options, fn);
  const { key, await: awaits, waitFor, onCommit, onRollback } = options as TaskOptions;
  const isUndone = onCommit !== undefined || onRollback !== undefined;
  const module = moduleOfCaller();
  noteOrigin(settings.name, fn, module);
  return {
    settings,
    fn,
    keyOf: key === undefined ? undefined : typeof key === 'string' ? () => key : checkedKey(settings.name, key),
    // A hook is called when the state is ruled.
    awaitsRuling: awaits === 'ruling' || settings.hooks?.onCompletion !== undefined,
    ...(waitFor === undefined ? {} : { waitFor }),
    ...(isUndone ? { transaction: { onCommit: listOf(onCommit), onRollback: listOf(onRollback) } } : {}),
    ...(module === undefined ? {} : { module }),
  };
}

const listOf = <T>(given: T | readonly T[] | undefined): readonly T[] =>
  given === undefined ? [] : Array.isArray(given) ? (given as readonly T[]) : [given as T];

/** Outside of a flow it is the function, always with a promise; futures among its inputs are waited for as in a flow. */
function plainCall({ fn, settings, waitFor }: TaskDefinition, inputs: readonly unknown[]): Future<unknown> {
  return Future.of<unknown>(OUTSIDE, ({ resolve, reject }) => {
    if (waitFor === undefined && !inputs.some((input) => hasFutures(input))) {
      resolve(fn(...(inputs as never[])));
      return;
    }
    void resolved(`Task '${settings.name}'`, inputs, waitFor ?? []).then((ready) => {
      if (ready.type === 'NOT_READY') reject(ready.error);
      else
        resolve(
          new Promise((settle) => {
            settle(fn(...(ready.inputs as never[])));
          }),
        );
    });
  });
}

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
