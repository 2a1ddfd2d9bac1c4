/** The package `assent`: what flows and tasks are written with. Each export's doc comment has an example that runs. */
export { task, TASK, type Gives, type Task, type TaskFunction, type TaskMethods } from './task.ts';
export { flow, FLOW, type Flow, type FlowFunction, type FlowOf, type FlowResult, type FlowWith } from './flow.ts';
export { Future, FutureList } from './future.ts';
export { allowFailure, type AllGiven, type Allowed, type Given } from './upstream.ts';
export { unmapped, type MapInput, type MapInputs, type Unmapped } from './map.ts';
export { cancelled, completed, failed, FinalState } from './final-state.ts';
export {
  CachePolicy,
  DEFAULT,
  FLOW_PARAMETERS,
  INPUTS,
  NO_CACHE,
  RUN_ID,
  TASK_SOURCE,
  type CacheContext,
} from './cache-policies.ts';
export type { HookContext, HookFunction, Hooks } from './hooks.ts';
export { transaction, type Transaction, type TransactionOptions } from './transaction.ts';
export type { CommitHook, CompletedCall, RollbackHook } from './transaction-hooks.ts';
export type { TaskRunner } from './task-runner.ts';
export type { FlowOptions, RunOptions, TaskOptions } from './options.ts';
export { exponential, type Duration } from './durations.ts';
export { flowRun, signal, taskRun, type FlowRunContext, type TaskRunContext } from './context.ts';
export { runLogger } from './run-logger.ts';
export {
  artifacts,
  type ArtifactOptions,
  type LinkOptions,
  type ProgressArtifact,
  type ProgressOptions,
} from './artifacts.ts';
export { variables, type VariableOptions, type Variables } from './variables.ts';
export { secret, Secret } from './secrets.ts';
export { registerSerializer, type Serializer } from './serializers.ts';
export { fileStorage, setResultStorage, type ResultStorage } from './result-storage.ts';
export type { RunName, RunNameContext } from './run-names.ts';
export {
  cancelRun,
  removeLimit,
  runHandle,
  setLimit,
  startRun,
  type FlowRunHandle,
  type LimitOptions,
  type RunHandle,
  type StartOptions,
} from './runs.ts';
export { sleep, sleepUntil } from './waits/sleep.ts';
export {
  emitEvent,
  receive,
  send,
  waitForEvent,
  type EmitOptions,
  type ReceiveOptions,
  type WaitForEventOptions,
} from './waits/mail.ts';
export { pause, suspend, type PauseOptions } from './waits/pause.ts';
export { resumeRun } from './waits/resume-run.ts';
export { serve, type ServedRun, type ServeOptions, type Worker } from './worker.ts';
export { concurrent, type ConcurrentOptions } from './runners/concurrent.ts';
export { threads, type ThreadsOptions } from './runners/threads.ts';
export { workers, type WorkersOptions } from './runners/workers.ts';
export { disconnect } from './client/connect.ts';
export { AssentError, ERRORS, type ErrorKind } from '../protocol/errors.ts';
