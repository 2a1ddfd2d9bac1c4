/**
 * What a cache key is made of. A policy says some texts about a call, or that it has nothing to say; the key is the digest of
 * what is said, so calls about which the same is said share a result. The policies and their names are Prefect 3's.
 */
import { hash } from 'node:crypto';
import { AssentError } from '../protocol/errors.ts';
import { sharedText } from './canonical.ts';

/** What a policy, or a function in its place, can know about a call. */
export interface CacheContext {
  /** The task's name. */
  readonly task: string;
  /** The task's function as text. */
  readonly source: string;
  readonly inputs: readonly unknown[];
  /** The flow run that makes the call; of a background run, the run itself. */
  readonly flowRunId: string;
  readonly flowName: string;
  /** The parameters of that flow run. */
  readonly flowParameters: unknown;
}

/** Undefined: it has nothing to say. NOT_KEYED: it cannot tell this call from others, so there is no key. */
type Said = string | undefined | typeof NOT_KEYED;
const NOT_KEYED = Symbol('not keyed');
type Part = (context: CacheContext, excluded: ReadonlySet<string | number>) => Said;

const ignore = (): void => undefined;

/** What a cache key is made of; see {@link INPUTS}. */
export class CachePolicy {
  readonly #parts: readonly Part[];
  readonly #excluded: ReadonlySet<string | number>;

  constructor(parts: readonly Part[], excluded: ReadonlySet<string | number> = new Set()) {
    this.#parts = parts;
    this.#excluded = excluded;
  }

  /** Both count: the key tells apart whatever one of them tells apart. A function says a key of its own. */
  plus(other: CachePolicy | ((context: CacheContext) => string | undefined)): CachePolicy {
    if (!(other instanceof CachePolicy) && typeof other !== 'function') {
      throw new AssentError('BAD_OPTION', 'plus: expected a cache policy, or a function.');
    }
    const { parts, excluded } =
      other instanceof CachePolicy
        ? { parts: other.#parts, excluded: other.#excluded }
        : { parts: [other], excluded: new Set<string>() };
    return new CachePolicy([...this.#parts, ...parts], new Set([...this.#excluded, ...excluded]));
  }

  /** Without an input: a property of the inputs that are objects, or an input by its place from 0. */
  minus(input: string | number): CachePolicy {
    if (typeof input !== 'string' && (!Number.isSafeInteger(input) || input < 0)) {
      throw new AssentError('BAD_OPTION', 'minus: expected the name of a property, or the place of an input.');
    }
    return new CachePolicy(this.#parts, new Set([...this.#excluded, input]));
  }

  /**
   * The key of a call; undefined if there is nothing to make one of, and nothing is kept. `onProblem` hears why it cannot be
   * made: an input cannot be told from others, or a function that says the key has thrown.
   */
  keyOf(context: CacheContext, onProblem: (problem: string, error?: unknown) => void = ignore): string | undefined {
    const said: string[] = [];
    try {
      for (const part of this.#parts) {
        const one = part(context, this.#excluded);
        if (one === NOT_KEYED) {
          onProblem('its inputs cannot be told from others by their contents');
          return undefined;
        }
        if (one !== undefined) said.push(one);
      }
    } catch (error) {
      onProblem('the function that says its key failed', error);
      return undefined;
    }
    return said.length === 0 ? undefined : hash('sha256', JSON.stringify(said), 'hex');
  }
}

/**
 * The call's inputs, by their contents. Inputs that have none that can be seen (functions, instances of classes, secrets that
 * do not say where they come from) give no key; leave them out with `minus`.
 *
 * @example
 * import { flow, INPUTS, task, TASK_SOURCE } from 'assent';
 *
 * const train = task(
 *   { name: 'train', cachePolicy: INPUTS.minus('verbose').plus(TASK_SOURCE), cacheExpiration: '1d' },
 *   (options: { rows: number; verbose: boolean }) => options.rows * 2,
 * );
 * const nightly = flow({ name: 'nightly' }, () => train({ rows: 21, verbose: true }));
 * console.log(await nightly()); // 42
 */
export const INPUTS = new CachePolicy([
  ({ inputs }, excluded) => {
    if (inputs.length === 0) return undefined;
    const counted = inputs.filter((_, index) => !excluded.has(index)).map((input) => without(input, excluded));
    return sharedText(counted) ?? NOT_KEYED;
  },
]);

/** The text of the task's function: a result is not used any more when the code changes. What it calls does not count. */
export const TASK_SOURCE = new CachePolicy([({ source }) => `source ${hash('sha256', source, 'hex')}`]);

/** The parameters of the flow run that makes the call. */
export const FLOW_PARAMETERS = new CachePolicy([
  ({ flowParameters }) => {
    const text = sharedText(flowParameters);
    return text === undefined ? NOT_KEYED : `parameters ${text}`;
  },
]);

/** The flow run: a result is used within it only. */
export const RUN_ID = new CachePolicy([({ flowRunId }) => `run ${flowRunId}`]);

/** Nothing is kept; added to another policy, it changes nothing. */
export const NO_CACHE = new CachePolicy([]);

/** {@link INPUTS}, {@link TASK_SOURCE} and {@link RUN_ID}: equal calls of one flow run are computed once. */
export const DEFAULT = INPUTS.plus(TASK_SOURCE).plus(RUN_ID);

function without(input: unknown, excluded: ReadonlySet<string | number>): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input) || excluded.size === 0) return input;
  const prototype: unknown = Object.getPrototypeOf(input);
  if (prototype !== null && prototype !== Object.prototype) return input;
  return Object.fromEntries(Object.entries(input).filter(([name]) => !excluded.has(name)));
}
