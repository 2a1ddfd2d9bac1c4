/**
 * Runs at a distance: starting one for a worker, waiting for its end, cancelling it; and the workspace's named limits.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import { idFrom, type EpochMs, type RunId } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Answer } from '../protocol/messages.ts';
import { ON_FULL, type OnFull } from '../protocol/proposals.ts';
import type { State } from '../protocol/states.ts';
import { digestOf } from './call.ts';
import type { Client } from './client/client.ts';
import { checkOptions, place, text } from './checked-options.ts';
import { currentClient } from './client/connect.ts';
import type { Wish } from './client/session.ts';
import { LAST_INSTANT_MS } from './durations.ts';
import { definitionOf, newRunId, type CallableFlow } from './flow-call.ts';
import { flowDefinition } from './flow.ts';
import { refusedError } from './outcomes.ts';
import { checkedParameters, parsedOf } from './parameters.ts';
import { watched } from './recorded-call.ts';
import { AwaitedRun } from './run-handle.ts';
import { scopes, type FlowScope } from './scope.ts';
import { isLoadedByThread, NEVER } from './task-thread.ts';
import { send } from './waits/mail.ts';
import { resumeRun } from './waits/resume-run.ts';
import { deed, type DeedOf } from './workspace-calls.ts';

/** Where workers look for a run, and what makes two starts the same. */
export interface StartOptions {
  /** The pool of workers. Default: `'default'`. */
  readonly pool?: string;
  /** The queue within the pool. Default: `'default'`. */
  readonly queue?: string;
  /** When it is to start, as a Date or in milliseconds since 1970. Default: at once. */
  readonly at?: Date | number;
  /**
   * Two starts of one flow with the same key are one run, with the parameters of the first. 1 to 1,000 characters. Default: every start is a run; each of a flow's is one.
   */
  readonly key?: string;
}

/** A run that somebody else executes. */
export interface RunHandle<Result> {
  readonly id: string;
  /**
   * Waits for the run's end.
   * @throws The flow's error; AssentError CANCELLED, TIMED_OUT or FLOW_FAILED.
   */
  result(): Promise<Result>;
  /** As {@link cancelRun}. */
  cancel(reason?: string): Promise<void>;
}

/** A flow run that somebody else executes. */
export interface FlowRunHandle<Result> extends RunHandle<Result> {
  /** As {@link send}, to this run. */
  send(name: string, data?: unknown): Promise<void>;
  /** As {@link resumeRun}. */
  resume(input?: unknown): Promise<void>;
}

/**
 * Starts a run of a flow that a worker ({@link serve}) executes, and resolves when the ledger has it. Started by a flow, it is
 * started once, however often that is executed.
 *
 * @throws AssentError BAD_PARAMETERS, BAD_OPTION if it is no flow, REJECTED if a rule refused.
 * @example
 * import { flow, serve, startRun } from 'assent';
 *
 * const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
 * const worker = await serve([square]);
 * const run = await startRun(square, { n: 7 });
 * console.log(await run.result()); // 49
 * await worker.stop();
 */
export function startRun<Parameters extends object, Result>(
  flow: (parameters: Parameters) => Promise<Result>,
  parameters: NoInfer<Parameters>,
  options?: StartOptions,
): Promise<FlowRunHandle<Result>>;
export function startRun<Result>(
  flow: () => Promise<Result>,
  parameters?: undefined,
  options?: StartOptions,
): Promise<FlowRunHandle<Result>>;
export async function startRun(
  flow: unknown,
  parameters?: unknown,
  options?: StartOptions,
): Promise<FlowRunHandle<unknown>> {
  if (isLoadedByThread()) return NEVER;
  const definition = flowDefinition(flow);
  if (definition === undefined) throw new AssentError('BAD_OPTION', 'startRun needs a flow as its first argument.');
  checkOptions('startRun', options ?? {}, startOptions);
  const checked = await checkedParameters(definition, parameters === undefined ? [] : [parameters]);
  return start(await currentClient(), definition, { given: parameters, parameters: checked }, options ?? {});
}

const isInstant = (at: unknown): boolean => {
  const ms = at instanceof Date ? at.getTime() : at;
  return Number.isSafeInteger(ms) && (ms as number) >= 0 && (ms as number) <= LAST_INSTANT_MS;
};

const startOptions = {
  pool: place.optional(),
  queue: place.optional(),
  at: z.custom(isInstant, 'expected a Date, or whole milliseconds since 1970').optional(),
  key: text(LIMITS.textMax).optional(),
};

async function start(
  client: Client,
  flow: CallableFlow,
  { given, parameters }: { readonly given: unknown; readonly parameters: unknown },
  { pool = 'default', queue = 'default', key, at }: StartOptions,
): Promise<FlowRunHandle<unknown>> {
  const scope = scopes.getStore();
  const isByFlow = scope?.type === 'flow';
  const run = key === undefined ? (isByFlow ? runOfCall(scope, flow, parameters) : newRunId()) : runOfKey(flow, key);
  client.beginWork();
  try {
    const startedBy = scope?.run;
    const create = await definitionOf(client, flow, parameters, {
      work: { pool, queue },
      ...(await parsedOf(client, flow, given, parameters)),
      ...(startedBy === undefined ? {} : { startedBy }),
    });
    const to: State =
      at === undefined
        ? { type: 'PENDING', name: 'Pending' }
        : { type: 'SCHEDULED', name: 'Scheduled', dueAtMs: instantOf(at) };
    // It is asked after until it ends: not before it is known what is to be started.
    const awaited = AwaitedRun.of(client, run, `Flow '${flow.settings.name}'`);
    const answer = await client.ask({ kind: 'flow', run, to, basedOn: 0, create });
    awaited.started(answer, key !== undefined || isByFlow);
    return handleOf(run, awaited);
  } finally {
    client.endWork();
  }
}

const handleOf = (run: RunId, awaited: AwaitedRun): FlowRunHandle<unknown> => ({
  id: run,
  result: () => awaited.result(),
  cancel: (reason) => cancelRun(run, reason),
  send: (name, data) => send(run, name, data),
  resume: (input) => resumeRun(run, input),
});

/**
 * A handle of a run that exists, by its id: to wait for its end, wherever it is executed. Of a run that has ended and was
 * opened again (`assent runs retry`), it waits for the new end. What it resolves with, nobody has checked.
 *
 * @throws AssentError RUN_NOT_FOUND.
 * @example
 * import { flow, runHandle, serve, startRun } from 'assent';
 *
 * const square = flow({ name: 'square' }, ({ n }: { n: number }) => n * n);
 * const worker = await serve([square]);
 * const { id } = await startRun(square, { n: 7 });
 * console.log(await (await runHandle(id)).result()); // 49
 * await worker.stop();
 */
export async function runHandle(id: string): Promise<FlowRunHandle<unknown>> {
  const client = await currentClient();
  const view = id === '' ? undefined : await client.runView(id as RunId);
  if (view === undefined) throw new AssentError('RUN_NOT_FOUND', `There is no run ${id}.`);
  const awaited = AwaitedRun.of(client, view.run, `Flow '${view.name}'`);
  awaited.seen(view.state);
  return handleOf(view.run, awaited);
}

const instantOf = (at: Date | number): EpochMs => (typeof at === 'number' ? at : at.getTime()) as EpochMs;

/** A flow's starts are counted like its calls, apart from them. */
function runOfCall(scope: FlowScope, { settings }: CallableFlow, parameters: unknown): RunId {
  const { run } = scope.counter.nextOf(`start ${settings.name}`, digestOf([parameters]));
  scope.counter.said(run);
  return idFrom(hash('sha256', JSON.stringify(['start', run]), 'buffer')) as RunId;
}

const runOfKey = (flow: CallableFlow, key: string): RunId =>
  idFrom(hash('sha256', JSON.stringify([flow.settings.name, key]), 'buffer')) as RunId;

/**
 * Asks for a run to be cancelled: it gets the time to end by itself, its AbortSignal is aborted. Resolves when that is
 * ruled; the run's own end comes later. In a flow, of a run that is not its own or around it, it is recorded, and done once.
 *
 * @throws AssentError RUN_NOT_FOUND; BAD_OPTION if it is no id; REJECTED if it has ended already or a rule refused.
 * @example
 * import { cancelRun, flow, flowRun, signal } from 'assent';
 *
 * const forever = flow({ name: 'forever' }, async () => {
 *   const stopped = new Promise((resolve) => signal().addEventListener('abort', resolve));
 *   await cancelRun(flowRun().id, 'the example is over');
 *   await stopped;
 * });
 * await forever().catch((error) => console.log(error.kind)); // CANCELLED
 */
export function cancelRun(id: string, reason?: string): Promise<void> {
  return watched(async () => {
    if (typeof id !== 'string' || id === '') throw new AssentError('BAD_OPTION', 'cancelRun: the run has no id.');
    await deed({ name: 'cancel-run', run: id, inputs: reason === undefined ? [id] : [id, reason] }, (client, deedOf) =>
      cancel(client, { id, reason, deedOf }),
    );
  });
}

type Cancelling = { readonly id: string; readonly reason: string | undefined; readonly deedOf: DeedOf };

async function cancel(client: Client, { id, reason, deedOf }: Cancelling): Promise<void> {
  const run = id as RunId;
  const given = reason?.slice(0, LIMITS.textMax);
  const why = given === undefined ? {} : { reason: given };
  const to: State = { type: 'CANCELLING', name: 'Cancelling', ...(given === undefined ? {} : { message: given }) };
  const answer = await asked(client, { kind: 'flow', run, to, ...why, ...deedOf });
  const { code, outcome, state, version, execution = 0 } = answer;
  // The arbiter does not order what was asked for by the very process that executes the run.
  if (outcome !== 'rejected' && state !== undefined) {
    client.session.order({ run, state, version, execution, by: 'sdk', seq: 0, index: 0, ...why });
  }
  if (code === 'RUN_UNKNOWN') throw new AssentError('RUN_NOT_FOUND', `There is no run ${id}.`);
  // It is being cancelled already: that is what was asked for.
  if (code === 'DUPLICATE') return;
  if (outcome === 'rejected') throw refusedError(answer, `Cancelling run ${id}`);
}

const limitOptions = {
  name: text(LIMITS.nameMax),
  slots: z.int('expected a whole number').nonnegative('expected 0 or more'),
  // Less often than once in the longest duration is no rate.
  slotsPerSecond: z
    .number('expected a number')
    .min(1000 / LIMITS.durationMsMax, 'expected a number above 0')
    .max(LIMITS.slotsPerSecondMax)
    .optional(),
  onFull: z.enum(ON_FULL).optional(),
};

/** What a limit is besides its number of slots. */
export interface LimitOptions {
  /** A rate limit: its slots come back by time, so many a second, and not with the end of the run. Default: with its end. */
  readonly slotsPerSecond?: number;
  /** What becomes of a run that finds it full. Default: `enqueue`, it waits. `cancel-running` cancels who runs longest. */
  readonly onFull?: OnFull;
}

/**
 * Sets how many slots a named limit has, for all runs that ask for it (the option `limits`). A limit that nobody has set
 * bounds nothing; one with 0 slots stops everything that asks for it.
 *
 * @throws AssentError BAD_OPTION; REJECTED if a rule refused.
 * @example
 * import { removeLimit, setLimit } from 'assent';
 *
 * await setLimit('github-api', 4);
 * await setLimit('github-api', 60, { slotsPerSecond: 1 }); // 60 starts at once, then one a second
 * await removeLimit('github-api');
 */
export async function setLimit(name: string, slots: number, options: LimitOptions = {}): Promise<void> {
  checkOptions('setLimit', { name, slots, ...options }, limitOptions);
  const answer = await askOnce({
    kind: 'workspace',
    event: { type: 'LIMIT_SET', limit: name, slotsMax: slots, ...options },
  });
  if (answer.outcome === 'rejected') throw refusedError(answer, `Setting the limit '${name}'`);
}

/**
 * Removes a named limit: it bounds nothing any more.
 *
 * @throws AssentError BAD_OPTION; REJECTED if a rule refused.
 * @example
 * import { removeLimit } from 'assent';
 *
 * await removeLimit('github-api');
 */
export async function removeLimit(name: string): Promise<void> {
  checkOptions('removeLimit', { name }, { name: limitOptions.name });
  const answer = await askOnce({ kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: name } });
  if (answer.outcome === 'rejected') throw refusedError(answer, `Removing the limit '${name}'`);
}

async function askOnce(wish: Wish): Promise<Answer> {
  return asked(await currentClient(), wish);
}

async function asked(client: Client, wish: Wish): Promise<Answer> {
  client.beginWork();
  try {
    return await client.ask(wish);
  } finally {
    client.endWork();
  }
}
