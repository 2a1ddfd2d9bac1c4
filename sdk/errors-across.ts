/**
 * Errors that cross the ledger: what is kept of one, and how it comes back. It comes back as an instance of its own
 * class where that class is built into the language or is AssentError, else as an Error with its name.
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

// An error of another realm (a vm context, a test runner's) is no instance of ours.
export const isError = (value: unknown): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';

/** What is kept of whatever was thrown. */
export function errorRecord(thrown: unknown): ErrorRecord {
  if (!isError(thrown)) return { name: NO_ERROR, message: shortText(thrown), cause: thrown };
  const { name, message, stack } = thrown;
  const code: unknown = (thrown as { code?: unknown }).code;
  const cause = causeOf(thrown);
  return {
    name: textOf(name),
    message: textOf(message),
    ...(typeof stack === 'string' ? { stack: stack.slice(0, STACK_MAX) } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause === undefined ? {} : { cause }),
  };
}

/** Whatever an error's author has put there. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : shortText(value));

/** The members of an AggregateError stand as its cause, which it seldom has. A chain that comes back to itself is cut. */
function causeOf(error: Error): unknown {
  const cause = error instanceof AggregateError ? (error.cause ?? error.errors) : error.cause;
  const seen = new Set<unknown>([error]);
  for (let next = cause; isError(next); next = next.cause) {
    if (seen.has(next) || seen.size > CAUSES_MAX) return shortText(cause);
    seen.add(next);
  }
  return cause;
}

export const shortText = (value: unknown): string =>
  typeof value === 'string' ? value.slice(0, STACK_MAX) : inspect(value, { depth: 2 }).slice(0, STACK_MAX);

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
  const { name, message, stack, code, cause } = record;
  if (name === NO_ERROR) return cause ?? message;
  const error = emptyError(record);
  const hidden = (value: unknown): PropertyDescriptor => ({ value, configurable: true, writable: true });
  if (error.name !== name) Object.defineProperty(error, 'name', hidden(name));
  Object.defineProperty(error, 'message', hidden(message));
  if (stack !== undefined) Object.defineProperty(error, 'stack', hidden(stack));
  if (cause !== undefined && !(error instanceof AggregateError)) Object.defineProperty(error, 'cause', hidden(cause));
  if (code !== undefined && !(error instanceof AssentError)) Object.assign(error, { code });
  return error;
}

function emptyError({ name, message, code, cause }: ErrorRecord): Error {
  if (name === 'AssentError') {
    const kind = (Object.keys(ERRORS) as ErrorKind[]).find((one) => ERRORS[one].code === code);
    if (kind !== undefined) return new AssentError(kind, message, cause === undefined ? {} : { cause });
  }
  if (name === 'AggregateError') return new AggregateError(Array.isArray(cause) ? (cause as unknown[]) : [], message);
  const BuiltIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  return new (BuiltIn ?? Error)(message);
}

/** One line for people; of an error of ours without its code and remedy. */
export function headline(error: unknown): string {
  const text = !isError(error)
    ? shortText(error)
    : error instanceof AssentError
      ? error.detail
      : `${error.name}: ${error.message}`;
  return (scrubbed(text).split('\n', 1)[0] ?? '').slice(0, LIMITS.textMax);
}
