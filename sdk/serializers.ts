/**
 * Classes of the user's in recorded values: under a name, as what their serializer makes of them.
 *
 * Z1 Names are public and permanent, as those of tasks are: what was recorded under one is read by it years later.
 */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';

/** How values of one class are recorded; `T` is the class, `Encoded` what stands for a value of it. */
export interface Serializer<T, Encoded = unknown> {
  /** What stands for the class in recorded values; permanent. A letter, then letters, digits, `_`, `.` and `-`; at most 200. */
  readonly name: string;
  /** Whether this is a value of the class. */
  readonly test: (value: unknown) => value is T;
  /** Anything that can be recorded, other registered classes included. */
  readonly encode: (value: T) => Encoded;
  readonly decode: (encoded: Encoded) => T;
}

type Reducer = (value: unknown) => unknown;
type Reviver = (encoded: [unknown]) => unknown;

const registered = new Map<string, Serializer<unknown>>();

/** For devalue; what a reducer gives must be truthy, so it is wrapped. */
export let ownReducers: Readonly<Record<string, Reducer>> = {};
export let ownRevivers: Readonly<Record<string, Reviver>> = {};

/**
 * Makes values of a class recordable: as parameters, inputs, results, messages and variables. Every process that reads
 * them must have registered the same name. One that is registered again replaces the one before.
 *
 * @throws AssentError BAD_OPTION if a function is missing, or the name has other characters, is too long, or is taken by a kind of value that is always recordable.
 * @example
 * import { flow, registerSerializer, task } from 'assent';
 *
 * class Money {
 *   readonly cents: number;
 *   constructor(cents: number) {
 *     this.cents = cents;
 *   }
 * }
 * registerSerializer({
 *   name: 'Money',
 *   test: (value) => value instanceof Money,
 *   encode: ({ cents }) => cents,
 *   decode: (cents: number) => new Money(cents),
 * });
 * const price = task({ name: 'price' }, () => new Money(1999));
 * const shop = flow({ name: 'shop' }, () => price());
 * console.log((await shop()).cents); // 1999
 */
export function registerSerializer<T, Encoded>(serializer: Serializer<T, Encoded>): void {
  const { name, test, encode, decode } = serializer;
  for (const [member, given] of Object.entries({ test, encode, decode })) {
    if (typeof given === 'function') continue;
    throw new AssentError('BAD_OPTION', `The serializer '${name}' is wrong: ${member}: expected a function.`);
  }
  if (typeof name !== 'string' || !NAME.test(name) || name.length > LIMITS.nameMax || RESERVED.test(name)) {
    throw new AssentError(
      'BAD_OPTION',
      `A serializer cannot be called '${name}': name: it has letters, digits, '_', '.' and '-', at most ${String(LIMITS.nameMax)}, and is none of the built-in ones.`,
    );
  }
  registered.set(name, serializer as Serializer<unknown>);
  ownReducers = { ...ownReducers, [name]: (value: unknown) => failing(name, () => test(value) && [encode(value)]) };
  ownRevivers = { ...ownRevivers, [name]: ([encoded]: [unknown]) => failing(name, () => decode(encoded as Encoded)) };
}

const NAME = /^[A-Za-z][\w.-]*$/;
/** Words of devalue's, and of our own. */
const RESERVED =
  /^(Date|Set|Map|RegExp|Object|BigInt|null|ArrayBuffer|DataView|\w+Array|URL|URLSearchParams|Temporal\..+|Error|Buffer|Secret)$/;

function failing<V>(name: string, act: () => V): V {
  try {
    return act();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`the serializer '${name}' failed: ${message}`, { cause: error });
  }
}

/** What a value is recorded as, if its class is registered. */
export function encodedByName(value: object): { readonly name: string; readonly encoded: unknown } | undefined {
  for (const [name, { test, encode }] of registered) {
    const found = failing(name, () => (test(value) ? { name, encoded: encode(value) } : undefined));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What devalue says of a word that nobody has registered, in our words. */
export function unknownSerializer(error: unknown): AssentError | undefined {
  const [, name] = /^Unknown type (.+)$/.exec(error instanceof Error ? error.message : '') ?? [];
  if (name === undefined) return undefined;
  return new AssentError(
    'SERIALIZER_UNKNOWN',
    `A recorded value is a '${name}', and no serializer of that name is known.`,
    {
      cause: error,
    },
  );
}
