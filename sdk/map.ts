/** One call for each element of lists: the lists go side by side, what is no list is the same for all. */
import { AssentError } from '../protocol/errors.ts';
import { Future, FutureList } from './future.ts';
import type { Given } from './upstream.ts';

/** Made by {@link unmapped}. */
export class Unmapped<T> {
  readonly value: T;
  constructor(value: T) {
    this.value = value;
  }
}

/**
 * Gives a list to each call of a `map` whole, instead of an element to each.
 *
 * @example
 * import { flow, task, unmapped } from 'assent';
 *
 * const scale = task({ name: 'scale' }, (n: number, by: number[]) => by.map((factor) => n * factor));
 * const all = flow({ name: 'all' }, () => scale.map([1, 2], unmapped([10, 100])).results());
 * console.log(await all()); // [ [ 10, 100 ], [ 20, 200 ] ]
 */
export const unmapped = <T>(value: T): Unmapped<T> => new Unmapped(value);

/** What `map` takes in place of an input: a list of such inputs, or one for all calls. */
export type MapInput<T> = Iterable<Given<T>> | Unmapped<Given<T>> | (T extends Iterable<unknown> ? never : Given<T>);
/** What `map` takes: for each input, a list of them, or one that is the same for all calls. */
export type MapInputs<Inputs extends readonly unknown[]> = { readonly [K in keyof Inputs]: MapInput<Inputs[K]> };

/** @throws AssentError BAD_OPTION if there is no list, or lists are of different lengths. */
export function mapped<T>(
  whose: string,
  given: readonly unknown[],
  call: (inputs: readonly unknown[]) => Future<T>,
): FutureList<T> {
  const columns = given.map(columnOf);
  const lengths = new Set(columns.flatMap((column) => (column.type === 'LIST' ? [column.values.length] : [])));
  const problem =
    lengths.size === 0
      ? 'map needs a list among its inputs; a future of a list is awaited first'
      : `the lists of map have different lengths: ${[...lengths].join(', ')}`;
  const [length] = lengths;
  if (length === undefined || lengths.size > 1) throw new AssentError('BAD_OPTION', `${whose}: ${problem}.`);
  const futures = new FutureList<T>();
  for (let row = 0; row < length; row += 1) {
    futures.push(call(columns.map((column) => (column.type === 'LIST' ? column.values[row] : column.value))));
  }
  return futures;
}

type Column =
  { readonly type: 'LIST'; readonly values: readonly unknown[] } | { readonly type: 'ONE'; readonly value: unknown };

function columnOf(given: unknown): Column {
  if (given instanceof Unmapped) return { type: 'ONE', value: given.value as unknown };
  const isList = typeof given === 'object' && given !== null && Symbol.iterator in given && !ArrayBuffer.isView(given);
  return isList && !(given instanceof Future)
    ? { type: 'LIST', values: [...(given as Iterable<unknown>)] }
    : { type: 'ONE', value: given };
}
