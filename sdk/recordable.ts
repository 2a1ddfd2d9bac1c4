/**
 * What the notation of recorded values would lose without a word: instances of classes that extend the built-in ones, and
 * properties that lists, dates and the like have besides their contents. Nothing of such a value is recorded, rather than a
 * part; and where in a value the part is that cannot be recorded.
 */
import { types } from 'node:util';
import { shortText } from './errors-across.ts';

/** What devalue records by its contents. */
const KNOWN: ReadonlySet<unknown> = new Set([
  Array.prototype,
  Map.prototype,
  Set.prototype,
  Date.prototype,
  RegExp.prototype,
  URL.prototype,
  URLSearchParams.prototype,
]);
const TAGS = /^(Array|Map|Set|Date|RegExp|URL|URLSearchParams|ArrayBuffer|DataView|\w+Array)$/;

export const A_PROMISE = 'it is a promise; await it, or pass on the future that `submit()` gives';

/** For devalue, as a reducer. @throws Error that says what is wrong. */
export function refuseUnwhole(value: unknown): false {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return false;
  if (types.isPromise(value)) throw new Error(A_PROMISE);
  const isList = Array.isArray(value);
  if (!KNOWN.has(prototype)) {
    const tag = isList ? 'Array' : Object.prototype.toString.call(value).slice(8, -1);
    if (!TAGS.test(tag)) return false;
    const { constructor } = value;
    if (typeof constructor === 'function' && !isBuiltIn(constructor)) {
      throw new Error(
        `a '${constructor.name}' would come back as a plain ${tag}; make one of it, or register a serializer`,
      );
    }
  }
  if (ArrayBuffer.isView(value)) return false;
  // Those that are no place in the list come last.
  const own = Object.keys(value).at(-1);
  if (own === undefined || (isList && /^\d+$/.test(own))) return false;
  throw new Error(`it has a property besides its contents, '${own}'`);
}

/** Of whatever realm. */
function isBuiltIn(constructor: unknown): boolean {
  const known = builtIn.get(constructor as object);
  if (known !== undefined) return known;
  const found = / \[native code\] \}$/.test(Function.prototype.toString.call(constructor));
  builtIn.set(constructor as object, found);
  return found;
}
const builtIn = new WeakMap<object, boolean>();

/** Steps to be named; the fault is somewhere below. */
const STEPS_MAX = 50;

/** The path to the innermost part that is not recordable; empty if it is the value itself. */
export function placeOfFault(value: unknown, isRecordable: (part: unknown) => boolean): string {
  const seen = new Set<unknown>();
  let place = '';
  let part = value;
  for (let step = 0; step < STEPS_MAX && !seen.has(part); step += 1) {
    seen.add(part);
    const fault = faultIn(part, isRecordable);
    if (fault === undefined) return place;
    place += fault.step;
    part = fault.part;
  }
  return place;
}

type Part = { readonly step: string; readonly part: unknown };

function faultIn(value: unknown, isRecordable: (part: unknown) => boolean): Part | undefined {
  try {
    for (const [step, read] of partsOf(value)) {
      try {
        const part = read();
        if (!isRecordable(part)) return { step, part };
      } catch {
        return { step, part: undefined };
      }
    }
  } catch {
    // It cannot be looked into: the fault is its own.
  }
  return undefined;
}

function* partsOf(value: unknown): Generator<[step: string, read: () => unknown]> {
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Map) {
    for (const [key, part] of value as Map<unknown, unknown>) {
      const name = typeof key === 'string' ? JSON.stringify(key) : typeof key === 'object' ? '…' : shortText(key);
      yield [`.get(${name})`, () => part];
    }
  } else if (value instanceof Set) {
    for (const part of value as Set<unknown>) yield ['', () => part];
  } else {
    for (const name of Object.keys(value)) {
      const read = (): unknown => (value as Readonly<Record<string, unknown>>)[name];
      yield [stepTo(name, Array.isArray(value)), read];
    }
  }
}

function stepTo(name: string, isInList: boolean): string {
  if (isInList) return `[${name}]`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
