/** The package `assent`: what flows and tasks are written with. Each export's doc comment has an example that runs. */
export { task, type Task, type TaskFunction } from './task.ts';
export { flow, FLOW, type Flow, type FlowFunction, type FlowOf, type FlowWith } from './flow.ts';
export type { FlowOptions, RunOptions, TaskOptions } from './options.ts';
export { exponential, type Duration } from './durations.ts';
export { flowRun, signal, taskRun, type FlowRunContext, type TaskRunContext } from './context.ts';
export { runLogger } from './run-logger.ts';
export {
  cancelRun,
  removeLimit,
  setLimit,
  startRun,
  type LimitOptions,
  type RunHandle,
  type StartOptions,
} from './runs.ts';
export { serve, type ServeOptions, type Worker } from './worker.ts';
export { disconnect } from './client/connect.ts';
export { AssentError, ERRORS, type ErrorKind } from '../protocol/errors.ts';
