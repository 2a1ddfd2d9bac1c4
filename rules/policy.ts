/**
 * The policies in force: ordered lists. The order is the meaning.
 *
 * First who may speak (fencing), then whether it is still about the run as it is (stale, reuse, ended, lifecycle), then
 * what cancelling makes of it, then what it must wait for; slots come after every other wait, because a run must not
 * hold a slot while it waits for something else; retrying comes last, because only a failure that stands is retried.
 */
import { boundCancelling } from './bound-cancelling.ts';
import { boundPause } from './bound-pause.ts';
import { cancelIdleRuns } from './cancel-idle-runs.ts';
import { cancelLateWhenFull } from './cancel-late-when-full.ts';
import { enforceTimeout } from './enforce-timeout.ts';
import { failAsCancelled } from './fail-as-cancelled.ts';
import { fenceStaleExecutions } from './fence-stale-executions.ts';
import { finishCancelling } from './finish-cancelling.ts';
import { followLifecycle } from './follow-lifecycle.ts';
import { keepDueTime } from './keep-due-time.ts';
import { keepPendingClaim } from './keep-pending-claim.ts';
import { keepResults } from './keep-results.ts';
import { keepTerminalStates } from './keep-terminal-states.ts';
import { markLateOnce } from './mark-late-once.ts';
import { pauseRunningFlow } from './pause-running-flow.ts';
import { refuseDivergentCalls } from './refuse-divergent-calls.ts';
import { rejectStaleWishes } from './reject-stale-wishes.ts';
import { receiveMessage } from './receive-message.ts';
import { renameReruns } from './rename-reruns.ts';
import { requireReason } from './require-reason.ts';
import { resumeCrashedFlow } from './resume-crashed-flow.ts';
import { resumePausedFlow } from './resume-paused-flow.ts';
import { retrieveCachedResult } from './retrieve-cached-result.ts';
import { retryFailedFlow } from './retry-failed-flow.ts';
import { retryFailedTask } from './retry-failed-task.ts';
import { reuseCompletedTask } from './reuse-completed-task.ts';
import { stoppedFlowStartsNoTask } from './stopped-flow-starts-no-task.ts';
import { storeCachedResult } from './store-cached-result.ts';
import { takeSlots } from './take-slots.ts';
import { takeReceivedMessage } from './take-received-message.ts';
import { waitForDueTime } from './wait-for-due-time.ts';
import { wakeSleepingFlow } from './wake-sleeping-flow.ts';
import type { Court, Policies, Policy } from './judge.ts';

/** It is the unit of execution: handed to one process at a time, which speaks for it and for all that it calls. */
const flow: Policy = {
  name: 'flow',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    keepTerminalStates,
    followLifecycle,
    cancelIdleRuns,
    finishCancelling,
    // Before the slots: the second worker is refused, and does not wait.
    keepPendingClaim,
    markLateOnce,
    // After the second mark was refused: a run is cancelled for being late once or never.
    cancelLateWhenFull,
    pauseRunningFlow,
    // Before the waits: a pause that has timed out waits for nothing any more.
    resumePausedFlow,
    keepDueTime,
    waitForDueTime,
    // After every other wait: what waits for something else holds no slot.
    takeSlots,
    enforceTimeout,
    boundCancelling,
    boundPause,
    wakeSleepingFlow,
    // After what cancelling makes of a failure: what was cancelled is not tried again.
    retryFailedFlow,
    resumeCrashedFlow,
  ],
};

/** A subflow is called like a task and lives like a flow. */
const subflow: Policy = {
  name: 'subflow',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    // Before anything is answered from the record: what is recorded is of another call.
    refuseDivergentCalls,
    // Before ends are kept: a call that has ended is answered, not refused.
    reuseCompletedTask,
    keepTerminalStates,
    followLifecycle,
    cancelIdleRuns,
    finishCancelling,
    failAsCancelled,
    stoppedFlowStartsNoTask,
    // Before the slots: the second worker is refused, and does not wait.
    keepPendingClaim,
    markLateOnce,
    pauseRunningFlow,
    // Before the waits: a pause that has timed out waits for nothing any more.
    resumePausedFlow,
    keepDueTime,
    waitForDueTime,
    // After every other wait: what waits for something else holds no slot.
    takeSlots,
    enforceTimeout,
    boundCancelling,
    boundPause,
    wakeSleepingFlow,
    // After what cancelling makes of a failure: what was cancelled is not tried again.
    retryFailedFlow,
  ],
};

/** A call: what it completed once is not done again. */
const task: Policy = {
  name: 'task',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    // Before anything is answered from the record: what is recorded is of another call.
    refuseDivergentCalls,
    // Before ends are kept: a call that has ended is answered, not refused.
    reuseCompletedTask,
    keepTerminalStates,
    followLifecycle,
    // After the guards: what has ended, or runs, is not answered. Before the waits: an answer needs no slot, and no
    // flow run that runs.
    retrieveCachedResult,
    cancelIdleRuns,
    finishCancelling,
    failAsCancelled,
    stoppedFlowStartsNoTask,
    keepDueTime,
    waitForDueTime,
    // Before the slots: what waits for a message has no code that would need one.
    receiveMessage,
    // After every other wait: what waits for something else holds no slot.
    takeSlots,
    enforceTimeout,
    boundCancelling,
    boundPause,
    wakeSleepingFlow,
    // After what cancelling makes of a failure: what was cancelled is not tried again.
    retryFailedTask,
    renameReruns,
    storeCachedResult,
    takeReceivedMessage,
  ],
};

/** A task run of its own is handed to a worker like a flow run, and lives like a task run. */
const background: Policy = {
  name: 'background',
  rules: [
    fenceStaleExecutions,
    rejectStaleWishes,
    keepTerminalStates,
    followLifecycle,
    // After the guards: what has ended, or runs, is not answered. Before the waits: an answer needs no slot, and no
    // flow run that runs.
    retrieveCachedResult,
    cancelIdleRuns,
    finishCancelling,
    // Before the slots: the second worker is refused, and does not wait.
    keepPendingClaim,
    markLateOnce,
    // After the second mark was refused: a run is cancelled for being late once or never.
    cancelLateWhenFull,
    resumePausedFlow,
    keepDueTime,
    waitForDueTime,
    // After every other wait: what waits for something else holds no slot.
    takeSlots,
    enforceTimeout,
    boundCancelling,
    boundPause,
    wakeSleepingFlow,
    // After what cancelling makes of a failure: what was cancelled is not tried again.
    retryFailedTask,
    resumeCrashedFlow,
    renameReruns,
    storeCachedResult,
  ],
};

/** What an operator's override is still held to; what the other rules would have said is recorded with it. */
const forced: Policy = {
  name: 'forced',
  rules: [
    // First of all, so that nothing is learnt about a run without one.
    requireReason,
    rejectStaleWishes,
    keepResults,
    cancelIdleRuns,
    stoppedFlowStartsNoTask,
    enforceTimeout,
    boundCancelling,
    boundPause,
    wakeSleepingFlow,
  ],
};

/** The policies in force where nobody has put others in their place. docs/rules.md is made of them. */
export const corePolicies: Policies = { flow, subflow, task, background, forced };

/**
 * Whether no rule can alter the completion of a running task, so that its value may be used before the ruling is known.
 * A guard that only ever refuses a process that must stop anyway does not count.
 */
export function completesEarly(court: Court): boolean {
  const guards = new Set([fenceStaleExecutions.name, rejectStaleWishes.name, followLifecycle.name]);
  return court
    .governing('task', 'task', 'RUNNING', 'COMPLETED')
    .rules.every(
      (rule) => rule.may.length === 0 || (guards.has(rule.name) && !rule.may.some((may) => may !== 'reject')),
    );
}
