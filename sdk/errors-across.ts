/**
 * Errors that cross the ledger: what is kept of one, and how it comes back. It comes back as an instance of its own
 * class where that class is built into the language or is AssentError, else as an Error with its name; with its cause, and
 * what it says of itself in texts, numbers and truth values.
 */
import { inspect } from 'node:util';
import { AssentError, ERRORS, type ErrorKind } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { scrubbed } from './scrubber.ts';
import type { ErrorRecord } from '../protocol/values.ts';

/** What stands as the name of something that was thrown and is no error; the thing itself is its `cause`. */
const NO_ERROR = 'NonError';
/** Characters; what is longer says nothing more to anybody. */
const STACK_MAX = 8000;
const CAUSES_MAX = 16;

/** An error of another realm (a vm context, a test runner's) is no instance of ours. What cannot be looked at is none. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}

/** What was thrown; of what throws when it is looked at, that. */
export function lookedAt(thrown: unknown): unknown {
  try {
    return thrown instanceof Error || Object.prototype.toString.call(thrown) !== '' ? thrown : undefined;
  } catch (error) {
    const why = isError(error) ? headline(error) : 'nobody knows why';
    return new Error(`what was thrown cannot be looked at: ${why}`);
  }
}

/** What is kept of whatever was thrown. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (!isError(thrown)) return { name: NO_ERROR, message: shortText(thrown), cause: thrown };
  const [stack, code] = [memberOf(thrown, 'stack'), memberOf(thrown, 'code')];
  const cause = causeOf(thrown);
  const errors = memberOf(thrown, 'errors');
  const fields = fieldsOf(thrown);
  return {
    name: textOf(memberOf(thrown, 'name')),
    message: textOf(memberOf(thrown, 'message')),
    ...(typeof stack === 'string' ? { stack: stack.slice(0, STACK_MAX) } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause === undefined ? {} : { cause }),
    ...(thrown instanceof AggregateError && cause !== errors ? { errors } : {}),
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
  };
}

/** One that throws when it is looked at says nothing. */
function memberOf(error: Error, name: string): unknown {
  try {
    return (error as unknown as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}

const KEPT_ELSEWHERE: ReadonlySet<string> = new Set([
  'name',
  'message',
  'stack',
  'code',
  'cause',
  'errors',
  '__proto__',
]);
const FIELDS_MAX = 32;

/** What code tells errors apart by. Objects are left out: requests and responses are large, and full of what is nobody's business. */
function fieldsOf(error: Error): NonNullable<ErrorRecord['fields']> {
  const names = error instanceof AssentError ? [] : Object.keys(error).filter((name) => !KEPT_ELSEWHERE.has(name));
  const fields: Record<string, string | number | bigint | boolean | null> = {};
  for (const name of names.slice(0, FIELDS_MAX)) {
    const value = memberOf(error, name);
    if (isField(value)) fields[name] = value;
  }
  return fields;
}

function isField(value: unknown): value is string | number | bigint | boolean | null {
  if (typeof value === 'string') return value.length <= LIMITS.textMax;
  return value === null || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

/** Whatever an error's author has put there. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : shortText(value));

/** The members of an AggregateError stand as its cause, which it seldom has. A chain that comes back to itself is cut. */
function causeOf(error: Error): unknown {
  const own = memberOf(error, 'cause');
  const cause = error instanceof AggregateError ? (own ?? memberOf(error, 'errors')) : own;
  const seen = new Set<unknown>([error]);
  for (let next = cause; isError(next); next = memberOf(next, 'cause')) {
    if (seen.has(next) || seen.size > CAUSES_MAX) return shortText(cause);
    seen.add(next);
  }
  return cause;
}

export function shortText(value: unknown): string {
  if (typeof value === 'string') return value.slice(0, STACK_MAX);
  try {
    return inspect(value, { depth: 2 }).slice(0, STACK_MAX);
  } catch {
    return `a value of type ${typeof value} that cannot be looked at`;
  }
}

const BUILT_IN: Readonly<Record<string, new (message: string) => Error>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** The error again, or whatever else was thrown. */
export function revivedError(record: ErrorRecord): unknown {
  const { name, message, stack, code, cause, errors, fields } = record;
  if (name === NO_ERROR) return cause ?? message;
  const error = emptyError(record);
  const hidden = (value: unknown): PropertyDescriptor => ({ value, configurable: true, writable: true });
  if (error.name !== name) Object.defineProperty(error, 'name', hidden(name));
  Object.defineProperty(error, 'message', hidden(message));
  if (stack !== undefined) Object.defineProperty(error, 'stack', hidden(stack));
  const isOfErrors = error instanceof AggregateError && errors === undefined;
  if (cause !== undefined && !isOfErrors) Object.defineProperty(error, 'cause', hidden(cause));
  if (fields !== undefined && !(error instanceof AssentError)) Object.assign(error, fields);
  if (code !== undefined && !(error instanceof AssentError)) Object.assign(error, { code });
  return error;
}

function emptyError({ name, message, code, cause, errors = cause }: ErrorRecord): Error {
  if (name === 'AssentError') {
    const kind = (Object.keys(ERRORS) as ErrorKind[]).find((one) => ERRORS[one].code === code);
    if (kind !== undefined) return new AssentError(kind, message, cause === undefined ? {} : { cause });
  }
  if (name === 'AggregateError') return new AggregateError(Array.isArray(errors) ? (errors as unknown[]) : [], message);
  const BuiltIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  return new (BuiltIn ?? Error)(message);
}

/** One line for people; of an error of ours without its code and remedy. */
export function headline(error: unknown): string {
  const text = !isError(error)
    ? shortText(error)
    : error instanceof AssentError
      ? error.detail
      : `${textOf(memberOf(error, 'name'))}: ${textOf(memberOf(error, 'message'))}`;
  return (scrubbed(text).split('\n', 1)[0] ?? '').slice(0, LIMITS.textMax);
}
