/**
 * Inputs that are still to come: futures among a call's inputs, or in their arrays, plain objects, maps and sets. They are
 * waited for before the call is known by its inputs, so its identity does not depend on who made them.
 */
import { types } from 'node:util';
import { AssentError } from '../protocol/errors.ts';
import type { FinalState } from './final-state.ts';
import { Future } from './future.ts';
import { A_PROMISE, placeOfFault } from './recordable.ts';

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
export type Given<T> = GivenAt<T, 6>;
/** So many levels deep: a type may hold itself. */
type GivenAt<T, Levels extends number> =
  T | Future<T> | Allowed<T> | (Levels extends 0 ? never : GivenParts<T, LessByOne[Levels & keyof LessByOne & number]>);
type LessByOne = readonly [0, 0, 1, 2, 3, 4, 5];
type GivenParts<T, Levels extends number> = T extends readonly unknown[]
  ? { readonly [Place in keyof T]: GivenAt<T[Place], Levels> }
  : T extends Whole
    ? never
    : T extends Set<infer Part>
      ? Set<GivenAt<Part, Levels>>
      : T extends Map<infer Key, infer Part>
        ? Map<Key, GivenAt<Part, Levels>>
        : T extends object
          ? IsInstance<T> extends true
            ? never
            : { readonly [Name in keyof T]: GivenAt<T[Name], Levels> }
          : never;
/** What has methods is of a class, and is waited for whole. */
type IsInstance<T> = Extract<T[keyof T], (...args: never[]) => unknown> extends never ? false : true;
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
export const hasFutures = (value: unknown): boolean => holds(value, isFuture, new Set());

const isFuture = (value: object): boolean => value instanceof Future || value instanceof Allowed;

function holds(value: unknown, isWanted: (value: object) => boolean, seen: Set<object>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (isWanted(value)) return true;
  const parts = partsOf(value);
  if (parts === undefined || seen.has(value)) return false;
  seen.add(value);
  for (const part of parts) if (holds(part, isWanted, seen)) return true;
  return false;
}

/** A promise that is no future is not waited for: what it comes to is not known when the call is to be known by its inputs. */
export function refusePromises(whose: string, inputs: readonly unknown[]): AssentError | undefined {
  const hasPromises = (value: unknown): boolean => holds(value, types.isPromise, new Set());
  if (!hasPromises(inputs)) return undefined;
  const place = placeOfFault(inputs, (part) => !hasPromises(part));
  return new AssentError(
    'VALUE_NOT_SERIALIZABLE',
    `The inputs of ${whose} cannot be recorded at ${place}: ${A_PROMISE}.`,
  );
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
  const futures = [...futuresIn(inputs)];
  const [ends, others] = await Promise.all([endsOf(futures), endsOf(waitFor)]);
  const missing: FinalState[] = [];
  const filled = new Filling(new Map(futures.map((future, at) => [future, ends[at] as FinalState])), missing).of(
    inputs,
  );
  for (const state of others) if (!state.isCompleted) missing.push(state);
  const [first] = missing;
  if (first === undefined) return { type: 'READY', inputs: filled as readonly unknown[] };
  const upstream = first.runId === undefined ? 'a call that it needs' : `run ${first.runId}, which it needs,`;
  const text = `${whose} is not ready: ${upstream} ended as ${first.name}.`;
  const error = new AssentError('NOT_READY', text, { cause: first.error });
  return { type: 'NOT_READY', inputs: filled as readonly unknown[], error };
}

const endsOf = (futures: readonly Future<unknown>[]): Promise<FinalState[]> =>
  Promise.all(futures.map((future) => future.state()));

function futuresIn(value: unknown, found = new Set<Future<unknown>>(), seen = new Set<object>()): Set<Future<unknown>> {
  if (value instanceof Future) return found.add(value);
  if (value instanceof Allowed) return found.add(value.future);
  if (typeof value !== 'object' || value === null || seen.has(value)) return found;
  seen.add(value);
  for (const part of partsOf(value) ?? []) futuresIn(part, found, seen);
  return found;
}

/** Copies with what has come in its place; of a part that is in several places, or in itself, one copy. */
class Filling {
  readonly #ends: ReadonlyMap<Future<unknown>, FinalState>;
  readonly #missing: FinalState[];
  readonly #copies = new Map<object, unknown>();

  constructor(ends: ReadonlyMap<Future<unknown>, FinalState>, missing: FinalState[]) {
    this.#ends = ends;
    this.#missing = missing;
  }

  of(value: unknown): unknown {
    if (value instanceof Future) return this.#end(value, false);
    if (value instanceof Allowed) return this.#end(value.future, true);
    if (!hasFutures(value)) return value;
    const whole = value as object;
    return this.#copies.has(whole) ? this.#copies.get(whole) : this.#copied(whole);
  }

  #copied(value: object): unknown {
    if (Array.isArray(value)) {
      const list: unknown[] = this.#known(value, []);
      for (const item of value) list.push(this.of(item));
      return list;
    }
    if (value instanceof Set) {
      const set = this.#known(value, new Set());
      for (const item of value) set.add(this.of(item));
      return set;
    }
    if (value instanceof Map) {
      const map = this.#known(value, new Map<unknown, unknown>());
      for (const [key, item] of value as Map<unknown, unknown>) map.set(this.of(key), this.of(item));
      return map;
    }
    const object = this.#known(value, {});
    for (const [name, item] of Object.entries(value)) {
      Object.defineProperty(object, name, {
        value: this.of(item),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return object;
  }

  #known<Copy>(value: object, copy: Copy): Copy {
    this.#copies.set(value, copy);
    return copy;
  }

  #end(future: Future<unknown>, mayFail: boolean): unknown {
    const end = this.#ends.get(future);
    return end === undefined ? undefined : filling(end, this.#missing, mayFail);
  }
}

function filling(state: FinalState, missing: FinalState[], mayFail: boolean): unknown {
  if (state.isCompleted) return state.value;
  if (mayFail && state.type === 'FAILED') return state.error;
  missing.push(state);
  return `(${state.name}${state.runId === undefined ? '' : ` ${state.runId}`})`;
}
