/**
 * The options of `task` and `flow`: read once, when the task or flow is defined, into settings that the hot path uses
 * as they are. What is wrong with them is said there and then, with the option named.
 */
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { RetryPolicy, RunDefinition, SlotWish } from '../protocol/proposals.ts';
import { parseDuration, type Duration } from './durations.ts';

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
  readonly limits?: readonly string[] | Readonly<Record<string, number | LimitWish<Args>>>;
  /**
   * What makes this call the same call when the flow runs again, instead of its name and inputs: a text, or a function
   * of the inputs. At most 1,000 characters.
   */
  readonly key?: string | ((...inputs: Args) => string);
  /**
   * `'ruling'`: the result is handed to the flow only when the ledger has it. Default: as soon as no rule in force can
   * alter it; it is then recorded before the next task starts.
   */
  readonly await?: 'ruling';
  /**
   * Where the result is kept for equal calls of any run, in the whole workspace: a text, or a function of the inputs; at
   * most 2,000 characters. A call whose key has a kept result is answered with it and is not run. Default: not kept.
   */
  readonly cacheKey?: string | ((...inputs: Args) => string);
  /** How long the result is kept. Default: for ever. */
  readonly cacheExpiration?: Duration;
  /** `true`: run in any case, and keep the new result. Default: false. */
  readonly refreshCache?: boolean;
}

/** The options of {@link flow} besides `parameters`. */
export interface FlowOptions extends RunOptions {
  /** `false`: a script that is started again begins anew instead of resuming its unfinished run. Default: true. */
  readonly resume?: boolean;
}

/** Options as they are used: defaults filled in, durations in milliseconds, delays as a list. */
export type Settings = {
  readonly name: string;
  readonly description?: string;
  readonly retry?: RetryPolicy;
  readonly retryIf?: (error: unknown, attempt: number) => boolean;
  readonly timeoutMs?: number;
  readonly limits?: readonly SlotWish[];
  readonly tags?: readonly string[];
  readonly priority?: number;
  /** What depends on the inputs. */
  readonly ofInputs?: (inputs: readonly unknown[]) => Pick<RunDefinition, 'limits' | 'cache'>;
};

const text = z.string().min(1).max(LIMITS.nameMax);
const duration = z.custom<Duration>(
  (value) => parseDuration(value) !== undefined,
  "expected a duration: milliseconds, or a number with a unit like '10s'",
);
const called = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'expected a function');

const limitWish = z.strictObject({
  slots: z.int().positive().optional(),
  by: z.union([text, called]).optional(),
});

const runOptions = {
  name: text.optional(),
  description: z.string().max(LIMITS.textMax).optional(),
  retries: z.int().nonnegative().max(LIMITS.retriesMax).optional(),
  retryDelay: z.union([duration, z.array(duration).min(1).max(LIMITS.retryDelaysMax), called]).optional(),
  retryJitter: z.number().min(0).max(1).optional(),
  retryIf: called.optional(),
  timeout: duration.refine((value) => parseDuration(value) !== 0, 'must be longer than nothing').optional(),
  limits: z
    .union([z.array(text).max(LIMITS.limitsOfRunMax), z.record(text, z.union([z.int().positive(), limitWish]))])
    .refine((value) => Object.keys(value).length <= LIMITS.limitsOfRunMax, `at most ${String(LIMITS.limitsOfRunMax)}`)
    .optional(),
  tags: z.array(text).max(LIMITS.tagsOfRunMax).optional(),
  priority: z.int().optional(),
};

const taskOptions = z.strictObject({
  ...runOptions,
  key: z.union([z.string().min(1).max(LIMITS.textMax), called]).optional(),
  await: z.literal('ruling').optional(),
  cacheKey: z.union([z.string().min(1).max(LIMITS.cacheKeyMax), called]).optional(),
  cacheExpiration: duration.optional(),
  refreshCache: z.boolean().optional(),
});

const flowOptions = z.strictObject({
  ...runOptions,
  resume: z.boolean().optional(),
  parameters: z
    .custom<z.ZodType>(
      (value) => typeof (value as { safeParseAsync?: unknown } | null)?.safeParseAsync === 'function',
      'expected a zod schema',
    )
    .optional(),
});

/** @throws AssentError BAD_OPTION */
export const checkTask = (options: unknown, fn: unknown): Settings => check(taskOptions, 'task', options, fn);
/** @throws AssentError BAD_OPTION */
export const checkFlow = (options: unknown, fn: unknown): Settings => check(flowOptions, 'flow', options, fn);

function check(schema: z.ZodType, kind: 'task' | 'flow', options: unknown, fn: unknown): Settings {
  if (typeof fn !== 'function') throw badOption(kind, undefined, 'its last argument must be a function');
  const named = (options as RunOptions | undefined)?.name ?? fn.name;
  const parsed = schema.safeParse(options);
  if (!parsed.success) throw badOption(kind, named, parsed.error.issues.map(problemOf).join('; '));
  if (named === '')
    throw badOption(kind, undefined, "name: the function has none of its own, so give it one: { name: '…' }");
  if (named.length > LIMITS.nameMax) throw badOption(kind, named, `name: at most ${String(LIMITS.nameMax)} characters`);
  return settingsOf(kind, named, parsed.data as Checked);
}

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${key}: no such option`).join('; ');
  const path = issue.path.map(String).join('.');
  return `${path === '' ? 'options' : path}: ${issue.message}`;
}

const badOption = (kind: string, name: string | undefined, problem: string): AssentError =>
  new AssentError(
    'BAD_OPTION',
    `A ${kind}${name === undefined || name === '' ? '' : ` '${name}'`} has a bad option: ${problem}.`,
  );

function settingsOf(kind: 'task' | 'flow', name: string, options: Checked): Settings {
  const timeoutMs = parseDuration(options.timeout);
  const limits = slotWishes(options.limits);
  const isFixed = limits.every(({ by }) => typeof by !== 'function') && options.cacheKey === undefined;
  const retry = retryPolicy(kind, name, options);
  return {
    name,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(retry === undefined ? {} : { retry }),
    ...(options.retryIf === undefined ? {} : { retryIf: options.retryIf }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(limits.length === 0 || !isFixed ? {} : { limits: limits as readonly SlotWish[] }),
    ...(isFixed ? {} : { ofInputs: ofInputs(kind, name, limits, options) }),
    ...(options.tags === undefined || options.tags.length === 0 ? {} : { tags: options.tags }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
  };
}

type Checked = RunOptions & Pick<TaskOptions, 'cacheKey' | 'cacheExpiration' | 'refreshCache'>;
type OfInputs = (...inputs: never[]) => unknown;
type Wish = { readonly limit: string; readonly slots: number; readonly by?: string | OfInputs };

function slotWishes(limits: RunOptions['limits']): readonly Wish[] {
  if (limits === undefined) return [];
  if (isList(limits)) return [...new Set(limits)].map((limit) => ({ limit, slots: 1 }));
  return Object.entries(limits).map(([limit, wish]) => {
    if (typeof wish === 'number') return { limit, slots: wish };
    return { limit, slots: wish.slots ?? 1, ...(wish.by === undefined ? {} : { by: wish.by }) };
  });
}

/** What the functions among the options say of one call's inputs. */
function ofInputs(
  kind: 'task' | 'flow',
  name: string,
  wishes: readonly Wish[],
  { cacheKey, cacheExpiration, refreshCache }: Checked,
): NonNullable<Settings['ofInputs']> {
  const ttlMs = parseDuration(cacheExpiration);
  return (inputs) => {
    const said = (option: string, by: string | OfInputs, max: number): string => {
      const key = typeof by === 'string' ? by : by(...(inputs as never[]));
      if (typeof key === 'string' && key !== '' && key.length <= max) return key;
      throw badOption(kind, name, `${option}: the function's answer must be a text of 1 to ${String(max)} characters`);
    };
    const limits = wishes.map(({ limit, slots, by }) =>
      by === undefined ? { limit, slots } : { limit, slots, by: said(`limits.${limit}.by`, by, LIMITS.nameMax) },
    );
    const key = cacheKey === undefined ? undefined : said('cacheKey', cacheKey, LIMITS.cacheKeyMax);
    return {
      ...(limits.length === 0 ? {} : { limits }),
      ...(key === undefined
        ? {}
        : {
            cache: {
              key,
              ...(ttlMs === undefined ? {} : { ttlMs }),
              ...(refreshCache === true ? { refresh: true as const } : {}),
            },
          }),
    };
  };
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

function retryPolicy(kind: 'task' | 'flow', name: string, options: RunOptions): RetryPolicy | undefined {
  const retriesMax = options.retries ?? 0;
  if (retriesMax === 0) return undefined;
  return { retriesMax, delaysMs: delaysOf(kind, name, options, retriesMax), jitter: options.retryJitter ?? 0 };
}

/** A function's delays are asked for once, here; so they are recorded with the run, and the clock can keep them. */
function delaysOf(kind: 'task' | 'flow', name: string, { retryDelay }: RunOptions, retriesMax: number): number[] {
  if (retryDelay === undefined) return [];
  if (isList(retryDelay)) return retryDelay.slice(0, retriesMax).map((delay) => parseDuration(delay) ?? 0);
  if (typeof retryDelay !== 'function') return [parseDuration(retryDelay) ?? 0];
  const delaysMs: number[] = [];
  for (let attempt = 1; attempt <= Math.min(retriesMax, LIMITS.retryDelaysMax); attempt += 1) {
    const delayMs = parseDuration(retryDelay(attempt));
    if (delayMs === undefined) {
      throw badOption(kind, name, `retryDelay: the function's answer for attempt ${String(attempt)} is no duration`);
    }
    delaysMs.push(delayMs);
  }
  // The last delay goes on by itself, so an unchanging tail need not be recorded with every run.
  while (delaysMs.length > 1 && delaysMs.at(-1) === delaysMs.at(-2)) delaysMs.pop();
  return delaysMs;
}
