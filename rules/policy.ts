/**
 * The policies in force: ordered lists. The order is the meaning.
 *
 * First who may speak (fencing), then whether it is still about the run as it is (stale, reuse, ended, lifecycle), then
 * what cancelling makes of it, then what it must wait for; slots come after every other wait, because a run must not
 * hold a slot while it waits for something else; retrying comes last, because only a failure that stands is retried.
 */
import { boundCancelling } from './bound-cancelling.ts';
import { cancelIdleRuns } from './cancel-idle-runs.ts';
import { enforceTimeout } from './enforce-timeout.ts';
import { failAsCancelled } from './fail-as-cancelled.ts';
import { fenceStaleExecutions } from './fence-stale-executions.ts';
import { finishCancelling } from './finish-cancelling.ts';
import { followLifecycle } from './follow-lifecycle.ts';
import type { Court, Policy } from './judge.ts';
import { keepTerminalStates } from './keep-terminal-states.ts';
import { rejectStaleWishes } from './reject-stale-wishes.ts';
import { resumeCrashedFlow } from './resume-crashed-flow.ts';
import { retryFailedFlow } from './retry-failed-flow.ts';
import { retryFailedTask } from './retry-failed-task.ts';
import { reuseCompletedTask } from './reuse-completed-task.ts';
import type { RunKind } from './rule.ts';
import { stoppedFlowStartsNoTask } from './stopped-flow-starts-no-task.ts';
import { takeSlots } from './take-slots.ts';
import { waitForDueTime } from './wait-for-due-time.ts';

const taskPolicy: Policy = {
  name: 'task',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    reuseCompletedTask,
    keepTerminalStates,
    followLifecycle,
    cancelIdleRuns,
    finishCancelling,
    failAsCancelled,
    stoppedFlowStartsNoTask,
    waitForDueTime,
    takeSlots,
    enforceTimeout,
    boundCancelling,
    retryFailedTask,
  ],
};

const flowPolicy: Policy = {
  name: 'flow',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    keepTerminalStates,
    followLifecycle,
    cancelIdleRuns,
    finishCancelling,
    waitForDueTime,
    takeSlots,
    enforceTimeout,
    boundCancelling,
    retryFailedFlow,
    resumeCrashedFlow,
  ],
};

/** A subflow is called like a task and lives like a flow. */
const subflowPolicy: Policy = {
  name: 'subflow',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    reuseCompletedTask,
    keepTerminalStates,
    followLifecycle,
    cancelIdleRuns,
    finishCancelling,
    failAsCancelled,
    stoppedFlowStartsNoTask,
    waitForDueTime,
    takeSlots,
    enforceTimeout,
    boundCancelling,
    retryFailedFlow,
  ],
};

export const corePolicies: Readonly<Record<RunKind, Policy>> = {
  flow: flowPolicy,
  subflow: subflowPolicy,
  task: taskPolicy,
};

/**
 * Whether no rule can alter the completion of a running task, so that its value may be used before the ruling is known.
 * A guard that only ever refuses a process that must stop anyway does not count.
 */
export function completesEarly(court: Court): boolean {
  const guards = new Set([fenceStaleExecutions.name, rejectStaleWishes.name, followLifecycle.name]);
  return court
    .governing('task', 'RUNNING', 'COMPLETED')
    .rules.every(
      (rule) => rule.may.length === 0 || (guards.has(rule.name) && !rule.may.some((may) => may !== 'reject')),
    );
}
