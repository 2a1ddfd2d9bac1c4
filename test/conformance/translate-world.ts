/**
 * Prefect's `given` in our words: the run under test, its flow run, the limits and who holds their slots, the cache.
 *
 * | with Prefect                         | with us                                                                      |
 * | ------------------------------------ | ---------------------------------------------------------------------------- |
 * | a deployment                         | a name in the run's definition, and a work pool in which a worker finds it   |
 * | its concurrency limit                | the limit `deployment:<name>`; its collision strategy is `onFull`            |
 * | a tag's limit, version 1 or 2        | the limit `tag:<tag>`; where a tag has both, the one that Prefect goes by    |
 * | runCount                             | `attempt`; every attempt after the first was a retry that was granted        |
 * | flowRun.runCount, flowRunRunCount    | the flow run's round, and the one in which its task last ran                 |
 * | infrastructurePid                    | the session of the process that has the run in its hands                     |
 * | a background task run                | a task run of its own, in a work pool                                        |
 * | taskParametersId                     | the run's parameters                                                         |
 * | a flow run with parentTaskRunId      | a subflow: a flow run within a flow run; there is no tracking task           |
 * | a run without a state                | a run that does not exist yet                                                |
 */
import type { Run } from '../../engine/fold/workspace.ts';
import { later, type EpochMs, type RunId } from '../../protocol/ids.ts';
import type { RunDefinition, SlotWish } from '../../protocol/proposals.ts';
import { isTerminal, type State, type StateType } from '../../protocol/states.ts';
import type { RunKind } from '../../rules/rule.ts';
import type { Given, PrefectRun, PrefectState, PrefectWorld } from './cases.ts';
import { Stage } from './stage.ts';
import { epochMs, isPersisted, NOW, ourState, valueOf } from './translate-state.ts';

const RUN = 'run-1' as RunId;
const FLOW = 'flow-run-1' as RunId;
const CALL = 'flow-run-1.run-1' as RunId;
const OTHER = 'other-run' as RunId;

const WORK = { pool: 'pool', queue: 'queue' };

/** A state without a time was entered 5 seconds ago, and the run began a while before. */
const ENTERED_MS = later(NOW, -5000);
const BEGAN_MS = later(NOW, -60_000);

/** Who the run under test is. */
export type Subject = {
  readonly run: RunId;
  readonly kind: RunKind;
  readonly definition: RunDefinition;
};

/** A worker finds the runs of a deployment, and background tasks. */
export function subjectOf(kind: RunKind, { run }: Pick<Given, 'run'>, details: Details): Subject {
  const isCall = kind === 'task' || kind === 'subflow';
  const isTask = kind === 'task' || kind === 'background';
  return {
    run: isCall ? CALL : RUN,
    kind,
    definition: {
      kind: isTask ? 'task' : 'flow',
      name: 'subject',
      ...(isCall ? { parent: FLOW } : {}),
      ...(isTask && isCall ? { call: { key: 'subject', ordinal: 0 } } : {}),
      ...retryOf(run),
      ...(run.tags === undefined ? {} : { tags: run.tags }),
      ...(run.deploymentId ? { deployment: run.deploymentId } : {}),
      ...(run.deploymentId || kind === 'background' ? { work: WORK } : {}),
      ...(details.taskParametersId ? { parameters: valueOf(details.taskParametersId) } : {}),
      ...cacheOf(details),
    },
  };
}

type Details = NonNullable<PrefectState['details']>;

const isSet = (value: string | null | undefined): boolean => value !== undefined && value !== null;

function retryOf({ retries, retryDelay, retryJitterFactor }: PrefectRun): Pick<RunDefinition, 'retry'> {
  if (retries === undefined || retries === null) return {};
  const delays = retryDelay === undefined || retryDelay === null ? [] : [retryDelay].flat();
  const delaysMs = delays.map((seconds) => seconds * 1000);
  // Prefect takes any factor; ours stretches a delay by at most its own length.
  return { retry: { retriesMax: retries, delaysMs, jitter: Math.min(1, retryJitterFactor ?? 0) } };
}

/** With us, a cache key belongs to the call, and not to the state that it is in. */
export function cacheOf({ cacheKey, cacheExpiration, refreshCache }: Details): Pick<RunDefinition, 'cache'> {
  if (!cacheKey) return {};
  return {
    cache: {
      key: cacheKey,
      ...(cacheExpiration ? { ttlMs: epochMs(cacheExpiration) - NOW } : {}),
      ...(refreshCache === true ? { refresh: true } : {}),
    },
  };
}

/** The case's world; of a call that has begun before and is to begin again, in a later execution of its flow run. */
export function stageOf(subject: Subject, given: Given, proposed: PrefectState | undefined): Stage {
  const stage = new Stage();
  const { world, initial } = given;
  const isCall = subject.definition.parent !== undefined;
  setLimits(stage, subject, given);
  keepCached(stage, world);
  if (isCall) beginFlow(stage);
  if (initial !== null) place(stage, subject, given, initial);
  if (isCall) {
    if (proposed?.type === 'RUNNING' && beginsAgain(initial)) beginFlow(stage);
    placeFlow(stage, world.flowRun);
  }
  return stage;
}

/** A call that has begun, and did not come to wait since, begins again only because its flow run is executed again. */
export const beginsAgain = (state: { readonly type: StateType } | null): boolean =>
  state !== null && (state.type === 'RUNNING' || isTerminal(state));

/** A process executes the flow run; the second time, a later one, because the first one's infrastructure is gone. */
export function beginFlow(stage: Stage): void {
  const isNew = stage.workspace.runs.get(FLOW) === undefined;
  stage.enter({
    atMs: BEGAN_MS,
    proposal: {
      kind: 'flow',
      run: FLOW,
      to: running('Running'),
      claim: true,
      ...(isNew ? { create: { kind: 'flow', name: 'flow' } } : {}),
    },
  });
}

const running = (name: string): State => ({ type: 'RUNNING', name });

function placeFlow(stage: Stage, flow: PrefectWorld['flowRun']): void {
  if (flow?.state === null) {
    stage.forget(FLOW);
    return;
  }
  if (flow?.state !== undefined && flow.state.type !== 'RUNNING') {
    stage.enter({ atMs: ENTERED_MS, proposal: { kind: 'flow', run: FLOW, to: ourState(flow.state) } });
  }
  stage.amend(FLOW, (row) => ({ ...row, round: flow?.runCount ?? 0 }));
}

/** The limits of the case, and other runs that hold what others hold. */
function setLimits(stage: Stage, subject: Subject, given: Given): void {
  for (const { limit, slotsMax, onFull, others } of limitsOf(subject, given)) {
    stage.setLimit(limit, slotsMax, onFull);
    if (others === 0) continue;
    const run = `${OTHER}-${limit}` as RunId;
    stage.enter({
      atMs: BEGAN_MS,
      proposal: {
        kind: 'flow',
        run,
        to: running('Running'),
        claim: true,
        create: { kind: 'flow', name: 'other' },
      },
      slots: [{ limit, slots: others }],
    });
  }
}

type LimitGiven = {
  readonly limit: string;
  readonly slotsMax: number;
  readonly onFull: 'enqueue' | 'cancel-new';
  readonly others: number;
  /** The run under test holds one of its slots. */
  readonly own: boolean;
};

export const deploymentLimit = (id: string): string => `deployment:${id}`;
export const tagLimit = (tag: string): string => `tag:${tag}`;

const HOLDING: Readonly<Record<'deployment' | 'tag', readonly StateType[]>> = {
  deployment: ['PENDING', 'RUNNING', 'CANCELLING'],
  tag: ['RUNNING', 'CANCELLING'],
};

function limitsOf({ definition }: Subject, { initial, run, world }: Given): readonly LimitGiven[] {
  const limits: LimitGiven[] = [];
  const { deployment } = world;
  const bounds = deployment?.concurrencyLimit;
  if (deployment !== undefined && bounds !== undefined && bounds !== null) {
    const active = bounds.activeSlots ?? 0;
    const own = active > 0 && initial !== null && HOLDING.deployment.includes(initial.type);
    limits.push({
      limit: deploymentLimit(deployment.id),
      slotsMax: bounds.limit,
      onFull: deployment.collisionStrategy === 'CANCEL_NEW' ? 'cancel-new' : 'enqueue',
      others: active - (own ? 1 : 0),
      own,
    });
  }
  for (const { tag, limit, activeSlots = 0 } of tagLimitsOf(world)) {
    const holds = initial !== null && HOLDING.tag.includes(initial.type) && run.tags?.includes(tag) === true;
    const isList = typeof activeSlots !== 'number';
    const own = isList ? activeSlots.includes('run-1') : holds && activeSlots > 0;
    const others = (isList ? activeSlots.length : activeSlots) - (own ? 1 : 0);
    limits.push({ limit: tagLimit(tag), slotsMax: limit, onFull: 'enqueue', others, own: own && holds });
  }
  return definition.kind === 'flow' ? limits.filter(({ limit }) => !limit.startsWith('tag:')) : limits;
}

/** One limit for each tag: a second kind of limit shadows the first while it is active. */
export function tagLimitsOf({ tagLimits = [] }: PrefectWorld): NonNullable<PrefectWorld['tagLimits']> {
  const isSecond = ({ version, active }: (typeof tagLimits)[number]): boolean => version === 2 && active !== false;
  return tagLimits.filter(
    (one) =>
      isSecond(one) || (one.version !== 2 && !tagLimits.some((other) => other.tag === one.tag && isSecond(other))),
  );
}

/** Other calls that have completed under the keys that the case gives. */
function keepCached(stage: Stage, { cache = [] }: PrefectWorld): void {
  cache.forEach(({ key, expiration, state, data = state?.data }, index) => {
    const run = `cached-run-${String(index)}` as RunId;
    stage.enter({
      atMs: BEGAN_MS,
      proposal: {
        kind: 'task',
        run,
        to: { type: 'COMPLETED', name: 'Completed', ...(isPersisted(data) ? { result: valueOf(data) } : {}) },
        create: { kind: 'task', name: 'cached' },
      },
      claims: [{ type: 'CACHE', key, ...(expiration ? { expiresAtMs: epochMs(expiration) } : {}) }],
    });
  });
}

/** The run under test comes to its initial state by the shortest way, and then has what the case gives. */
function place(stage: Stage, subject: Subject, given: Given, initial: PrefectState): void {
  const { run, definition } = subject;
  const to = ourState(initial);
  const slots = limitsOf(subject, given).flatMap(({ limit, own }): SlotWish[] => (own ? [{ limit, slots: 1 }] : []));
  const atMs = initial.timestamp === undefined ? ENTERED_MS : epochMs(initial.timestamp);
  const inHands = ranBefore(to) || isSet(given.run.infrastructurePid);
  const base = { kind: definition.kind, run };
  if (to.type === 'RUNNING') {
    stage.enter({
      atMs,
      proposal: { ...base, ...idOf(initial), ...claimOf(definition), to, create: definition },
      slots,
    });
  } else {
    if (inHands) {
      const begun = { ...base, ...claimOf(definition), to: running('Running'), create: definition };
      stage.enter({ atMs: BEGAN_MS, proposal: begun, slots });
    }
    const asked = inHands && to.type === 'SCHEDULED' ? { rewritten: to } : {};
    const wanted: State = asked.rewritten === undefined ? to : { type: 'FAILED', name: 'Failed' };
    const entry = { ...base, ...idOf(initial), to: wanted, ...(inHands ? {} : { create: definition }) };
    stage.enter({ atMs, proposal: entry, ...asked, slots: to.type === 'PENDING' ? slots : [] });
  }
  stage.amend(run, (row) => withCounts(row, given.run, to));
}

/** A process executes, or has executed, a run in these states. */
const ranBefore = (state: State): boolean =>
  state.type === 'RUNNING' || state.type === 'PAUSED' || state.type === 'CANCELLING' || isTerminal(state);

const claimOf = ({ parent }: RunDefinition): { readonly claim?: true } => (parent === undefined ? { claim: true } : {});

/** Prefect's transition id is our proposal id: what was ruled on under it is not judged again. */
const idOf = ({ details }: PrefectState): { readonly id?: ReturnType<Stage['nextId']> } =>
  details?.transitionId ? { id: transitionIdOf(details.transitionId) } : {};

export const transitionIdOf = (id: string): ReturnType<Stage['nextId']> => `${id}:0` as ReturnType<Stage['nextId']>;

/** Counts, times and keys as the case gives them. */
function withCounts(row: Run, run: PrefectRun, state: State): Run {
  const { startedMs: _, endedMs: __, ...bare } = row;
  const attempt = run.runCount ?? 0;
  const startedMs = timeOf(run.startTime);
  const endedMs = timeOf(run.endTime) ?? (isTerminal(state) ? row.sinceMs : undefined);
  const ran = row.ran ?? (run.flowRunRunCount === undefined ? undefined : { execution: 0, round: 0 });
  return {
    ...bare,
    attempt,
    retriesUsed: Math.max(0, attempt - 1),
    runMs: 0,
    expectedMs: timeOf(run.expectedStartTime) ?? row.expectedMs,
    ...(startedMs === undefined ? {} : { startedMs }),
    ...(endedMs === undefined ? {} : { endedMs }),
    ...(ran === undefined ? {} : { ran: { ...ran, round: run.flowRunRunCount ?? 0 } }),
    ...(run.pauseKeys === undefined ? {} : { pauses: run.pauseKeys }),
    // With us, a run that has ended is not being resumed any more.
    ...(run.resuming === true && !isTerminal(state) ? { resuming: true } : {}),
  };
}

const timeOf = (text: string | null | undefined): EpochMs | undefined => (text ? epochMs(text) : undefined);
