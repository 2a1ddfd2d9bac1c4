/** Flows: plain functions whose calls are orchestrated. */
import type { z } from 'zod';
import { callFlow, callSubflow, type CallableFlow } from './flow-call.ts';
import type { FinalState } from './final-state.ts';
import { Future, OUTSIDE } from './future.ts';
import { checkFlow, type FlowOptions } from './options.ts';
import { scopes } from './scope.ts';
import type { ParametersSchema } from './parameters.ts';
import { hasFutures, resolved, type AllGiven } from './upstream.ts';

/** A function of nothing, or of one object: the parameters. */
export type FlowFunction = (parameters: never) => unknown;

/** A flow: called, it runs, and resolves with what its function returns. */
export type Flow<Inputs extends readonly unknown[], Result> = ((...parameters: Inputs) => Promise<Result>) & {
  /** The flow's name. */
  readonly name: string;
  /** Calls it, as calling it does, and gives a {@link Future}, which can be passed to other calls. */
  submit(...parameters: AllGiven<Inputs>): Future<Result>;
  /** The same function with some options changed. @throws AssentError BAD_OPTION */
  with(options: FlowOptions): Flow<Inputs, Result>;
};

/** What a flow gives to its caller: of states and calls that it returns, their values. */
export type FlowResult<R> = ResultIn<Awaited<R>>;
type ResultIn<V> =
  V extends FinalState<infer T> ? T : V extends readonly (Future<infer T> | FinalState<infer T>)[] ? T[] : V;

/** A function as a flow: its own type, but that it always returns a promise. */
export type FlowOf<F extends FlowFunction> = Flow<Parameters<F>, FlowResult<ReturnType<F>>>;

/** With a schema, a flow takes what the schema takes, and its function gets what the schema gives. */
export type FlowWith<Schema extends ParametersSchema, Result> = Flow<ParametersInput<Schema>, FlowResult<Result>>;
type ParametersInput<Schema extends ParametersSchema> =
  Record<string, never> extends z.input<Schema> ? [parameters?: z.input<Schema>] : [parameters: z.input<Schema>];

/** Where a callable flow keeps what it is; for the command line and for workers. */
export const FLOW: unique symbol = Symbol.for('assent.flow') as never;

type OneObject<F extends FlowFunction> = Parameters<F>['length'] extends 0 | 1
  ? Parameters<F>[0] extends object | undefined
    ? unknown
    : 'A flow takes one object.'
  : 'A flow takes one object.';

/**
 * Makes a flow of a function. A flow is plain code: loops, conditions and `Promise.all` just work. Its function should
 * leave all that reads or changes the outside world to tasks: when the run is resumed after a crash, the function runs
 * again from the top, and tasks that have completed are answered from the record.
 *
 * Called by a script, it is a run of its own: the engine of the project's folder is started if none runs (or the server
 * in ASSENT_URL is used), and if an earlier process of the same script died in the middle of the same flow with the same
 * parameters, its run is resumed. Called by a flow that runs, it is a subflow.
 *
 * @param options All optional; `name` defaults to the function's own name. `parameters` is a zod schema; a run that began
 *   with another one has its parameters made by this one when it goes on.
 * @throws AssentError BAD_OPTION at once, if an option is unknown or wrong.
 * @throws From the call: AssentError BAD_PARAMETERS before the function is called, naming each field; the function's own error;
 *   AssentError TIMED_OUT, CANCELLED, FENCED, REJECTED as for tasks; ENGINE_START_FAILED, NATS_UNREACHABLE or
 *   ENGINE_UNAVAILABLE when there is no engine.
 * @example
 * import { flow, task } from 'assent';
 * import { z } from 'zod';
 *
 * const shout = task({ name: 'shout' }, (text: string) => text.toUpperCase());
 * const greet = flow(
 *   { name: 'greet', parameters: z.object({ who: z.string().default('world') }) },
 *   async ({ who }) => `Hello ${await shout(who)}`,
 * );
 * console.log(await greet({ who: 'Ada' })); // Hello ADA
 */
export function flow<F extends FlowFunction>(fn: F & OneObject<F>): FlowOf<F>;
export function flow<Schema extends ParametersSchema, Result>(
  options: FlowOptions & { readonly parameters: Schema },
  fn: (parameters: z.output<Schema>) => Result,
): FlowWith<Schema, Result>;
export function flow<F extends FlowFunction>(options: FlowOptions, fn: F & OneObject<F>): FlowOf<F>;
export function flow(...given: [unknown] | [unknown, unknown]): unknown {
  const [options, fn] = given.length === 1 ? [{}, given[0]] : (given as [object, unknown]);
  const settings = checkFlow(options, fn);
  const { resume, parameters } = options as FlowOptions & { readonly parameters?: ParametersSchema };
  const definition: CallableFlow = {
    settings,
    fn: fn as (parameters: never) => unknown,
    schema: parameters,
    resumes: resume !== false,
  };
  const { name } = settings;
  const submit = (...inputs: unknown[]): Future<unknown> => {
    const scope = scopes.getStore();
    if (scope?.type === 'flow') return callSubflow(scope, definition, inputs);
    return Future.of<unknown>(OUTSIDE, ({ resolve }) => {
      resolve(submitted(definition, inputs, scope === undefined));
    });
  };
  const methods = {
    submit,
    with: (changes: FlowOptions) => (flow as (...all: unknown[]) => unknown)({ name, ...options, ...changes }, fn),
  };
  const called = Object.assign((...inputs: unknown[]): Promise<unknown> => {
    const scope = scopes.getStore();
    return scope?.type === 'flow'
      ? callSubflow(scope, definition, inputs)
      : callFlow(definition, inputs, scope === undefined);
  }, methods);
  Object.defineProperty(called, 'name', { value: name, configurable: true });
  return Object.defineProperty(called, FLOW, { value: definition });
}

/** By a script, or a task. */
async function submitted(flow: CallableFlow, inputs: readonly unknown[], mayResume: boolean): Promise<unknown> {
  if (!inputs.some((input) => hasFutures(input))) return callFlow(flow, inputs, mayResume);
  const ready = await resolved(`Flow '${flow.settings.name}'`, inputs, []);
  if (ready.type === 'NOT_READY') throw ready.error;
  return callFlow(flow, ready.inputs, mayResume);
}

/** What a callable flow is made of; undefined if the value is none. */
export function flowDefinition(value: unknown): CallableFlow | undefined {
  return typeof value === 'function' ? (value as { [FLOW]?: CallableFlow })[FLOW] : undefined;
}
