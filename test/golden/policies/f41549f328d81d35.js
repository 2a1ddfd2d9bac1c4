'use strict';
var __assentPolicy = (() => {
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

//
  var policy_entry_exports = {};
  __export(policy_entry_exports, {
    format: () => format,
    policies: () => policies
  });

//
  var later = (at, delayMs) => at + delayMs;

//
  function defineRule(definition) {
    return definition;
  }
  var PASS = { type: "PASS" };
  var pass = (claims, why) => claims === void 0 && why === void 0 ? PASS : { type: "PASS", ...claims === void 0 ? {} : { claims }, ...why === void 0 ? {} : { why } };
  var rewrite = (to, why) => ({ type: "REWRITE", to, why });
  var reject = (code, why) => ({ type: "REJECT", code, why });
  var hold = (waits, why) => ({ type: "HOLD", waits, why });

//
  var STATE_TYPES = [
    "SCHEDULED",
    "PENDING",
    "RUNNING",
    "PAUSED",
    "CANCELLING",
    "COMPLETED",
    "FAILED",
    "CRASHED",
    "CANCELLED"
  ];
  var TERMINAL_TYPES = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"];
  var isTerminal = (state) => state !== void 0 && TERMINAL_TYPES.includes(state.type);

//
  var ANY_STATE = STATE_TYPES;
  var FROM_ANY = ["NONE", ...STATE_TYPES];
  var TERMINAL = TERMINAL_TYPES;

//
  var boundCancelling = defineRule({
    name: "bound-cancelling",
    summary: "A cancelled run that does not end by itself is ended when its grace is over.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ["CANCELLING"],
    needs: ["graceMs"],
    may: [],
    judge: (_, { graceMs, nowMs }) => pass([{ type: "TIMER", timer: "grace", dueAtMs: later(nowMs, graceMs) }])
  });

//
  var boundPause = defineRule({
    name: "bound-pause",
    summary: "A paused run that nobody resumes in time fails.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ["PAUSED"],
    needs: [],
    may: [],
    judge: ({ to }) => to.type === "PAUSED" && to.timeoutAtMs !== void 0 ? pass([{ type: "TIMER", timer: "pause", dueAtMs: to.timeoutAtMs }]) : pass()
  });

//
  var cancelIdleRuns = defineRule({
    name: "cancel-idle-runs",
    summary: "Cancelling a run that no process works on ends it at once.",
    on: ["flow", "subflow", "task", "background"],
    from: ["NONE", "SCHEDULED", "PENDING", "PAUSED"],
    to: ["CANCELLING"],
    needs: ["inHands"],
    may: ["rewrite"],
    judge: ({ from, to }, { inHands }) => {
      if (from?.type === "PAUSED" && from.suspended !== true && inHands) return pass();
      return rewrite(
        { type: "CANCELLED", name: "Cancelled", ...to.message === void 0 ? {} : { message: to.message } },
        `the run was ${from?.name ?? "not there"}: nothing has to be stopped`
      );
    }
  });

//
  var LATE = "Late";
  var markLateOnce = defineRule({
    name: "mark-late-once",
    summary: "Only a scheduled run can be late, and it is marked so once.",
    on: ["flow", "subflow", "background"],
    from: FROM_ANY,
    to: ["SCHEDULED"],
    needs: [],
    may: ["reject"],
    judge: ({ from, to }) => {
      if (to.name !== LATE || from === void 0) return pass();
      if (from.type !== "SCHEDULED") return reject("NOT_SCHEDULED", `the run is ${from.name}, which cannot be late`);
      return from.name === LATE ? reject("DUPLICATE", "the run is marked late already") : pass();
    }
  });

//
  var roomOf = (slot) => slot.slotsMax ?? 0;
  function usedOf({ rate, used }, nowMs) {
    return rate === void 0 ? used : Math.ceil(Math.max(0, rate.emptyAtMs - nowMs) / rate.everyMs);
  }
  var fits = (slot, nowMs) => usedOf(slot, nowMs) + slot.wanted <= roomOf(slot);
  var isHolder = ({ mine = 0, wanted }) => mine >= wanted;
  var isFull = (slot, nowMs) => slot.slotsMax !== void 0 && !isHolder(slot) && (slot.ahead > 0 || !fits(slot, nowMs));
  function roomAtMs(slot) {
    const { rate, wanted } = slot;
    const room = roomOf(slot);
    if (rate === void 0 || wanted > room) return void 0;
    let atMs = Math.ceil(rate.emptyAtMs - (room - wanted) * rate.everyMs);
    for (let more = 1; Number.isFinite(atMs) && !fits(slot, atMs); more *= 2) atMs = later(atMs, more);
    return atMs;
  }

//
  var cancelLateWhenFull = defineRule({
    name: "cancel-late-when-full",
    summary: "A late run whose limit is full and cancels what is new is cancelled.",
    on: ["flow", "background"],
    from: ["SCHEDULED"],
    to: ["SCHEDULED"],
    needs: ["slots"],
    may: ["rewrite"],
    judge: ({ to }, { slots, nowMs }) => {
      if (to.name !== LATE) return pass();
      const full = slots.find((slot) => slot.onFull === "cancel-new" && isFull(slot, nowMs));
      return full === void 0 ? pass() : rewrite(
        { type: "CANCELLED", name: "Cancelled", message: `the limit '${full.limit}' was full` },
        `the limit '${full.limit}' is full and cancels what is new`
      );
    }
  });

//
  var enforceTimeout = defineRule({
    name: "enforce-timeout",
    summary: "An attempt that runs for longer than its time-out fails, whether or not its process notices.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ["RUNNING"],
    needs: ["timeoutMs"],
    may: [],
    judge: (_, { timeoutMs, nowMs }) => timeoutMs === void 0 ? pass() : pass([{ type: "TIMER", timer: "timeout", dueAtMs: later(nowMs, timeoutMs) }])
  });

//
  var finishCancelling = defineRule({
    name: "finish-cancelling",
    summary: "A run that ends while it is being cancelled is cancelled, whatever it says of itself.",
    on: ["flow", "subflow", "task", "background"],
    from: ["CANCELLING"],
    to: ["FAILED", "COMPLETED", "CRASHED"],
    needs: [],
    may: ["rewrite"],
    judge: ({ to }) => rewrite(cancelledWith(to), `it was being cancelled when it ${to.type.toLowerCase()}`)
  });
  function cancelledWith(to) {
    return {
      type: "CANCELLED",
      name: "Cancelled",
      ...to.type === "COMPLETED" && to.result !== void 0 ? { result: to.result } : {},
      ...(to.type === "FAILED" || to.type === "CRASHED") && to.error !== void 0 ? { error: to.error } : {}
    };
  }

//
  var failAsCancelled = defineRule({
    name: "fail-as-cancelled",
    summary: "A call that fails while its flow run is being cancelled is cancelled too, and not retried.",
    on: ["task", "subflow"],
    from: ["RUNNING", "PAUSED"],
    to: ["FAILED"],
    needs: ["flow", "cleanup"],
    may: ["rewrite"],
    judge: ({ to }, { flow: flow2, cleanup }) => flow2?.type === "CANCELLING" && cleanup !== true ? rewrite(cancelledWith(to), "its flow run is being cancelled") : pass()
  });

//
  var fenceStaleExecutions = defineRule({
    name: "fence-stale-executions",
    summary: "Only the process that a run was handed to last may speak for it.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ANY_STATE,
    needs: ["execution"],
    may: ["reject"],
    judge: ({ kind, report, by }, { execution: { current, asked } }) => {
      if (asked === current) return pass();
      if (asked !== void 0) {
        return reject("FENCED", `execution ${String(current)} is current, this was asked by execution ${String(asked)}`);
      }
      if (by === "engine" || kind !== "task" && !report) return pass();
      return reject("FENCED", "it was asked in the name of no execution");
    }
  });

//
  var followLifecycle = defineRule({
    name: "follow-lifecycle",
    summary: "A run goes only from where it is to where that can lead.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ANY_STATE,
    needs: ["execution", "flow", "ran"],
    may: ["reject"],
    judge: ({ from, to, kind, claim }, { execution, flow: flow2, ran }) => {
      const isRoot = kind === "flow" || kind === "background";
      const sameTry = ran?.execution === execution.current && ran.round === flow2?.round;
      const again = from?.type === to.type && (to.type === "RUNNING" || to.type === "CANCELLING");
      if (again && (to.type === "CANCELLING" || isRoot || sameTry)) {
        return reject("DUPLICATE", `the run is ${to.type} already`);
      }
      if (from?.type === "CANCELLING" && !isTerminal(to)) {
        return reject("NOT_IN_LIFECYCLE", `CANCELLING cannot become ${to.type}`);
      }
      const waitsInProcess = from?.type === "PAUSED" && from.suspended !== true;
      if (isRoot && to.type === "RUNNING" && !claim && !waitsInProcess) {
        return reject("NOT_IN_LIFECYCLE", "it starts by the claim of a process that executes it");
      }
      if (kind === "subflow" && to.type === "RUNNING" && execution.asked === void 0 && !waitsInProcess) {
        return reject("NOT_IN_LIFECYCLE", "it starts by the process that executes its flow run");
      }
      return pass();
    }
  });

//
  var keepDueTime = defineRule({
    name: "keep-due-time",
    summary: "A run that is handed out early keeps the time that it is due at.",
    on: ["flow", "subflow", "task", "background"],
    from: ["SCHEDULED", "PENDING"],
    to: ["PENDING"],
    needs: [],
    may: ["rewrite", "hold"],
    judge: ({ from, to, by }, { nowMs }) => {
      const dueAtMs = from?.type === "SCHEDULED" || from?.type === "PENDING" ? from.dueAtMs : void 0;
      if (dueAtMs === void 0 || to.type !== "PENDING") return pass();
      if (to.dueAtMs !== void 0 && (by !== "engine" || to.dueAtMs >= dueAtMs)) return pass();
      if (by === "engine" && dueAtMs > nowMs) return hold({ type: "TIME", dueAtMs }, "it was put off");
      return rewrite({ ...to, dueAtMs }, "it keeps the time that it is due at");
    }
  });

//
  var keepPendingClaim = defineRule({
    name: "keep-pending-claim",
    summary: "Of several workers that want the same run, the first has it.",
    on: ["flow", "subflow", "background"],
    from: ["PENDING", "RUNNING", "CANCELLING", "CANCELLED"],
    to: ["PENDING"],
    needs: [],
    may: ["reject"],
    judge: ({ from, to, by }) => {
      if (from?.type === "PENDING") {
        if (by === "engine") return pass();
        if (to.name !== from.name && to.name !== "Pending") return pass();
      }
      return reject("ALREADY_PENDING", `the run is ${from?.name ?? "not there"} already`);
    }
  });

//
  var keepResults = defineRule({
    name: "keep-results",
    summary: "Not even an override loses the result of a completed run by completing it again.",
    on: ["flow", "subflow", "task", "background"],
    from: ["COMPLETED"],
    to: ["COMPLETED"],
    needs: [],
    may: ["reject"],
    judge: ({ from, to }) => {
      const had = from?.type === "COMPLETED" && from.result !== void 0;
      const has = to.type === "COMPLETED" && to.result !== void 0;
      return had && !has ? reject("RESULT_KEPT", `the run ended as ${from.name}, with a result`) : pass();
    }
  });

//
  var NEVER_AFTER_THE_END = ["CANCELLING", "PAUSED", "CRASHED"];
  var keepTerminalStates = defineRule({
    name: "keep-terminal-states",
    summary: "A run that has ended stays ended, unless it is resumed, called again, or somebody says why not.",
    on: ["flow", "subflow", "task", "background"],
    from: TERMINAL,
    to: ANY_STATE,
    needs: ["execution", "flow", "ran", "resume"],
    may: ["reject"],
    judge: ({ kind, from, to, asked = to.type, stays, claim, report, reason, redo }, { execution, flow: flow2, ran, resume }) => {
      if (from === void 0 || stays === true) return pass();
      const ended = reject("ALREADY_ENDED", `the run ended as ${from.name}`);
      if (report || NEVER_AFTER_THE_END.includes(asked)) return ended;
      const isRoot = kind === "flow" || kind === "background";
      if (asked === "RUNNING") {
        const isLater = ran?.execution !== execution.current || ran.round !== flow2?.round;
        if (!isRoot && execution.asked !== void 0 && isLater) return pass();
        if (isRoot && claim && (from.type === "CRASHED" || from.type === "FAILED")) return pass();
      }
      const isRedone = redo === true && reason !== void 0 && (asked === "RUNNING" || asked === "SCHEDULED");
      if (from.type === "COMPLETED" && from.result !== void 0 && !isRedone) {
        return reject("RESULT_KEPT", `the run ended as ${from.name}, with a result`);
      }
      if (isRoot && asked === "SCHEDULED" && !resume.byWorker) {
        return reject("NO_WORKER", "no worker could find it: start it again where it was started");
      }
      return reason === void 0 ? ended : pass(void 0, `${from.name} is left: ${reason.slice(0, 200)}`);
    }
  });

//
  var pauseRunningFlow = defineRule({
    name: "pause-running-flow",
    summary: "Only a running flow run can be paused, each of its pauses fires once an attempt.",
    on: ["flow", "subflow"],
    from: FROM_ANY,
    to: ["PAUSED"],
    needs: ["pauses", "resume"],
    may: ["reject"],
    judge: ({ from, to, kind, asked }, { pauses, resume }) => {
      if (to.type !== "PAUSED" || asked === "CRASHED") return pass();
      const what = to.suspended === true ? "suspended" : "paused";
      if (from?.type !== "RUNNING") return reject("NOT_RUNNING", `only a running flow run can be ${what}`);
      if (to.key !== void 0 && pauses.includes(to.key)) {
        return reject("PAUSE_FIRED", `the pause '${to.key}' has fired in this attempt`);
      }
      if (to.suspended === true && kind === "subflow") {
        return reject("NO_WORKER", "a subflow has no process of its own that could end: suspend the flow run at the top");
      }
      if (to.suspended === true && !resume.byWorker) {
        return reject("NO_WORKER", "no worker could find it to go on with it: pause it instead, or serve the flow");
      }
      return pass();
    }
  });

//
  var DIGITS = 12;
  var refuseDivergentCalls = defineRule({
    name: "refuse-divergent-calls",
    summary: "A flow run that is executed again makes the calls that it made before, where it promised to.",
    on: ["task", "subflow"],
    from: FROM_ANY,
    to: ["SCHEDULED", "PENDING", "RUNNING"],
    needs: ["call"],
    may: ["reject"],
    judge: (_, { call }) => {
      if (call === void 0) return pass();
      const { key, inputs, recorded, expected } = call;
      if (recorded !== void 0 && recorded.inputs !== inputs) {
        return reject(
          "DIVERGED",
          `call '${key}' was made with ${inputsText(recorded.inputs)}, and is made now with ${inputsText(inputs)}`
        );
      }
      if (recorded !== void 0 || expected === void 0) return pass();
      return reject(
        "DIVERGED",
        `expected was call '${expected.key}' (${expected.run}), as before; made was a new call, '${key}'`
      );
    }
  });
  var inputsText = (digest) => digest === void 0 ? "inputs without a digest" : `inputs ${digest.slice(0, DIGITS)}`;

//
  var rejectStaleWishes = defineRule({
    name: "reject-stale-wishes",
    summary: "A wish that rests on an older version of the run is refused.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ANY_STATE,
    needs: ["version"],
    may: ["reject"],
    judge: (_, { version: { current, basedOn } }) => basedOn === void 0 || basedOn === current ? pass() : reject("STALE", `the run is at version ${String(current)}, the wish rests on version ${String(basedOn)}`)
  });

//
  var RECEIVED = "Received";
  var receiveMessage = defineRule({
    name: "receive-message",
    summary: "A call that waits for a message or an event ends with it, or when its time is over.",
    on: ["task"],
    from: FROM_ANY,
    to: ["RUNNING"],
    needs: ["message"],
    may: ["rewrite", "hold"],
    judge: (_, { message, nowMs }) => {
      if (message === void 0) return pass();
      const { mailbox, topic, untilMs, first } = message;
      if (first !== void 0) {
        const { id, value } = first;
        return rewrite(
          { type: "COMPLETED", name: RECEIVED, ...value === void 0 ? {} : { result: value } },
          `the message of ruling ${id} was there for it`
        );
      }
      if (untilMs !== void 0 && untilMs <= nowMs) {
        return rewrite(
          { type: "FAILED", name: "TimedOut", message: "nothing came in time", retriable: false },
          "the time that it waits for is over"
        );
      }
      const until = untilMs === void 0 ? {} : { untilMs };
      const heard = topic === void 0 ? {} : { topic };
      return hold({ type: "MESSAGE", mailbox, ...heard, ...until }, "nothing has come for it yet");
    }
  });

//
  var renameReruns = defineRule({
    name: "rename-reruns",
    summary: "A call that runs again is named for it: a retry, or a rerun.",
    on: ["task", "background"],
    from: FROM_ANY,
    to: ["RUNNING"],
    needs: ["attempt", "flow", "ran"],
    may: ["rewrite"],
    judge: ({ from, to }, { attempt, flow: flow2, ran }) => {
      if (from === void 0) return pass();
      const isEarlierRound = isTerminal(from) && ran !== void 0 && flow2 !== void 0 && ran.round < flow2.round;
      const runsBefore = isTerminal(from) ? 0 : attempt;
      if (runsBefore === 0 && !isEarlierRound) return pass();
      const name = from.name === "AwaitingRetry" || isEarlierRound ? "Retrying" : "Rerunning";
      return to.name === name ? pass() : rewrite({ ...to, name }, `it has run ${attempt === 1 ? "once" : `${String(attempt)} times`} before`);
    }
  });

//
  var requireReason = defineRule({
    name: "require-reason",
    summary: "Whoever overrides the rules says why.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ANY_STATE,
    needs: [],
    may: ["reject"],
    judge: ({ reason }) => reason === void 0 || reason.trim() === "" ? reject("REASON_NEEDED", "an override says why") : pass()
  });

//
  var RESUMES_MAX = 20;
  var resumeCrashedFlow = defineRule({
    name: "resume-crashed-flow",
    summary: "A flow run whose worker died goes on in the next worker; what it completed is not repeated.",
    on: ["flow", "background"],
    from: ["RUNNING", "SCHEDULED", "PAUSED"],
    to: ["CRASHED"],
    needs: ["resume"],
    may: ["rewrite"],
    judge: ({ from, to }, { resume, nowMs }) => {
      if (!resume.byWorker) return pass();
      if (resume.used >= RESUMES_MAX) return pass(void 0, `it was resumed ${String(resume.used)} times already`);
      const why = to.message ?? "its process died";
      if (from?.type === "PAUSED") return rewrite({ ...from, name: "Suspended", suspended: true }, why);
      const dueAtMs = from?.type === "SCHEDULED" && from.dueAtMs > nowMs ? from.dueAtMs : nowMs;
      return rewrite({ type: "SCHEDULED", name: "AwaitingResume", dueAtMs, message: why }, why);
    }
  });

//
  var resumePausedFlow = defineRule({
    name: "resume-paused-flow",
    summary: "A paused flow run goes on while its pause lasts, where somebody can go on with it.",
    on: ["flow", "subflow", "background"],
    from: ["PAUSED"],
    to: ["SCHEDULED", "PENDING", "RUNNING", "PAUSED"],
    needs: ["resume", "inHands"],
    may: ["reject", "rewrite"],
    judge: ({ from, to, kind, claim, asked }, { resume, inHands, nowMs }) => {
      if (from?.type !== "PAUSED" || asked !== void 0 && asked !== to.type) return pass();
      if (to.type === "PENDING" || to.type === "PAUSED") {
        return reject("NOT_RESUMABLE", `a paused run cannot become ${to.type}`);
      }
      if (to.type === "RUNNING" && !claim && !inHands) {
        return reject("NOT_RESUMABLE", "no process has it in its hands to go on with it");
      }
      if (from.suspended === true && kind === "flow" && !resume.byWorker) {
        return reject("NO_WORKER", `no worker could find the ${from.name.toLowerCase()} run to go on with it`);
      }
      if (from.timeoutAtMs === void 0 || from.timeoutAtMs > nowMs) return pass();
      return rewrite(neverResumed(from.suspended === true), "its pause has timed out and can no longer be resumed");
    }
  });
  var neverResumed = (suspended) => ({
    type: "FAILED",
    name: "Failed",
    message: `the flow run was ${suspended ? "suspended" : "paused"} and never resumed`,
    retriable: false
  });

//
  var CACHED = "Cached";
  var retrieveCachedResult = defineRule({
    name: "retrieve-cached-result",
    summary: "A call whose result is kept is answered with it instead of being run.",
    on: ["task", "background"],
    from: FROM_ANY,
    to: ["RUNNING"],
    needs: ["cache", "ran"],
    may: ["rewrite"],
    judge: (_, { cache, ran, nowMs }) => {
      if (cache?.entry === void 0 || cache.refresh === true || ran?.redo === true) return pass();
      const { run, result, expiresAtMs } = cache.entry;
      if (expiresAtMs !== void 0 && expiresAtMs <= nowMs) return pass(void 0, "the kept result has expired");
      return rewrite(
        { type: "COMPLETED", name: CACHED, ...result === void 0 ? {} : { result } },
        `run ${run} has computed it`
      );
    }
  });

//
  var AWAITING_RETRY = "AwaitingRetry";
  var isSuspended = (from) => from?.type === "PAUSED" && from.suspended === true;
  function retryOpinion({ from, to, report }, { retry, chance, nowMs }) {
    if (isSuspended(from)) return pass();
    if (from?.type === "SCHEDULED") {
      const isOver = report && from.name === AWAITING_RETRY;
      return isOver ? reject("STALE", "the attempt that failed is over already, and another one is due") : pass();
    }
    if (to.type !== "FAILED" || retry.retriesMax === 0) return pass();
    if (to.retriable === false) return pass(void 0, "the error is not worth another attempt");
    if (retry.used >= retry.retriesMax) return pass(void 0, usedUp(retry.retriesMax));
    const delayMs = delayOf(retry, chance);
    const scheduled = {
      type: "SCHEDULED",
      name: AWAITING_RETRY,
      dueAtMs: later(nowMs, delayMs),
      ...to.message === void 0 ? {} : { message: to.message },
      ...to.error === void 0 ? {} : { error: to.error }
    };
    const nth = `retry ${String(retry.used + 1)} of ${String(retry.retriesMax)} in ${String(delayMs)} ms`;
    return rewrite(scheduled, to.message === void 0 ? nth : `${nth}, after: ${to.message.slice(0, 200)}`);
  }
  var usedUp = (retriesMax) => retriesMax === 1 ? "its one retry is used" : `all ${String(retriesMax)} retries are used`;
  function delayOf({ used, delaysMs, jitter }, chance) {
    const base = delaysMs[Math.min(used, delaysMs.length - 1)] ?? 0;
    return Math.round(base * (1 + jitter * chance));
  }

//
  var retryFailedFlow = defineRule({
    name: "retry-failed-flow",
    summary: "A failed flow run is tried again while its retry budget lasts, keeping what its tasks completed.",
    on: ["flow", "subflow"],
    from: ["RUNNING", "PAUSED", "SCHEDULED"],
    to: ["FAILED"],
    needs: ["retry", "chance"],
    may: ["rewrite", "reject"],
    judge: (transition, facts) => retryOpinion(transition, facts)
  });

//
  var retryFailedTask = defineRule({
    name: "retry-failed-task",
    summary: "A failed attempt of a task becomes a later attempt while the retry budget lasts.",
    on: ["task", "background"],
    from: ["RUNNING", "PAUSED", "SCHEDULED"],
    to: ["FAILED"],
    needs: ["retry", "chance"],
    may: ["rewrite", "reject"],
    judge: (transition, facts) => retryOpinion(transition, facts)
  });

//
  var reuseCompletedTask = defineRule({
    name: "reuse-completed-task",
    summary: "A call that has ended before is answered with its recorded outcome instead of being run again.",
    on: ["task", "subflow"],
    from: ["COMPLETED", "FAILED"],
    to: ["RUNNING"],
    needs: ["flow", "ran"],
    may: ["rewrite"],
    judge: ({ from, reason }, { flow: flow2, ran }) => {
      const hasResult = from?.type === "COMPLETED" && from.result !== void 0;
      if (from === void 0 || ran?.redo === true || reason !== void 0 && !hasResult) return pass();
      if (from.type === "COMPLETED") return rewrite(from, "this call has completed before");
      return flow2?.round === ran?.round ? rewrite(from, "this call has failed for good before") : pass();
    }
  });

//
  var stoppedFlowStartsNoTask = defineRule({
    name: "stopped-flow-starts-no-task",
    summary: "Only a running flow run starts tasks and flow runs of its own.",
    on: ["task", "subflow"],
    from: FROM_ANY,
    to: ["SCHEDULED", "PENDING", "RUNNING", "PAUSED"],
    needs: ["flow", "cleanup"],
    may: ["reject", "hold"],
    judge: ({ from, to }, { flow: flow2, cleanup }) => {
      const begins = from === void 0 || isTerminal(from) || to.type === "RUNNING";
      if (!begins) return pass();
      if (flow2?.type === "RUNNING") return pass();
      if (flow2?.type === "CANCELLING" && cleanup === true) return pass();
      if (flow2?.type === "PAUSED") return hold({ type: "FLOW" }, "the flow run is paused");
      return reject("FLOW_NOT_RUNNING", flow2 === void 0 ? "its flow run is unknown" : `its flow run is ${flow2.type}`);
    }
  });

//
  var storeCachedResult = defineRule({
    name: "store-cached-result",
    summary: "The result of a call with a cache key is kept for calls that come later.",
    on: ["task", "background"],
    from: FROM_ANY,
    to: ["COMPLETED"],
    needs: ["cache"],
    may: [],
    judge: ({ to, stays }, { cache, nowMs }) => {
      if (cache === void 0 || to.name === CACHED || stays === true) return pass();
      const { key, ttlMs } = cache;
      return pass([{ type: "CACHE", key, ...ttlMs === void 0 ? {} : { expiresAtMs: later(nowMs, ttlMs) } }]);
    }
  });

//
  var CACHE_KEY_LIMIT = "cache-key";

//
  var takeSlots = defineRule({
    name: "take-slots",
    summary: "A run starts only with a slot of every named limit that it asks for, in order of priority, then of asking.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ["PENDING", "RUNNING"],
    needs: ["slots", "attempt"],
    may: ["rewrite", "reject", "hold"],
    judge: ({ from, to, reason }, { slots, attempt, nowMs }) => {
      const set = slots.filter((slot) => slot.slotsMax !== void 0 && (to.type === "RUNNING" || slot.from === to.type));
      if (set.length === 0) return pass();
      const lacking = set.filter((slot) => !isHolder(slot));
      const never = lacking.find((slot) => slot.slotsMax !== 0 && slot.wanted > roomOf(slot));
      if (never !== void 0) {
        return reject(
          "NEVER_FITS",
          `${String(never.wanted)} slots of ${nameOf(never)} are asked for, it has ${String(never.slotsMax)}`
        );
      }
      const stuck = lacking.find(isStuck);
      if (stuck !== void 0) {
        return reject("DEADLOCK", `the slots of ${nameOf(stuck)} are held by a run that waits for this one`);
      }
      const full = lacking.filter((slot) => isFull(slot, nowMs));
      const isNew = attempt === 0 && (!isTerminal(from) || reason !== void 0);
      return full.length === 0 ? pass([{ type: "SLOTS", slots: set.map(wishOf) }]) : whenFull(full, set, { isNew, nowMs });
    }
  });
  function whenFull(full, set, { isNew, nowMs }) {
    const closed = isNew ? full.find(({ onFull }) => onFull === "cancel-new") : void 0;
    if (closed !== void 0) {
      const message = `the limit ${nameOf(closed)} was full`;
      return rewrite({ type: "CANCELLED", name: "Cancelled", message }, reasonOf(closed, nowMs));
    }
    const evict = evictionsFor(full, nowMs);
    const untilMs = Math.max(...full.map((slot) => slot.ahead > 0 ? 0 : roomAtMs(slot) ?? 0));
    return hold(
      {
        type: "SLOTS",
        limits: set.map(wishOf),
        ...untilMs > nowMs ? { untilMs } : {},
        ...evict.length === 0 ? {} : { evict }
      },
      reasonsOf(full, nowMs)
    );
  }
  function evictionsFor(full, nowMs) {
    const evict = /* @__PURE__ */ new Set();
    for (const slot of full) {
      const runs = evictions(slot, nowMs);
      if (runs === void 0) return [];
      for (const run of runs) evict.add(run);
    }
    return [...evict];
  }
  function evictions(slot, nowMs) {
    if (slot.onFull !== "cancel-running" || slot.ahead > 0 || slot.slotsMax === 0) return void 0;
    if (fits(slot, nowMs)) return [];
    let missing = slot.used + slot.wanted - roomOf(slot);
    const evict = [];
    for (const { slots, isEnding } of slot.holders ?? []) if (isEnding) missing -= slots;
    for (const { run, slots, isEnding } of slot.holders ?? []) {
      if (missing <= 0) break;
      if (isEnding) continue;
      missing -= slots;
      evict.push(run);
    }
    return missing > 0 ? void 0 : evict;
  }
  var REASONS_SHOWN = 3;
  function reasonsOf(full, nowMs) {
    const shown = full.slice(0, REASONS_SHOWN).map((slot) => reasonOf(slot, nowMs));
    const more = full.length - shown.length;
    return [...shown, ...more > 0 ? [`and ${String(more)} more limits are full`] : []].join("; ");
  }
  var isStuck = (slot) => slot.heldByAncestors > 0 && Math.max(slot.wanted, slot.wantedAhead) + slot.heldByAncestors > roomOf(slot);
  var nameOf = ({ limit, by }) => by === void 0 ? `'${limit}'` : `'${limit}' for '${by}'`;
  var wishOf = ({ limit, wanted, by }) => ({
    limit,
    slots: wanted,
    ...by === void 0 ? {} : { by }
  });
  var reasonOf = (slot, nowMs) => slot.limit === CACHE_KEY_LIMIT ? `another run is computing the same result, ${String(slot.ahead)} wait for it before this one` : `${String(usedOf(slot, nowMs))} of ${String(roomOf(slot))} slots of ${nameOf(slot)} are taken, ${String(slot.ahead)} wait before it`;

//
  var takeReceivedMessage = defineRule({
    name: "take-received-message",
    summary: "What a call has received leaves its mailbox.",
    on: ["task"],
    from: FROM_ANY,
    to: ["COMPLETED"],
    needs: ["message"],
    may: [],
    judge: ({ to, asked, stays }, { message }) => {
      const isReceived = asked === "RUNNING" && to.name === RECEIVED && stays !== true;
      if (!isReceived || message?.first === void 0) return pass();
      return pass([{ type: "MESSAGE", mailbox: message.mailbox, id: message.first.id }]);
    }
  });

//
  var waitForDueTime = defineRule({
    name: "wait-for-due-time",
    summary: "A scheduled run does not start before it is due.",
    on: ["flow", "subflow", "task", "background"],
    from: ["SCHEDULED", "PENDING"],
    to: ["RUNNING"],
    needs: [],
    may: ["hold"],
    judge: ({ from }, { nowMs }) => {
      const dueAtMs = from?.type === "SCHEDULED" || from?.type === "PENDING" ? from.dueAtMs : void 0;
      if (dueAtMs === void 0 || dueAtMs <= nowMs) return pass();
      return hold({ type: "TIME", dueAtMs }, `due in ${String(dueAtMs - nowMs)} ms`);
    }
  });

//
  var wakeSleepingFlow = defineRule({
    name: "wake-sleeping-flow",
    summary: "A flow run that let go of its process for a time goes on when that is over.",
    on: ["flow", "subflow", "task", "background"],
    from: FROM_ANY,
    to: ["PAUSED"],
    needs: [],
    may: [],
    judge: ({ to }) => to.type === "PAUSED" && to.suspended === true && to.wakeAtMs !== void 0 ? pass([{ type: "TIMER", timer: "wake", dueAtMs: to.wakeAtMs }]) : pass()
  });

//
  var flow = {
    name: "flow",
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
      resumeCrashedFlow
    ]
  };
  var subflow = {
    name: "subflow",
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
      retryFailedFlow
    ]
  };
  var task = {
    name: "task",
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
      takeReceivedMessage
    ]
  };
  var background = {
    name: "background",
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
      storeCachedResult
    ]
  };
  var forced = {
    name: "forced",
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
      wakeSleepingFlow
    ]
  };
  var corePolicies = { flow, subflow, task, background, forced };

//
  function completePolicies(given, core = corePolicies) {
    const isRecord = typeof given === "object" && given !== null;
    const parts = isRecord && "parts" in given ? given.parts : { workspace: given };
    const stray = Object.keys(parts).filter((part) => !PARTS.includes(part));
    if (stray.length > 0) throw new Error(`definePolicies knows ${PARTS.join(", ")}, not ${stray.join(", ")}`);
    const workspace = changed(parts.workspace ?? {}, "workspace", core, core);
    const each = (changes = {}, where) => Object.fromEntries(
      Object.entries(changes).map(([name, change]) => [name, changed(change, `${where}.${name}`, core, workspace)])
    );
    return { workspace, flows: each(parts.flows, "flows"), tags: each(parts.tags, "tags") };
  }
  var PARTS = ["workspace", "flows", "tags"];
  function changed(change, where, core, otherwise) {
    const policies2 = typeof change === "function" ? change(core, otherwise) : change;
    if (typeof policies2 !== "object" || policies2 === null || Array.isArray(policies2)) {
      throw new Error(`${where} is no record of policies, and no function that returns one`);
    }
    for (const name of Object.keys(policies2)) {
      if (!(name in core))
        throw new Error(`${where}: there is no policy '${name}', only ${Object.keys(core).join(", ")}`);
    }
    return { ...otherwise, ...policies2 };
  }

//
  var format = 1;
  var policies = completePolicies({});
  return __toCommonJS(policy_entry_exports);
})();
__assentPolicy;
