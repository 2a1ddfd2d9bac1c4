/**
 * What Prefect expects beside what we did, field by field.
 *
 * | Prefect                                  | us                                                                         |
 * | ---------------------------------------- | -------------------------------------------------------------------------- |
 * | ACCEPT as proposed                       | accepted                                                                   |
 * | ACCEPT of a cancel that is under way     | accepted, or rejected as a DUPLICATE: it is under way                      |
 * | ACCEPT with another name or more details | rewritten; accepted, if the change is about what a run has with us         |
 * | REJECT with another state                | rewritten                                                                  |
 * | REJECT without one, ABORT                | rejected; or answered with the state that it is in, so that nothing changes |
 * | WAIT                                     | held: for a time, which is compared; for slots, until there is one          |
 *
 * Not compared: the wording of reasons, ids, lease ids, flags of Prefect's own bookkeeping. In rule mode, what is kept by
 * a rule that the case leaves out (our fold keeps all books at once), and the name that no rule of the case gives.
 */
import { timerKey } from '../../engine/fold/workspace.ts';
import type { Run } from '../../engine/fold/workspace.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import { decidingEntry, type Ruling } from '../../protocol/rulings.ts';
import { DEFAULT_NAMES, isTerminal, type State } from '../../protocol/states.ts';
import type { Expectation, ExpectedRun, ExpectedWorld, PrefectState, PrefectWorld } from './cases.ts';
import type { Stage } from './stage.ts';
import { epochMs, isPersisted, NOW, valueOf } from './translate-state.ts';
import { deploymentLimit, tagLimit, tagLimitsOf } from './translate-world.ts';

export type Difference = { readonly field: string; readonly expected: unknown; readonly actual: unknown };

/** What became of a proposal. `answered`: it was ruled on before, and was not judged again. */
export type Answer = { readonly outcome: Ruling['outcome'] | 'answered'; readonly ruling?: Ruling };

/** A clock that rounds to whole seconds may be off by one. */
const ROUNDING_MS = 1000;

type Check = { readonly field: string; readonly expected: unknown; readonly actual: unknown; readonly same?: boolean };

export const differencesOf = (checks: Iterable<Check>): readonly Difference[] =>
  [...checks]
    .filter(({ expected, actual, same = expected === actual }) => !same)
    .map(({ field, expected, actual }) => ({ field, expected, actual }));

export function checkVerdict(expect: Pick<Expectation, 'verdict' | 'written'>, answer: Answer, stays: boolean): Check {
  const wanted: readonly string[] = isCancelledAgain(answer) ? ['accepted', 'rejected'] : outcomesOf(expect);
  const actual =
    answer.outcome === 'answered' || (answer.outcome === 'rewritten' && stays) ? 'rejected' : answer.outcome;
  return { field: 'verdict', expected: wanted.join(' or '), actual, same: wanted.includes(actual) };
}

/** Whoever wants what is under way already has it, whatever the word for the answer. */
function isCancelledAgain({ ruling }: Answer): boolean {
  if (ruling === undefined || ruling.proposal.kind === 'workspace') return false;
  return ruling.proposal.to.type === 'CANCELLING' && decidingEntry(ruling.trail)?.code === 'DUPLICATE';
}

function outcomesOf({ verdict, written }: Pick<Expectation, 'verdict' | 'written'>): readonly Ruling['outcome'][] {
  switch (verdict) {
    case 'accept':
    case 'nothing':
      return ['accepted'];
    case 'rewrite':
      return ['accepted', 'rewritten'];
    case 'reject':
      return written ? ['rewritten'] : ['rejected'];
    case 'abort':
      return ['rejected'];
    case 'wait':
      return ['held'];
  }
}

/** How long it is to wait. Prefect tells a client when to ask again; with us a slot that becomes free wakes who waits. */
export function* checkWait({ delaySeconds }: Pick<Expectation, 'delaySeconds'>, { ruling }: Answer): Generator<Check> {
  if (ruling?.waits?.type !== 'TIME' || delaySeconds === undefined) return;
  yield checkTime('wait', NOW + delaySeconds * 1000, ruling.waits.dueAtMs);
}

function checkTime(field: string, expected: number | undefined, actual: EpochMs | undefined): Check {
  const same =
    expected === undefined || actual === undefined ? expected === actual : Math.abs(expected - actual) <= ROUNDING_MS;
  return { field, expected: shownTime(expected), actual: shownTime(actual), same };
}

const shownTime = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

/** The state that the run is in afterwards; `null` when it is in none. */
export function* checkState(
  expected: PrefectState | null,
  actual: State | undefined,
  { proposed, range }: { readonly proposed: PrefectState; readonly range?: readonly [string, string] | undefined },
): Generator<Check> {
  yield { field: 'state', expected: expected?.type, actual: actual?.type };
  if (expected === null || actual === undefined || expected.type !== actual.type) return;
  yield { field: 'name', expected: expected.name ?? DEFAULT_NAMES[expected.type], actual: actual.name };
  if (proposed.message) {
    yield { field: 'message', expected: expected.message ?? undefined, actual: actual.message };
  }
  const due = actual.type === 'SCHEDULED' || actual.type === 'PENDING' ? actual.dueAtMs : undefined;
  if (range === undefined) yield checkTime('due', timeOf(expected.details?.scheduledTime), due);
  else {
    const [from, until] = range.map((time) => epochMs(time));
    yield { field: 'due', expected: range.join(' … '), actual: due, same: isWithin(due, from, until) };
  }
  if (actual.type === 'PAUSED') yield* checkPause(expected, actual);
  if (actual.type === 'COMPLETED') {
    const result = isPersisted(expected.data) ? valueOf(expected.data).digest : undefined;
    yield { field: 'result', expected: result, actual: actual.result?.digest };
  }
}

const isWithin = (at: number | undefined, from: number | undefined, until: number | undefined): boolean =>
  at !== undefined &&
  from !== undefined &&
  until !== undefined &&
  at >= from - ROUNDING_MS &&
  at <= until + ROUNDING_MS;

const timeOf = (text: string | null | undefined): EpochMs | undefined => (text ? epochMs(text) : undefined);

function* checkPause({ details }: PrefectState, actual: Extract<State, { type: 'PAUSED' }>): Generator<Check> {
  yield checkTime('pause.timeout', timeOf(details?.pauseTimeout), actual.timeoutAtMs);
  yield { field: 'pause.suspended', expected: details?.pauseReschedule === true, actual: actual.suspended === true };
  if (details?.pauseKey) yield { field: 'pause.key', expected: details.pauseKey, actual: actual.key };
}

/** Which of Prefect's rules keeps a book: in rule mode, only what the case's rules keep is compared. */
const KEEPERS: Readonly<Partial<Record<keyof ExpectedRun, readonly string[]>>> = {
  startTime: ['SetStartTime', 'SetEndTime'],
  endTime: ['SetEndTime'],
  totalRunTime: ['IncrementRunTime'],
  expectedStartTime: ['SetExpectedStartTime'],
  nextScheduledStartTime: ['SetNextScheduledStartTime'],
  flowRunRunCount: ['UpdateFlowRunTrackerOnTasks'],
  pauseKeys: ['HandlePausingFlows', 'HandleFlowTerminalStateTransitions', 'RetryFailedFlows'],
  stateType: ['SetRunStateType'],
  stateName: ['SetRunStateName'],
  resuming: ['RemoveResumingIndicator'],
};

/** Undefined rules: all of them, by a policy. */
const isKept = (field: keyof ExpectedRun, rules: readonly string[] | undefined): boolean =>
  rules === undefined || KEEPERS[field]?.some((name) => rules.includes(name)) === true;

export type Before = {
  readonly state: State | undefined;
  /** What the case gives; a run that did not exist had none of it with us. */
  readonly runCount: number;
};

export type Kept = {
  /** A rule of the case forgets the count of a task that has ended. */
  readonly isCountedAnew: boolean;
  readonly rules: readonly string[] | undefined;
  readonly before: Before;
  readonly proposed: PrefectState;
};

export function* checkRun(expected: ExpectedRun, run: Run | undefined, kept: Kept): Generator<Check> {
  const has = (field: keyof ExpectedRun): boolean => expected[field] !== undefined && isKept(field, kept.rules);
  const time = (field: 'startTime' | 'endTime' | 'expectedStartTime', actual: EpochMs | undefined): Check =>
    checkTime(`run.${field}`, timeOf(expected[field]), actual);
  if (expected.runCount !== undefined) yield checkCount(expected.runCount, run, kept);
  if (has('startTime')) yield time('startTime', run?.startedMs);
  if (has('endTime')) yield time('endTime', run?.endedMs);
  if (has('expectedStartTime')) yield time('expectedStartTime', run?.expectedMs);
  if (has('nextScheduledStartTime')) {
    const due = run?.state.type === 'SCHEDULED' ? run.state.dueAtMs : undefined;
    yield checkTime('run.nextScheduledStartTime', timeOf(expected.nextScheduledStartTime), due);
  }
  if (has('totalRunTime')) {
    yield { field: 'run.totalRunTime', expected: expected.totalRunTime, actual: (run?.runMs ?? 0) / 1000 };
  }
  if (has('flowRunRunCount')) {
    yield { field: 'run.flowRunRunCount', expected: expected.flowRunRunCount, actual: run?.ran?.round ?? 0 };
  }
  if (has('pauseKeys')) yield checkPauseKeys(expected.pauseKeys ?? [], run, kept);
  if (has('stateType')) yield { field: 'run.stateType', expected: expected.stateType, actual: run?.state.type };
  if (has('stateName')) yield { field: 'run.stateName', expected: expected.stateName, actual: run?.state.name };
  // By a policy, Prefect says so also of a run that goes on already, and of one that was refused to (its defects 8 and 9).
  if (has('resuming') && kept.rules !== undefined) {
    yield { field: 'run.resuming', expected: expected.resuming === true, actual: run?.resuming === true };
  }
  if (expected.started !== undefined) {
    yield { field: 'run.started', expected: expected.started, actual: run?.startedMs !== undefined };
  }
  if (expected.ended !== undefined) {
    yield { field: 'run.ended', expected: expected.ended, actual: run !== undefined && isTerminal(run.state) };
  }
}

/** Our fold counts whatever the rules; Prefect counts by a rule, which a case in rule mode may leave out. */
function checkCount(expected: number, run: Run | undefined, kept: Kept): Check {
  const { rules, before } = kept;
  const counts = rules === undefined || rules.some((name) => /^Increment(Flow|Task)RunCount$/.test(name));
  const entered = run?.state.type === 'RUNNING' && run.version > 1;
  const uncounted = !counts && (entered || before.state === undefined) && run?.state.type === 'RUNNING' ? 1 : 0;
  const history = before.state === undefined ? before.runCount : 0;
  // A call that is made again after its end counts anew with Prefect, by a rule; with us it counts on from there.
  const anew = kept.isCountedAnew ? (run?.attemptsBefore ?? 0) : 0;
  const actual = (run?.attempt ?? 0) - anew;
  return { field: 'run.runCount', expected: expected + uncounted - history, actual };
}

/** A pause that names no key gets a random one with Prefect; with us it has none, and can fire again. */
function checkPauseKeys(expected: readonly string[], run: Run | undefined, { proposed }: Kept): Check {
  const isRandom = proposed.type === 'PAUSED' && !proposed.details?.pauseKey && run?.state.type === 'PAUSED';
  const wanted = isRandom ? expected.slice(0, -1) : expected;
  return {
    field: 'run.pauseKeys',
    expected: [...wanted].sort().join(),
    actual: [...(run?.pauses ?? [])].sort().join(),
  };
}

/** The slots that are taken afterwards. */
export function* checkSlots(expected: ExpectedWorld, stage: Stage, world: PrefectWorld): Generator<Check> {
  const { deploymentActiveSlots: active, tagSlots = {} } = expected;
  if (active !== undefined && active !== null && world.deployment !== undefined) {
    const used = usedOf(stage, deploymentLimit(world.deployment.id));
    yield { field: 'slots.deployment', expected: active, actual: used };
  }
  for (const { tag, version = 1 } of tagLimitsOf(world)) {
    const slots = tagSlots[`${tag}@v${String(version)}`];
    if (slots === undefined) continue;
    const count = typeof slots === 'number' ? slots : slots.length;
    yield { field: 'slots.tag', expected: count, actual: usedOf(stage, tagLimit(tag)) };
  }
}

const usedOf = (stage: Stage, limit: string): number => stage.workspace.limits.get(limit)?.used ?? 0;

/** Since when the run is in its state. */
export function* checkSince(expected: string | undefined, run: Run | undefined): Generator<Check> {
  if (expected !== undefined) yield checkTime('since', epochMs(expected), run?.sinceMs);
}

/** With Prefect a background task's parameters travel from state to state; with us the run has them. */
export function* checkParameters(expected: PrefectState | null, run: Run | undefined): Generator<Check> {
  const id = expected?.details?.taskParametersId;
  if (id) yield { field: 'parameters', expected: valueOf(id).digest, actual: run?.parameters?.digest };
}

/** With Prefect a task mirrors its flow's subflow; with us the subflow is the call itself. */
export function* checkCall(expected: Expectation['parentTaskRun'], run: Run | undefined): Generator<Check> {
  if (expected === undefined) return;
  yield { field: 'call.state', expected: expected.stateType, actual: run?.state.type };
  yield { field: 'call.name', expected: expected.stateName, actual: run?.state.name };
  yield { field: 'call.parent', expected: true, actual: run?.parent !== undefined };
}

/** With Prefect, whoever listens hears of each state that is entered; with us, of each ruling that moves the run. */
export function* checkEvents(
  expected: readonly string[] | undefined,
  before: Run | undefined,
  after: Run | undefined,
  stays: boolean,
): Generator<Check> {
  if (expected === undefined) return;
  const moved = !stays && after !== undefined && after.version !== before?.version;
  const actual = moved ? [`prefect.flow-run.${after.state.name}`] : [];
  yield { field: 'events', expected: expected.join(), actual: actual.join() };
}

/** The result of a call that completes under a key is kept under it; what ends otherwise, or was kept, is not. */
export function* checkCache(proposed: PrefectState, stage: Stage, run: Run | undefined): Generator<Check> {
  const key = proposed.details?.cacheKey;
  if (!key || run === undefined) return;
  const { state } = run;
  const kept = state.type === 'COMPLETED' && state.name !== 'Cached' && proposed.type === 'COMPLETED';
  yield { field: 'cache', expected: kept, actual: stage.workspace.cache.get(key)?.run === run.id };
}

/** A background task that is to run is dispatched when its start is due: with Prefect it is put in a queue. */
export function checkQueued(expected: readonly string[], stage: Stage, run: RunId): Check {
  const actual = stage.workspace.timers.get(timerKey(run, 'start')) !== undefined;
  return { field: 'queued', expected: expected.length > 0, actual };
}
