/**
 * Case files about Prefect 3, as they are: what Prefect did with a run in a given state, in a given world, when a state
 * was proposed. Owns the format and the reading of it; translate-*.ts own what it means in our words.
 *
 * A case that says something that is not in the schema is not guessed at: it is skipped, and the field is named.
 */
import { z } from 'zod';
import { STATE_TYPES } from '../../protocol/states.ts';

const type = z.enum(STATE_TYPES);
const time = z.string();
const text = z.string().nullish();

const details = z.strictObject({
  scheduledTime: text,
  cacheKey: text,
  cacheExpiration: text,
  deferred: z.boolean().nullish(),
  refreshCache: z.boolean().nullish(),
  retriable: z.boolean().nullish(),
  transitionId: text,
  taskParametersId: text,
  pauseTimeout: text,
  pauseReschedule: z.boolean().nullish(),
  pauseKey: text,
  deploymentConcurrencyLeaseId: text,
});

const state = z.strictObject({
  type,
  name: z.string().optional(),
  message: text,
  data: z.unknown().optional(),
  timestamp: time.optional(),
  details: details.optional(),
});

const run = z.strictObject({
  retries: z.number().nullish(),
  retryDelay: z.union([z.number(), z.array(z.number())]).nullish(),
  retryJitterFactor: z.number().nullish(),
  runCount: z.number().optional(),
  flowRunRunCount: z.number().optional(),
  tags: z.array(z.string()).optional(),
  deploymentId: text,
  infrastructurePid: text,
  parentTaskRunId: text,
  clientVersion: text,
  apiVersion: text,
  pauseKeys: z.array(z.string()).optional(),
  resuming: z.boolean().nullish(),
  retryType: text,
  startTime: text,
  endTime: text,
  expectedStartTime: text,
  nextScheduledStartTime: text,
});

const world = z.strictObject({
  deployment: z
    .strictObject({
      id: z.string(),
      exists: z.boolean().optional(),
      concurrencyLimit: z.strictObject({ limit: z.number(), activeSlots: z.number().optional() }).nullish(),
      collisionStrategy: z.enum(['ENQUEUE', 'CANCEL_NEW']).nullish(),
      gracePeriodSeconds: z.number().nullish(),
    })
    .optional(),
  tagLimits: z
    .array(
      z.strictObject({
        tag: z.string(),
        version: z.union([z.literal(1), z.literal(2)]).optional(),
        limit: z.number(),
        active: z.boolean().optional(),
        activeSlots: z.union([z.number(), z.array(z.string())]).optional(),
      }),
    )
    .optional(),
  leases: z.array(z.strictObject({ id: z.string(), status: z.string().optional() })).optional(),
  cache: z
    .array(
      z.strictObject({
        key: z.string(),
        expiration: text,
        stateName: text,
        data: z.unknown().optional(),
        state: state.optional(),
      }),
    )
    .optional(),
  flowRun: z
    .strictObject({
      state: state.nullish(),
      runCount: z.number().optional(),
      retries: z.number().nullish(),
    })
    .nullish(),
});

const expectedRun = z.strictObject({
  runCount: z.number().optional(),
  flowRunRunCount: z.number().optional(),
  startTime: time.nullish(),
  endTime: time.nullish(),
  expectedStartTime: time.nullish(),
  nextScheduledStartTime: time.nullish(),
  totalRunTime: z.number().optional(),
  pauseKeys: z.array(z.string()).optional(),
  stateType: type.optional(),
  stateName: z.string().optional(),
  started: z.boolean().optional(),
  ended: z.boolean().optional(),
  resuming: z.boolean().nullish(),
  /** Prefect's own bookkeeping of what our sessions and rounds say; not compared. */
  retryType: text,
});

const expectedWorld = z.strictObject({
  deploymentActiveSlots: z.number().nullish(),
  activeLeases: z.number().optional(),
  tagSlots: z.record(z.string(), z.union([z.number(), z.array(z.string())])).optional(),
});

const POLICIES = [
  'CoreFlowPolicy',
  'MinimalFlowPolicy',
  'MarkLateRunsPolicy',
  'CoreTaskPolicy',
  'BackgroundTaskPolicy',
  'MinimalTaskPolicy',
] as const;
const scope = z.enum(['flow', 'task']);

const expectation = z.object({
  verdict: z.enum(['accept', 'nothing', 'rewrite', 'reject', 'abort', 'wait']),
  written: z.boolean(),
  state: state.nullish(),
  /** Of a case that is not committed: the proposal as the rules left it. */
  proposed: state.nullish(),
  reason: text,
  delaySeconds: z.number().optional(),
  delayRange: z.tuple([z.number(), z.number()]).optional(),
  scheduledTimeRange: z.tuple([time, time]).optional(),
  run: expectedRun.optional(),
  world: expectedWorld.optional(),
  queued: z.array(z.string()).optional(),
  events: z.array(z.string()).optional(),
  stateTimestamp: time.optional(),
  parentTaskRun: z.object({ stateType: type, stateName: z.string() }).optional(),
});

const transitionCase = z.object({
  id: z.string(),
  scope,
  rule: z.string(),
  mode: z.enum(['policy', 'rule']),
  policy: z.enum(POLICIES).optional(),
  rules: z.array(z.string()).optional(),
  commit: z.boolean().optional(),
  given: z.strictObject({ initial: state.nullable(), run, world }),
  propose: state,
  expect: expectation,
});

const scenarioCase = z.object({
  id: z.string(),
  scope,
  given: z.strictObject({ initial: state.nullish(), run, world }),
  steps: z.array(
    z.strictObject({
      policy: z.enum(POLICIES),
      propose: state,
      expect: z.strictObject({
        status: z.enum(['ACCEPT', 'REJECT', 'WAIT', 'ABORT']),
        reason: text,
        delaySeconds: z.number().optional(),
        state: state.nullish(),
        run: expectedRun.optional(),
        world: expectedWorld.optional(),
      }),
      note: text,
      notes: text,
    }),
  ),
});

export type PrefectState = z.infer<typeof state>;
export type PrefectRun = z.infer<typeof run>;
export type PrefectWorld = z.infer<typeof world>;
export type PrefectPolicy = (typeof POLICIES)[number];
export type Scope = z.infer<typeof scope>;
export type ExpectedRun = z.infer<typeof expectedRun>;
export type ExpectedWorld = z.infer<typeof expectedWorld>;
export type Expectation = z.infer<typeof expectation>;
export type TransitionCase = z.infer<typeof transitionCase>;
export type ScenarioCase = z.infer<typeof scenarioCase>;
export type Given = TransitionCase['given'];

export type Case =
  | { readonly kind: 'transition'; readonly id: string; readonly rule: string; readonly of: TransitionCase }
  | { readonly kind: 'scenario'; readonly id: string; readonly rule: string; readonly of: ScenarioCase }
  /** Nobody can be asked: `why` says what is missing. */
  | { readonly kind: 'unasked'; readonly id: string; readonly rule: string; readonly why: string };

/** The cases of one file. Throws when it is no case file at all. */
export function readCases(text: string, file: string): readonly Case[] {
  const parsed: unknown = JSON.parse(text, (_, value: unknown) => repeated(value));
  if (!Array.isArray(parsed)) throw new Error(`${file} is no list of cases`);
  return parsed.map((one: unknown, index) => {
    if (typeof one !== 'object' || one === null) throw new Error(`case ${String(index)} of ${file} is no object`);
    return caseOf(one as Readonly<Record<string, unknown>>, file);
  });
}

function caseOf(one: Readonly<Record<string, unknown>>, file: string): Case {
  const { id: named, rule: of } = one;
  const id = typeof named === 'string' ? named : file;
  if ('schedule' in one) {
    return { kind: 'unasked', id, rule: 'schedules', why: 'there is no scheduler yet that could be asked' };
  }
  const rule = typeof of === 'string' ? of : 'scenarios';
  const parsed = 'steps' in one ? scenarioCase.safeParse(one) : transitionCase.safeParse(one);
  if (!parsed.success) {
    const problem = parsed.error.issues[0];
    const place = [...(problem?.path ?? []), ...(problem?.code === 'unrecognized_keys' ? problem.keys : [])];
    return { kind: 'unasked', id, rule, why: `${place.map(String).join('.')} is not translated` };
  }
  return 'steps' in parsed.data
    ? { kind: 'scenario', id, rule, of: parsed.data }
    : { kind: 'transition', id, rule, of: parsed.data };
}

/** `{"$repeat": c, "$times": n}` stands for a long string. */
function repeated(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$repeat' in value) || !('$times' in value)) return value;
  return String(value.$repeat).repeat(Number(value.$times));
}
