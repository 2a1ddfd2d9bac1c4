/**
 * The options of `task` and `flow`: read once, when the task or flow is defined, into settings that the hot path uses
 * as they are. What is wrong with them is said there and then, with the option named.
 */
import { z } from 'zod';
import { LIMITS } from '../protocol/limits.ts';
import { called, duration, problemsOf, tags, text, zodSchema } from './checked-options.ts';
import { parseDuration, type Duration } from './durations.ts';
import { CachePolicy, type CacheContext } from './cache-policies.ts';
import { Future } from './future.ts';
import { HOOKS } from '../protocol/proposals.ts';
import type { Hooks } from './hooks.ts';
import { parsePath } from './redaction.ts';
import { problemOfTemplate, type RunName } from './run-names.ts';
import { badOption, settingsOf, type Checked, type Settings } from './settings.ts';
import type { TaskRunner } from './task-runner.ts';
import type { CommitHook, RollbackHook } from './transaction-hooks.ts';

/** What tasks and flows have in common. */
export interface RunOptions {
  /** What the run is called, and part of its identity. Default: the function's own name. 1 to 200 characters. */
  readonly name?: string;
  /** One line for people, at most 1,000 characters. */
  readonly description?: string;
  /** Further attempts after a failed first one. Default: 0. At most 10,000. */
  readonly retries?: number;
  /**
   * The time before each further attempt: one duration, a list (the last one goes on), or a function of the number of
   * the attempt that failed, from 1. Default: none.
   */
  readonly retryDelay?: Duration | readonly Duration[] | ((attempt: number) => Duration);
  /** Stretches each delay by up to this share of itself, by chance; from 0 to 1. Default: 0. */
  readonly retryJitter?: number;
  /** Whether this failure is worth another attempt; one that throws says no. Default: every failure is. */
  readonly retryIf?: (error: unknown, attempt: number) => boolean;
  /** How long one attempt may take. Default: for ever. */
  readonly timeout?: Duration;
  /** For rules, and for limits: a task needs a slot of each limit `tag:<tag>` that is set. Default: none. */
  readonly tags?: readonly string[];
  /**
   * The named limits of which the run needs a slot while it runs: names, or slots by name, or for a name also the key
   * that it counts for (a tenant, a host). Runs with different keys do not share slots. Default: none.
   */
  readonly limits?: readonly string[] | Readonly<Record<string, number | LimitWish>>;
  /** Higher is sooner among those that wait for the same slot. An integer. Default: 0. */
  readonly priority?: number;
  /**
   * What people call one run, beside the name of what it is a run of: a text with `{date}`, `{time}`, `{name}`,
   * `{parameters.customer}` or `{inputs[0].id}` in it, or a function. Cut to 200 characters. Default: none.
   */
  readonly runName?: RunName;
  /**
   * What of the parameters, inputs, results and log lines is neither recorded nor logged: paths like `card.number`,
   * `items[*].token`, `[0]`. A secret stands in its place that cannot be revealed, also in a process that goes on with the
   * run, unless that process is given the same parameters again. What a flow says goes for all that its code makes as well:
   * the inputs of its tasks, also in workers, the parameters of the flows that it calls or starts, artifacts, variables,
   * messages, events, causes of errors, log lines; but not for the results of its calls, with which it computes when it goes
   * on: they are redacted by what the task or flow that is called says.
   *
   * In texts for people (messages, stacks, names of runs, artifacts) what is redacted is found if it has four characters or
   * more. It counts for what makes a call the same call, so a digest of the inputs is recorded; of a `key` or `cacheKey` that
   * shows it, a digest too; what `limits` and `tags` say is recorded as they say it. Default: nothing.
   */
  readonly redact?: readonly string[];
  /** Called when the run, or a further attempt of it, has begun. */
  readonly onRunning?: Hooks;
  /** Called when the run has completed. */
  readonly onCompletion?: Hooks;
  /** Called when the run has failed for good. */
  readonly onFailure?: Hooks;
  /** Called when the run has been cancelled. */
  readonly onCancellation?: Hooks;
  /** Called when the run's process died and nobody goes on with the run: by a worker, or by the script's next start. */
  readonly onCrashed?: Hooks;
}

/** What a run asks of a limit; `Args` are the parameters of its function. */
export interface LimitWish<Args extends readonly unknown[] = readonly never[]> {
  /** Default: 1. */
  readonly slots?: number;
  /** The key within the limit: a text, or a function of the inputs. Default: none, and all share the limit. */
  readonly by?: string | ((...inputs: Args) => string);
}

/** The options of {@link task}; `Args` are its function's parameters. */
export interface TaskOptions<Args extends readonly unknown[] = readonly never[]> extends Omit<RunOptions, 'limits'> {
  /** As of flows ({@link RunOptions}); the key of a limit may be a function of the inputs. */
  readonly limits?: readonly string[] | Readonly<Record<string, number | LimitWish<Args>>>;
  /**
   * What makes this call the same call when the flow runs again, instead of its name and inputs: a text, or a function
   * of the inputs. At most 1,000 characters.
   */
  readonly key?: string | ((...inputs: Args) => string);
  /**
   * `'ruling'`: the result is handed to the flow only when the ledger has it. Default: that for a task with `onCompletion`;
   * else as soon as no rule in force can alter it, and it is then recorded before the next task starts.
   */
  readonly await?: 'ruling';
  /**
   * Where the result is kept for equal calls of any run, in the whole workspace: a text, or a function of the inputs; at
   * most 2,000 characters. A call whose key has a kept result is answered with it and is not run. Default: not kept.
   */
  readonly cacheKey?: string | ((...inputs: Args) => string);
  /** How long the result is kept. Default: for ever. */
  readonly cacheExpiration?: Duration;
  /** `true`: run in any case, and keep the new result. Default: false, or what ASSENT_REFRESH_CACHE=1 says. */
  readonly refreshCache?: boolean;
  /**
   * What the cache key is made of, instead of `cacheKey`: {@link INPUTS}, {@link TASK_SOURCE}, {@link FLOW_PARAMETERS},
   * {@link RUN_ID}, combined with `plus` and `minus`, or a function that says the key. Default: nothing is kept.
   */
  readonly cachePolicy?: CachePolicy | ((context: CacheContext) => string | undefined);
  /**
   * `'serializable'`: calls with the same cache key are computed one at a time, so a result that is being computed is waited
   * for. `'read-committed'`: they are computed side by side, and the last result stays. Default: `'serializable'`.
   */
  readonly cacheIsolation?: 'serializable' | 'read-committed';
  /** Where the function runs. Default: what the flow says, else in the flow's own process. */
  readonly runner?: TaskRunner;
  /** Called when the outermost transaction in which the call completed is committed. */
  readonly onCommit?: CommitHook<Args> | readonly CommitHook<Args>[];
  /**
   * Undoes the call when a transaction in which it completed is rolled back. It is not tried again, whatever the task's
   * `retries`: what may fail for a moment, it tries again itself. One that throws ends the rollback.
   */
  readonly onRollback?: RollbackHook<Args> | readonly RollbackHook<Args>[];
  /** Calls that have to complete before each call of this task begins; their values are not used. */
  readonly waitFor?: readonly Future<unknown>[];
}

/** The options of {@link flow} besides `parameters`. */
export interface FlowOptions extends RunOptions {
  /** `false`: a script that is started again begins anew instead of resuming its unfinished run. Default: true. */
  readonly resume?: boolean;
  /** Where the functions of its tasks run. Default: that of the flow that called it, else in its own process. */
  readonly taskRunner?: TaskRunner;
  /**
   * `true`: when the run is executed again, a call that was not made before, in the place of one that was, is refused as
   * DIVERGED, and the run fails. After another failure, a retry may take another path. Default: such a call is simply a new
   * one.
   */
  readonly strict?: boolean;
  /**
   * How long the run must have nothing to do but to sleep, or to wait for a message, before a worker lets go of it; it goes on
   * in whichever worker is free then, and its time-out begins again. What lasts no longer than this again is waited for.
   * Default: `'10s'`.
   */
  readonly suspendAfter?: Duration;
}

const name = text(LIMITS.nameMax);
const limitWish = z.strictObject({
  slots: z.int().positive().optional(),
  by: z.union([name, called]).optional(),
});

const hooks = z.union([called, z.array(called)], 'expected a function, or a list of functions').optional();
const runner = z
  .custom<TaskRunner>(
    (value) => typeof (value as { run?: unknown } | null)?.run === 'function',
    'expected a task runner',
  )
  .optional();

const runOptions = {
  name: name.optional(),
  description: z.string().max(LIMITS.textMax).optional(),
  retries: z.int().nonnegative().max(LIMITS.retriesMax).optional(),
  retryDelay: z.union([duration, z.array(duration).min(1).max(LIMITS.retryDelaysMax), called]).optional(),
  retryJitter: z.number().min(0).max(1).optional(),
  retryIf: called.optional(),
  timeout: duration.refine((value) => parseDuration(value) !== 0, 'must be longer than nothing').optional(),
  limits: z
    .union([z.array(name).max(LIMITS.limitsOfRunMax), z.record(name, z.union([z.int().positive(), limitWish]))])
    .refine((value) => Object.keys(value).length <= LIMITS.limitsOfRunMax, `at most ${String(LIMITS.limitsOfRunMax)}`)
    .optional(),
  tags: tags.optional(),
  runName: z
    .union([z.string().min(1).max(LIMITS.textMax), called])
    .superRefine((value, context) => {
      const problem = typeof value === 'string' ? problemOfTemplate(value) : undefined;
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .optional(),
  redact: z
    .array(z.string().refine((path) => parsePath(path) !== undefined, "expected a path like 'card.number'"))
    .max(LIMITS.redactedPathsMax)
    .optional(),
  priority: z.int().optional(),
  ...Object.fromEntries(HOOKS.map((hook) => [hook, hooks])),
};

const taskOptions = z.strictObject({
  ...runOptions,
  key: z.union([z.string().min(1).max(LIMITS.textMax), called]).optional(),
  await: z.literal('ruling').optional(),
  cacheKey: z.union([z.string().min(1).max(LIMITS.cacheKeyMax), called]).optional(),
  cacheExpiration: duration.optional(),
  refreshCache: z.boolean().optional(),
  cachePolicy: z
    .custom<CachePolicy>(
      (value) => value instanceof CachePolicy || typeof value === 'function',
      'expected a cache policy',
    )
    .optional(),
  cacheIsolation: z.enum(['serializable', 'read-committed']).optional(),
  runner,
  onCommit: hooks,
  onRollback: hooks,
  waitFor: z.array(z.custom<Future<unknown>>((value) => value instanceof Future, 'expected a future')).optional(),
});

const flowOptions = z.strictObject({
  ...runOptions,
  resume: z.boolean().optional(),
  taskRunner: runner,
  strict: z.boolean().optional(),
  suspendAfter: duration.optional(),
  parameters: zodSchema.optional(),
});

/** @throws AssentError BAD_OPTION */
export const checkTask = (options: unknown, fn: unknown): Settings => check(taskOptions, 'task', options, fn);
/** @throws AssentError BAD_OPTION */
export const checkFlow = (options: unknown, fn: unknown): Settings => check(flowOptions, 'flow', options, fn);

function check(schema: z.ZodType, kind: 'task' | 'flow', options: unknown, fn: unknown): Settings {
  if (typeof fn !== 'function') throw badOption(kind, undefined, 'its last argument must be a function');
  const named = (options as RunOptions | undefined)?.name ?? fn.name;
  const parsed = schema.safeParse(options);
  if (!parsed.success) throw badOption(kind, named, problemsOf(parsed.error));
  if (named === '')
    throw badOption(kind, undefined, "name: the function has none of its own, so give it one: { name: '…' }");
  if (named.length > LIMITS.nameMax) throw badOption(kind, named, `name: at most ${String(LIMITS.nameMax)} characters`);
  return settingsOf(kind, named, parsed.data as Checked);
}
