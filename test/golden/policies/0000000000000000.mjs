/**
 * The policies of version 0.1, as its rules had them (commit 2ebba6f), bundled into one file: what the histories of that
 * version were ruled by. They name the digest 0000000000000000, because the desk that wrote them had no policy of its own
 * to name. Never edited, like the histories.
 */
// protocol/ids.ts
const later = (at, delayMs) => at + delayMs;
// rules/rule.ts
/**
 * Defines a rule. The facts named in `needs` are typed, gathered for it, and recorded with each ruling.
 *
 * @example
 * const noFridays = defineRule({
 *   name: 'no-fridays', summary: 'Starts nothing on a Friday.',
 *   on: ['flow'], from: ['NONE', 'PENDING'], to: ['RUNNING'], needs: [], may: ['reject'],
 *   judge: (_, { nowMs }) => (Math.floor(nowMs / 86_400_000) % 7 === 1 ? reject('FRIDAY', 'it is Friday') : pass()),
 * });
 */
function defineRule(definition) {
  return definition;
}
const PASS = { type: 'PASS' };
/** The rule has nothing against it; `claims` are what it takes for the run if the ruling stands. */
const pass = (claims, why) =>
  claims === void 0 && why === void 0
    ? PASS
    : {
        type: 'PASS',
        ...(claims === void 0 ? {} : { claims }),
        ...(why === void 0 ? {} : { why }),
      };
/** Another state instead; the hearing starts again, so that every rule sees it. */
const rewrite = (to, why) => ({
  type: 'REWRITE',
  to,
  why,
});
/** Nothing changes; ends the hearing. */
const reject = (code, why) => ({
  type: 'REJECT',
  code,
  why,
});
/** Nothing changes yet: the proposal is parked and judged again when what it waits for happens; ends the hearing. */
const hold = (waits, why) => ({
  type: 'HOLD',
  waits,
  why,
});
// rules/bound-cancelling.ts
/**
 * | opinion                                                                        |
 * | ------------------------------------------------------------------------------ |
 * | PASS, and CLAIM a timer: when the grace is over, the clock proposes CANCELLED  |
 */
const boundCancelling = defineRule({
  name: 'bound-cancelling',
  summary: 'A cancelled run that does not end by itself is ended when its grace is over.',
  on: ['flow', 'subflow', 'task'],
  from: ['RUNNING'],
  to: ['CANCELLING'],
  needs: ['graceMs'],
  may: [],
  judge: (_, { graceMs, nowMs }) =>
    pass([
      {
        type: 'TIMER',
        timer: 'grace',
        dueAtMs: later(nowMs, graceMs),
      },
    ]),
});
// protocol/states.ts
const STATE_TYPES = [
  'SCHEDULED',
  'PENDING',
  'RUNNING',
  'PAUSED',
  'CANCELLING',
  'COMPLETED',
  'FAILED',
  'CRASHED',
  'CANCELLED',
];
const TERMINAL_TYPES = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];
// rules/state-sets.ts
/** The sets of states that rules govern by. */
const ANY_STATE = STATE_TYPES;
const FROM_ANY = ['NONE', ...STATE_TYPES];
const TERMINAL = TERMINAL_TYPES;
// rules/cancel-idle-runs.ts
/**
 * | from                     | opinion                                                          |
 * | ------------------------ | ---------------------------------------------------------------- |
 * | SCHEDULED PENDING PAUSED | REWRITE to CANCELLED: no process is at work that could be asked  |
 */
const cancelIdleRuns = defineRule({
  name: 'cancel-idle-runs',
  summary: 'Cancelling a run that no process works on ends it at once.',
  on: ['flow', 'subflow', 'task'],
  from: ['SCHEDULED', 'PENDING', 'PAUSED'],
  to: ['CANCELLING'],
  needs: [],
  may: ['rewrite'],
  judge: ({ from, to }) =>
    rewrite(
      {
        type: 'CANCELLED',
        name: 'Cancelled',
        ...(to.message === void 0 ? {} : { message: to.message }),
      },
      `the run was ${from?.name ?? 'not there'}: nothing has to be stopped`,
    ),
});
// rules/enforce-timeout.ts
/**
 * | time-out  | opinion                                                          |
 * | --------- | ---------------------------------------------------------------- |
 * | none      | PASS                                                             |
 * | some time | PASS, and CLAIM a timer: when it rings, the clock reports FAILED |
 */
const enforceTimeout = defineRule({
  name: 'enforce-timeout',
  summary: 'An attempt that runs for longer than its time-out fails, whether or not its process notices.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['timeoutMs'],
  may: [],
  judge: (_, { timeoutMs, nowMs }) =>
    timeoutMs === void 0
      ? pass()
      : pass([
          {
            type: 'TIMER',
            timer: 'timeout',
            dueAtMs: later(nowMs, timeoutMs),
          },
        ]),
});
// rules/finish-cancelling.ts
const finishCancelling = defineRule({
  name: 'finish-cancelling',
  summary: 'A run that ends while it is being cancelled is cancelled, whatever it says of itself.',
  on: ['flow', 'subflow', 'task'],
  from: ['CANCELLING'],
  to: ['FAILED', 'COMPLETED', 'CRASHED'],
  needs: [],
  may: ['rewrite'],
  judge: ({ to }) => rewrite(cancelledWith(to), `it was being cancelled when it ${to.type.toLowerCase()}`),
});
/** The cancelled state that keeps what was reported as evidence. */
function cancelledWith(to) {
  return {
    type: 'CANCELLED',
    name: 'Cancelled',
    ...(to.type === 'COMPLETED' && to.result !== void 0 ? { result: to.result } : {}),
    ...((to.type === 'FAILED' || to.type === 'CRASHED') && to.error !== void 0 ? { error: to.error } : {}),
  };
}
// rules/fail-as-cancelled.ts
/**
 * | its flow run is | opinion                                                   |
 * | --------------- | --------------------------------------------------------- |
 * | CANCELLING      | REWRITE to CANCELLED: it failed because it was cancelled  |
 * | anything else   | PASS                                                      |
 *
 * A task that completes while its flow run is being cancelled has completed: its work is done and stays reusable.
 */
const failAsCancelled = defineRule({
  name: 'fail-as-cancelled',
  summary: 'A call that fails while its flow run is being cancelled is cancelled too, and not retried.',
  on: ['task', 'subflow'],
  from: ['RUNNING'],
  to: ['FAILED'],
  needs: ['flow'],
  may: ['rewrite'],
  judge: ({ to }, { flow }) =>
    flow?.type === 'CANCELLING' ? rewrite(cancelledWith(to), 'its flow run is being cancelled') : pass(),
});
// rules/fence-stale-executions.ts
/**
 * | asked in the name of        | by            | opinion                                                   |
 * | --------------------------- | ------------- | --------------------------------------------------------- |
 * | the current execution       | anybody       | PASS                                                      |
 * | another execution           | anybody       | REJECT FENCED: the run went on elsewhere                  |
 * | none                        | the engine    | PASS: it guards itself by version and epoch               |
 * | none, on a flow, a wish     | anybody       | PASS: an operator, or a process that claims the run       |
 * | none, on a task or a report | anybody else  | REJECT FENCED: only the process that executes may say so  |
 */
const fenceStaleExecutions = defineRule({
  name: 'fence-stale-executions',
  summary: 'Only the process that a run was handed to last may speak for it.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['execution'],
  may: ['reject'],
  judge: ({ kind, report, by }, { execution: { current, asked } }) => {
    if (asked === current) return pass();
    if (asked !== void 0)
      return reject('FENCED', `execution ${String(current)} is current, this was asked by execution ${String(asked)}`);
    if (by === 'engine' || (kind === 'flow' && !report) || (kind === 'subflow' && !report)) return pass();
    return reject('FENCED', 'it was asked in the name of no execution');
  },
});
// rules/follow-lifecycle.ts
const ENDS = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'];
const BROKEN_ENDS = ['FAILED', 'CRASHED', 'CANCELLED'];
const SUCCESSORS = {
  NONE: ['SCHEDULED', 'PENDING', 'RUNNING'],
  SCHEDULED: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...BROKEN_ENDS],
  PENDING: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...BROKEN_ENDS],
  RUNNING: ['SCHEDULED', 'RUNNING', 'PAUSED', 'CANCELLING', ...ENDS],
  PAUSED: ['SCHEDULED', 'RUNNING', 'CANCELLING', ...ENDS],
  CANCELLING: ENDS,
  COMPLETED: ['RUNNING', 'COMPLETED'],
  FAILED: ['RUNNING', 'FAILED'],
  CRASHED: ['RUNNING', 'CRASHED'],
  CANCELLED: ['RUNNING', 'CANCELLED'],
};
const followLifecycle = defineRule({
  name: 'follow-lifecycle',
  summary: 'A run goes only from where it is to where that can lead.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran'],
  may: ['reject'],
  judge: ({ from, to, kind, claim }, { execution, flow, ran }) => {
    const fromType = from?.type ?? 'NONE';
    const again = fromType === to.type && (fromType === 'RUNNING' || fromType === 'CANCELLING');
    const sameTry = ran?.execution === execution.current && ran.round === flow?.round;
    if (again && (fromType === 'CANCELLING' || kind === 'flow' || sameTry))
      return reject('DUPLICATE', `the run is ${fromType} already`);
    const executed = fromType === 'PAUSED' && execution.asked === execution.current;
    if (kind === 'flow' && to.type === 'RUNNING' && !claim && !executed)
      return reject('NOT_IN_LIFECYCLE', 'a flow run starts by the claim of a process that executes it');
    if (SUCCESSORS[fromType].includes(to.type)) return pass();
    return reject('NOT_IN_LIFECYCLE', `${fromType === 'NONE' ? 'a new run' : fromType} cannot become ${to.type}`);
  },
});
// rules/keep-terminal-states.ts
/**
 * | kind          | wanted after the end                                 | opinion                                     |
 * | ------------- | ---------------------------------------------------- | ------------------------------------------- |
 * | any           | the very state that it is in (a reuse)               | PASS                                        |
 * | flow          | RUNNING by a claim, after CRASHED or FAILED          | PASS: it is resumed                         |
 * | task, subflow | RUNNING, by a later execution or round of its flow   | PASS: the call is made again                |
 * | any           | anything else                                        | REJECT ALREADY_ENDED: the first end stands  |
 */
const keepTerminalStates = defineRule({
  name: 'keep-terminal-states',
  summary: 'A run that has ended stays ended, unless it is resumed or its flow run calls it again.',
  on: ['flow', 'subflow', 'task'],
  from: TERMINAL,
  to: ANY_STATE,
  needs: ['execution', 'flow', 'ran'],
  may: ['reject'],
  judge: ({ kind, from, to, stays, claim, report }, { execution, flow, ran }) => {
    if (from === void 0 || stays) return pass();
    if (kind === 'flow') {
      if (to.type === 'RUNNING' && claim && (from.type === 'CRASHED' || from.type === 'FAILED')) return pass();
    } else if (to.type === 'RUNNING' && !report) {
      if (ran?.execution !== execution.current || ran.round !== flow?.round) return pass();
    }
    return reject('ALREADY_ENDED', `the run ended as ${from.name}`);
  },
});
// rules/reject-stale-wishes.ts
/**
 * | based on            | opinion                                       |
 * | ------------------- | --------------------------------------------- |
 * | nothing             | PASS: the asker does not care, or it reports  |
 * | the run's version   | PASS                                          |
 * | any other version   | REJECT STALE, with the state that the run has |
 */
const rejectStaleWishes = defineRule({
  name: 'reject-stale-wishes',
  summary: 'A wish that rests on an older version of the run is refused.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ANY_STATE,
  needs: ['version'],
  may: ['reject'],
  judge: (_, { version: { current, basedOn } }) =>
    basedOn === void 0 || basedOn === current
      ? pass()
      : reject('STALE', `the run is at version ${String(current)}, the wish rests on version ${String(basedOn)}`),
});
// rules/resume-crashed-flow.ts
/**
 * | a worker can find it | resumed so far | opinion                                                                    |
 * | -------------------- | -------------- | -------------------------------------------------------------------------- |
 * | no                   | any            | PASS: whoever starts it again resumes it                                   |
 * | yes                  | 20 times       | PASS: it seems to take its process down with it                            |
 * | yes                  | fewer          | REWRITE to AwaitingResume, due now or when its retry was: the next goes on |
 */
/** A run that has crashed so often is not the victim of its processes, but their end. */
const RESUMES_MAX = 20;
const resumeCrashedFlow = defineRule({
  name: 'resume-crashed-flow',
  summary: 'A flow run whose worker died goes on in the next worker; what it completed is not repeated.',
  on: ['flow'],
  from: ['RUNNING', 'SCHEDULED'],
  to: ['CRASHED'],
  needs: ['resume'],
  may: ['rewrite'],
  judge: ({ from, to }, { resume, nowMs }) => {
    if (!resume.byWorker) return pass();
    if (resume.used >= RESUMES_MAX) return pass(void 0, `it was resumed ${String(resume.used)} times already`);
    const why = to.message ?? 'its process died';
    const dueAtMs = from?.type === 'SCHEDULED' && from.dueAtMs > nowMs ? from.dueAtMs : nowMs;
    return rewrite(
      {
        type: 'SCHEDULED',
        name: 'AwaitingResume',
        dueAtMs,
        message: why,
      },
      why,
    );
  },
});
// rules/retry.ts
/** What retrying a task and retrying a flow have in common: the next attempt's time. Not a rule. */
/** A failure becomes a later attempt, or stands. */
function retryOpinion(to, { retry, chance, nowMs }) {
  if (to.type !== 'FAILED' || retry.retriesMax === 0) return pass();
  if (to.retriable === false) return pass(void 0, 'the error is not worth another attempt');
  if (retry.used >= retry.retriesMax) return pass(void 0, `all ${String(retry.retriesMax)} retries are used`);
  const delayMs = delayOf(retry, chance);
  const scheduled = {
    type: 'SCHEDULED',
    name: 'AwaitingRetry',
    dueAtMs: later(nowMs, delayMs),
    ...(to.message === void 0 ? {} : { message: to.message }),
    ...(to.error === void 0 ? {} : { error: to.error }),
  };
  const nth = `retry ${String(retry.used + 1)} of ${String(retry.retriesMax)} in ${String(delayMs)} ms`;
  return rewrite(scheduled, to.message === void 0 ? nth : `${nth}, after: ${to.message.slice(0, 200)}`);
}
/** The listed delay of this retry, the last one for all after it; stretched by chance, so that what failed together does not come back together. */
function delayOf({ used, delaysMs, jitter }, chance) {
  const base = delaysMs[Math.min(used, delaysMs.length - 1)] ?? 0;
  return Math.round(base * (1 + jitter * chance));
}
// rules/retry-failed-flow.ts
/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 *
 * The flow function then runs again from the top; its completed tasks are reused, its failed ones run again.
 */
const retryFailedFlow = defineRule({
  name: 'retry-failed-flow',
  summary: 'A failed flow run is tried again while its retry budget lasts, keeping what its tasks completed.',
  on: ['flow', 'subflow'],
  from: ['RUNNING'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite'],
  judge: ({ to }, facts) => retryOpinion(to, facts),
});
// rules/retry-failed-task.ts
/**
 * | the failure is | retries granted  | opinion                                                          |
 * | -------------- | ---------------- | ---------------------------------------------------------------- |
 * | not retriable  | any              | PASS: the failure stands                                         |
 * | retriable      | all of them      | PASS: the budget is spent                                        |
 * | retriable      | fewer            | REWRITE to AwaitingRetry, due after the delay, stretched by chance |
 */
const retryFailedTask = defineRule({
  name: 'retry-failed-task',
  summary: 'A failed attempt of a task becomes a later attempt while the retry budget lasts.',
  on: ['task'],
  from: ['RUNNING'],
  to: ['FAILED'],
  needs: ['retry', 'chance'],
  may: ['rewrite'],
  judge: ({ to }, facts) => retryOpinion(to, facts),
});
// rules/reuse-completed-task.ts
/**
 * | the call's run is | in this round of its flow run | opinion                                              |
 * | ----------------- | ----------------------------- | ---------------------------------------------------- |
 * | COMPLETED         | or any before                 | REWRITE to the recorded completion: it does not run  |
 * | FAILED            | yes                           | REWRITE to the recorded failure: it was final        |
 * | FAILED            | before                        | PASS: the flow run began anew to try again           |
 *
 * This rule is what makes execution durable: a flow function that is run again meets its earlier calls here.
 */
const reuseCompletedTask = defineRule({
  name: 'reuse-completed-task',
  summary: 'A call that has ended before is answered with its recorded outcome instead of being run again.',
  on: ['task', 'subflow'],
  from: ['COMPLETED', 'FAILED'],
  to: ['RUNNING'],
  needs: ['flow', 'ran'],
  may: ['rewrite'],
  judge: ({ from }, { flow, ran }) => {
    if (from === void 0) return pass();
    if (from.type === 'COMPLETED') return rewrite(from, 'this call has completed before');
    return flow?.round === ran?.round ? rewrite(from, 'this call has failed for good before') : pass();
  },
});
// rules/stopped-flow-starts-no-task.ts
/**
 * | the enclosing flow run is | opinion                                       |
 * | ------------------------- | --------------------------------------------- |
 * | RUNNING                   | PASS                                          |
 * | PAUSED                    | HOLD until it moves                           |
 * | anything else             | REJECT FLOW_NOT_RUNNING                       |
 *
 * It governs every way to begin, and not only RUNNING: a call that is put under a flow run that has ended would never end.
 */
const stoppedFlowStartsNoTask = defineRule({
  name: 'stopped-flow-starts-no-task',
  summary: 'Only a running flow run starts tasks and flow runs of its own.',
  on: ['task', 'subflow'],
  from: FROM_ANY,
  to: ['SCHEDULED', 'PENDING', 'RUNNING'],
  needs: ['flow'],
  may: ['reject', 'hold'],
  judge: ({ from, to }, { flow }) => {
    if (from !== void 0 && to.type !== 'RUNNING') return pass();
    if (flow?.type === 'RUNNING') return pass();
    if (flow?.type === 'PAUSED') return hold({ type: 'FLOW' }, 'the flow run is paused');
    return reject('FLOW_NOT_RUNNING', flow === void 0 ? 'its flow run is unknown' : `its flow run is ${flow.type}`);
  },
});
// rules/take-slots.ts
/**
 * | of the named limits                                  | opinion                                            |
 * | ---------------------------------------------------- | -------------------------------------------------- |
 * | none is asked for, or none of them is set            | PASS                                               |
 * | one has fewer slots in all than are asked for        | REJECT NEVER_FITS (HOLD when it has none at all)   |
 * | one could be freed by an ancestor alone: for this    | REJECT DEADLOCK                                    |
 * | run, or for one that waits before it                 |                                                    |
 * | one is full, or others wait for it already           | HOLD until the slots are free                      |
 * | all have room                                        | PASS, and CLAIM the slots: all of them or none     |
 */
const takeSlots = defineRule({
  name: 'take-slots',
  summary: 'A run starts only with a slot of every named limit that it asks for, in order of priority, then of asking.',
  on: ['flow', 'subflow', 'task'],
  from: FROM_ANY,
  to: ['RUNNING'],
  needs: ['slots'],
  may: ['reject', 'hold'],
  judge: (_, { slots }) => {
    const set = slots.filter((slot) => slot.slotsMax !== void 0);
    if (set.length === 0) return pass();
    const never = set.find((slot) => slot.slotsMax !== 0 && slot.wanted > roomOf(slot));
    if (never !== void 0)
      return reject(
        'NEVER_FITS',
        `${String(never.wanted)} slots of '${never.limit}' are asked for, it has ${String(never.slotsMax)}`,
      );
    const stuck = set.find(isStuck);
    if (stuck !== void 0)
      return reject('DEADLOCK', `the slots of '${stuck.limit}' are held by a run that waits for this one`);
    const full = set.find((slot) => slot.ahead > 0 || slot.used + slot.wanted > roomOf(slot));
    if (full !== void 0)
      return hold(
        {
          type: 'SLOTS',
          limits: set.map(wishOf),
        },
        reasonOf(full),
      );
    return pass([
      {
        type: 'SLOTS',
        slots: set.map(wishOf),
      },
    ]);
  },
});
const isStuck = (slot) =>
  slot.heldByAncestors > 0 && Math.max(slot.wanted, slot.wantedAhead) + slot.heldByAncestors > roomOf(slot);
const roomOf = (slot) => slot.slotsMax ?? 0;
const wishOf = (slot) => ({
  limit: slot.limit,
  slots: slot.wanted,
});
const reasonOf = (slot) =>
  `${String(slot.used)} of ${String(roomOf(slot))} slots of '${slot.limit}' are taken, ${String(slot.ahead)} wait before it`;
// rules/wait-for-due-time.ts
/**
 * | the run is due  | opinion                |
 * | --------------- | ---------------------- |
 * | now or earlier  | PASS                   |
 * | later           | HOLD until it is due   |
 */
const waitForDueTime = defineRule({
  name: 'wait-for-due-time',
  summary: 'A scheduled run does not start before it is due.',
  on: ['flow', 'subflow', 'task'],
  from: ['SCHEDULED'],
  to: ['PENDING', 'RUNNING'],
  needs: [],
  may: ['hold'],
  judge: ({ from }, { nowMs }) => {
    if (from?.type !== 'SCHEDULED' || from.dueAtMs <= nowMs) return pass();
    return hold(
      {
        type: 'TIME',
        dueAtMs: from.dueAtMs,
      },
      `due in ${String(from.dueAtMs - nowMs)} ms`,
    );
  },
});
const corePolicies = {
  flow: {
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
  },
  subflow: {
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
  },
  task: {
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
  },
};
export { corePolicies as policies };
