/** What code can learn about the run in which it runs. */
import { AssentError } from '../protocol/errors.ts';
import { scopes } from './scope.ts';

/** What a flow can learn about its own run. */
export interface FlowRunContext {
  /** The flow run's id, as the command line shows it. */
  readonly id: string;
  /** The flow's name. */
  readonly name: string;
  /** From 1. It grows with each retry and each time that the run is resumed. */
  readonly attempt: number;
  /** Aborted when the run is cancelled, timed out, or goes on in another process; its reason is an AssentError. */
  readonly signal: AbortSignal;
}

/** What a task can learn about its own run. */
export interface TaskRunContext {
  /** The task run's id. */
  readonly id: string;
  /** The same in every attempt and after every crash: give it to outside systems, so that they can tell a repetition. */
  readonly idempotencyKey: string;
  /** The task's name. */
  readonly name: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborted when the attempt is timed out or cancelled, or its flow run goes on in another process. */
  readonly signal: AbortSignal;
  /** The id of the flow run that called the task. */
  readonly flowRunId: string;
}

/**
 * The flow run in which this code runs; in a task, the one that called it.
 *
 * @throws AssentError OUTSIDE_RUN outside of a run.
 * @example
 * import { flow, flowRun } from 'assent';
 *
 * const nightly = flow({ name: 'nightly', retries: 2 }, () => {
 *   const { id, attempt } = flowRun();
 *   return `${id}, attempt ${attempt}`;
 * });
 * console.log(await nightly());
 */
export function flowRun(): FlowRunContext {
  const scope = scopes.getStore();
  if (scope === undefined) throw outside('flowRun');
  const flow = (scope.type === 'flow' ? scope : scope.flow).owner;
  return {
    id: flow.run,
    name: flow.name,
    attempt: flow.attempt,
    get signal() {
      return flow.signal;
    },
  };
}

/**
 * The task run in which this code runs.
 *
 * @throws AssentError OUTSIDE_RUN outside of a task.
 * @example
 * import { flow, task, taskRun } from 'assent';
 *
 * const charge = task({ name: 'charge', retries: 3 }, async (cents: number) => {
 *   const { idempotencyKey, signal } = taskRun();
 *   signal.throwIfAborted();
 *   return { cents, idempotencyKey };
 * });
 * const checkout = flow({ name: 'checkout' }, () => charge(1999));
 * console.log(await checkout());
 */
export function taskRun(): TaskRunContext {
  const scope = scopes.getStore();
  if (scope?.type !== 'task') throw outside('taskRun');
  return {
    id: scope.run,
    idempotencyKey: scope.run,
    name: scope.name,
    attempt: scope.attempt,
    get signal() {
      return scope.signal;
    },
    flowRunId: scope.flow.owner.run,
  };
}

/**
 * The AbortSignal of the innermost run in which this code runs: a task's own, or the flow's. Pass it on to whatever can
 * be stopped.
 *
 * @throws AssentError OUTSIDE_RUN outside of a run.
 * @example
 * import { setTimeout } from 'node:timers/promises';
 * import { flow, signal, task } from 'assent';
 *
 * const wait = task({ name: 'wait', timeout: '5s' }, async (ms: number) => {
 *   await setTimeout(ms, undefined, { signal: signal() });
 *   return ms;
 * });
 * const patient = flow({ name: 'patient' }, () => wait(10));
 * console.log(await patient());
 */
export function signal(): AbortSignal {
  const scope = scopes.getStore();
  if (scope === undefined) throw outside('signal');
  return scope.signal;
}

const outside = (what: string): AssentError =>
  new AssentError(
    'OUTSIDE_RUN',
    `${what}() was called outside of a ${what === 'taskRun' ? 'task' : 'flow'} that runs.`,
  );
