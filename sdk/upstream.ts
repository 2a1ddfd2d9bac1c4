/**
 * Inputs that are still to come: futures among a call's inputs, or in their arrays, plain objects, maps and sets. They are
 * waited for before the call is known by its inputs, so its identity does not depend on who made them.
 */
import { AssentError } from '../protocol/errors.ts';
import type { FinalState } from './final-state.ts';
import { Future } from './future.ts';

/** Made by {@link allowFailure}. */
export class Allowed<T> {
  readonly future: Future<unknown>;
  /** What the call gets in its place; for the compiler. */
  declare readonly given: T;
  constructor(future: Future<unknown>) {
    this.future = future;
  }
}

/**
 * Lets a call begin though the one that it waits for has failed: it then gets the error in place of the value. A call that
 * was cancelled is no failure.
 *
 * @example
 * import { allowFailure, flow, task } from 'assent';
 *
 * const load = task({ name: 'load' }, (url: string): string => {
 *   throw new Error(`${url} is gone`);
 * });
 * const report = task({ name: 'report' }, (page: string | Error) => (page instanceof Error ? page.message : page));
 * const nightly = flow({ name: 'nightly' }, () => report.submit(allowFailure(load.submit('a.html'))));
 * console.log(await nightly()); // a.html is gone
 */
export const allowFailure = <T>(future: Future<T>): Allowed<T | Error> => new Allowed<T | Error>(future);

/** An input as it may be given: itself, a future of it, or a list, a plain object, a map or a set that holds futures. */
export type Given<T> = T | Future<T> | Allowed<T> | GivenParts<T>;
type GivenParts<T> = T extends readonly (infer Part)[]
  ? readonly Given<Part>[]
  : T extends Whole
    ? never
    : T extends Set<infer Part>
      ? Set<Given<Part>>
      : T extends Map<infer Key, infer Part>
        ? Map<Key, Given<Part>>
        : T extends object
          ? { readonly [Name in keyof T]: Given<T[Name]> }
          : never;
/** What holds nothing that could be waited for. */
type Whole =
  Date | RegExp | Error | URL | ArrayBuffer | ArrayBufferView | Promise<unknown> | ((...args: never[]) => unknown);

/** All inputs of a call, as they may be given. */
export type AllGiven<Inputs extends readonly unknown[]> = { readonly [K in keyof Inputs]: Given<Inputs[K]> };

export type Resolved =
  | { readonly type: 'READY'; readonly inputs: readonly unknown[] }
  /** `inputs`: with the name of the end in place of what did not come. */
  | { readonly type: 'NOT_READY'; readonly inputs: readonly unknown[]; readonly error: AssentError };

/** Whether there is anything to wait for. */
export function hasFutures(value: unknown, seen = new Set<object>()): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof Future || value instanceof Allowed) return true;
  const parts = partsOf(value);
  if (parts === undefined || seen.has(value)) return false;
  seen.add(value);
  for (const part of parts) if (hasFutures(part, seen)) return true;
  return false;
}

function partsOf(value: object): Iterable<unknown> | undefined {
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].flat(1);
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype ? Object.values(value) : undefined;
}

/** Waits for all of them, and for the ends of `waitFor`; never rejects. */
export async function resolved(
  whose: string,
  inputs: readonly unknown[],
  waitFor: readonly Future<unknown>[],
): Promise<Resolved> {
  const missing: FinalState[] = [];
  const filled = await Promise.all(inputs.map((input) => filledIn(input, missing)));
  for (const future of waitFor) {
    const state = await future.state();
    if (!state.isCompleted) missing.push(state);
  }
  const [first] = missing;
  if (first === undefined) return { type: 'READY', inputs: filled };
  const upstream = first.runId === undefined ? 'a call that it needs' : `run ${first.runId}, which it needs,`;
  const text = `${whose} is not ready: ${upstream} ended as ${first.name}.`;
  return { type: 'NOT_READY', inputs: filled, error: new AssentError('NOT_READY', text, { cause: first.error }) };
}

async function filledIn(value: unknown, missing: FinalState[]): Promise<unknown> {
  if (value instanceof Future) return filling(await value.state(), missing, false);
  if (value instanceof Allowed) return filling(await value.future.state(), missing, true);
  if (!hasFutures(value)) return value;
  const fill = (part: unknown): Promise<unknown> => filledIn(part, missing);
  if (Array.isArray(value)) return Promise.all(value.map(fill));
  if (value instanceof Set) return new Set(await Promise.all([...value].map(fill)));
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)];
    return new Map(await Promise.all(entries.map(async ([key, one]) => [await fill(key), await fill(one)] as const)));
  }
  const entries = Object.entries(value as Record<string, unknown>);
  return Object.fromEntries(await Promise.all(entries.map(async ([name, one]) => [name, await fill(one)] as const)));
}

function filling(state: FinalState, missing: FinalState[], mayFail: boolean): unknown {
  if (state.isCompleted) return state.value;
  if (mayFail && state.type === 'FAILED') return state.error;
  missing.push(state);
  return `(${state.name}${state.runId === undefined ? '' : ` ${state.runId}`})`;
}
