/**
 * Options as they are used: read once, when the task or flow is defined, into settings that the hot path takes as they are.
 */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { HOOKS, type Hook, type RetryPolicy, type RunDefinition, type SlotWish } from '../protocol/proposals.ts';
import { NO_CACHE, type CacheContext } from './cache-policies.ts';
import { parseDuration } from './durations.ts';
import type { HookFunction, HookTable } from './hooks.ts';
import type { FlowOptions, RunOptions, TaskOptions } from './options.ts';
import { redactionOf, type Redaction } from './redaction.ts';
import { runNameOf, type RunName } from './run-names.ts';
import type { TaskRunner } from './task-runner.ts';

/** Options with defaults filled in, durations in milliseconds, delays as a list. */
export type Settings = {
  readonly name: string;
  readonly description?: string;
  readonly retry?: RetryPolicy;
  readonly retryIf?: (error: unknown, attempt: number) => boolean;
  readonly timeoutMs?: number;
  readonly limits?: readonly SlotWish[];
  readonly tags?: readonly string[];
  readonly priority?: number;
  readonly hooks?: HookTable;
  /** Of a task: its own; of a flow: that of its tasks. */
  readonly runner?: TaskRunner;
  readonly strict?: true;
  readonly suspendAfterMs?: number;
  /** What depends on the call. */
  readonly ofCall?: (
    context: CacheContext,
    about: {
      /** All that is redacted where it is called. */
      readonly redact: Redaction | undefined;
      /** Hears why there is no cache key. */
      readonly onProblem?: (problem: string, error?: unknown) => void;
    },
  ) => Pick<RunDefinition, 'limits' | 'cache' | 'title'>;
  readonly redact?: Redaction;
};

export function settingsOf(kind: 'task' | 'flow', name: string, options: Checked): Settings {
  const timeoutMs = parseDuration(options.timeout);
  const limits = slotWishes(options.limits);
  const isFixed =
    limits.every(({ by }) => typeof by !== 'function') &&
    options.runName === undefined &&
    options.cacheKey === undefined &&
    options.cachePolicy === undefined;
  const hooks = hookTable(options);
  const runner = options.runner ?? options.taskRunner;
  const suspendAfterMs = parseDuration(options.suspendAfter);
  const retry = retryPolicy(kind, name, options);
  const redact = redactionOf(options.redact ?? []);
  return {
    name,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(retry === undefined ? {} : { retry }),
    ...(options.retryIf === undefined ? {} : { retryIf: options.retryIf }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(limits.length === 0 || !isFixed ? {} : { limits: limits as readonly SlotWish[] }),
    ...(isFixed ? {} : { ofCall: ofCall(kind, name, limits, options) }),
    ...(redact === undefined ? {} : { redact }),
    ...(options.tags === undefined || options.tags.length === 0 ? {} : { tags: options.tags }),
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(hooks === undefined ? {} : { hooks }),
    ...(runner === undefined ? {} : { runner }),
    ...(options.strict === true ? { strict: true as const } : {}),
    ...(suspendAfterMs === undefined ? {} : { suspendAfterMs }),
  };
}

function hookTable(options: RunOptions): HookTable | undefined {
  const table: Partial<Record<Hook, readonly HookFunction[]>> = {};
  for (const hook of HOOKS) {
    const given = options[hook];
    const list = given === undefined ? [] : typeof given === 'function' ? [given] : given;
    if (list.length > 0) table[hook] = list;
  }
  return Object.keys(table).length === 0 ? undefined : table;
}

export type Checked = RunOptions &
  Pick<TaskOptions, 'cacheKey' | 'cacheExpiration' | 'refreshCache' | 'cachePolicy' | 'cacheIsolation' | 'runner'> &
  Pick<FlowOptions, 'taskRunner' | 'strict' | 'suspendAfter'>;
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

/** What the functions among the options say of one call. */
function ofCall(
  kind: 'task' | 'flow',
  name: string,
  wishes: readonly Wish[],
  options: Checked,
): NonNullable<Settings['ofCall']> {
  return (context, { redact, onProblem }) => {
    const said = (option: string, by: string | OfInputs, max: number): string => {
      const key = typeof by === 'string' ? by : by(...(context.inputs as never[]));
      if (typeof key === 'string' && key !== '' && key.length <= max) return key;
      throw badOption(kind, name, `${option}: the function's answer must be a text of 1 to ${String(max)} characters`);
    };
    const limits = wishes.map(({ limit, slots, by }) =>
      by === undefined ? { limit, slots } : { limit, slots, by: said(`limits.${limit}.by`, by, LIMITS.nameMax) },
    );
    const { cacheKey, cachePolicy } = options;
    const policy = typeof cachePolicy === 'function' ? NO_CACHE.plus(cachePolicy) : cachePolicy;
    const key =
      cacheKey === undefined ? policy?.keyOf(context, onProblem) : said('cacheKey', cacheKey, LIMITS.cacheKeyMax);
    const title = options.runName === undefined ? undefined : titleOf(options.runName, redact, context);
    return {
      ...(limits.length === 0 ? {} : { limits }),
      ...(key === undefined ? {} : { cache: cacheOf(redact?.ofKey(key, valuesOf(context)) ?? key, options) }),
      ...(title === undefined ? {} : { title }),
    };
  };
}

const valuesOf = ({ inputs, flowParameters }: CacheContext): readonly unknown[] => [...inputs, flowParameters];

const titleOf = (template: RunName, redact: Redaction | undefined, context: CacheContext): string | undefined =>
  runNameOf(template, {
    name: context.task,
    parameters: redact === undefined ? context.flowParameters : redact.of(context.flowParameters),
    inputs: redact === undefined ? context.inputs : redact.ofInputs(context.inputs),
    now: new Date(),
  });

function cacheOf(key: string, options: Checked): NonNullable<RunDefinition['cache']> {
  const ttlMs = parseDuration(options.cacheExpiration);
  const refreshes = options.refreshCache ?? process.env['ASSENT_REFRESH_CACHE'] === '1';
  return {
    key,
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(refreshes ? { refresh: true as const } : {}),
    ...(options.cacheIsolation === 'read-committed' ? {} : { once: true as const }),
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

export const badOption = (kind: string, name: string | undefined, problem: string): AssentError =>
  new AssentError(
    'BAD_OPTION',
    `A ${kind}${name === undefined || name === '' ? '' : ` '${name}'`} has a bad option: ${problem}.`,
  );
