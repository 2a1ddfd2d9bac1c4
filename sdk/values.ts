/**
 * Values that cross the ledger, as text: the notation of devalue, with three words of our own, `Error` (an ErrorRecord),
 * `Buffer` (a Uint8Array) and `Secret` (a reference), and those of the user's own classes (serializers.ts). Dates, maps,
 * sets, big integers, URLs, regular expressions, typed arrays and cycles survive; functions, symbols and instances of
 * other classes do not, and say so with their path.
 *
 * R1 What is recorded holds no secret that was revealed in this process.
 */
import { parse, stringify } from 'devalue';
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { sha256 } from '../protocol/segment.ts';
import type { ErrorRecord, Value } from '../protocol/values.ts';
import { errorRecord, headline, isError, revivedError, shortText } from './errors-across.ts';
import type { Redaction } from './redaction.ts';
import { placeOfFault, refuseUnwhole } from './recordable.ts';
import { scrubbedForPeople, scrubbedRecord } from './scrubber.ts';
import { Secret, secretOf, type SecretReference } from './secrets.ts';
import { ownReducers, ownRevivers, unknownSerializer } from './serializers.ts';

/** How deep errors may be nested in each other's causes by way of other values. */
const NESTED_ERRORS_MAX = 8;
let nestedErrors = 0;

const builtIn = {
  Secret: (value: unknown) => value instanceof Secret && value.reference,
  Error: (value: unknown) => isError(value) && reduceError(value),
  Buffer: (value: unknown) => Buffer.isBuffer(value) && new Uint8Array(value),
  // Never a word: what none of these knows, it refuses or leaves to devalue.
  Unwhole: refuseUnwhole,
};

/** The user's own come first: one may be an error. They may be registered at any time. */
function reducers(): Record<string, (value: unknown) => unknown> {
  if (madeOf !== ownReducers) {
    madeOf = ownReducers;
    made = { ...ownReducers, ...builtIn };
  }
  return made;
}
let madeOf = ownReducers;
let made: Record<string, (value: unknown) => unknown> = builtIn;

/** The cause is tried by itself first: one that cannot be recorded must not take its error with it. */
function reduceError(error: unknown): ErrorRecord {
  const record = redactedRecord(errorRecord(error));
  if (record.cause === undefined) return record;
  nestedErrors += 1;
  try {
    if (nestedErrors > NESTED_ERRORS_MAX) return { ...record, cause: shortText(record.cause) };
    stringify(record.cause, reducers(), options);
    return record;
  } catch {
    return { ...record, cause: shortText(record.cause) };
  } finally {
    nestedErrors -= 1;
  }
}

const options = {
  operations: {
    /** The visible part of a view only: what else its buffer holds is nobody's business. */
    viewInfo: (view: ArrayBufferView) => {
      const whole = view.byteLength === view.buffer.byteLength;
      const end = view.byteOffset + view.byteLength;
      return {
        buffer: whole ? view.buffer : view.buffer.slice(view.byteOffset, end),
        byteOffset: 0,
        byteLength: view.byteLength,
        length: view.byteLength,
        bufferByteLength: view.byteLength,
      };
    },
  },
};

const revivers = {
  Secret: (reference: SecretReference) => secretOf(reference),
  Error: (record: ErrorRecord) => revivedError(record),
  Buffer: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
};

/**
 * The text of a value; `what` says whose it is, as the subject of a sentence.
 * @throws AssentError VALUE_NOT_SERIALIZABLE
 */
export function encodeText(value: unknown, what: string): string {
  try {
    return stringify(value, reducers(), options);
  } catch (error) {
    if (isTooLong(error)) throw tooLarge(what, 'too many');
    const place = isTooDeep(error) ? '' : (pathIn(error) ?? placeOfFault(value, isRecordable));
    const at = place === '' ? '' : ` at ${place}`;
    throw new AssentError('VALUE_NOT_SERIALIZABLE', `${what} cannot be recorded${at}: ${problemIn(error)}.`, {
      cause: error,
    });
  }
}

const isTooLong = (error: unknown): boolean => error instanceof RangeError && error.message === 'Invalid string length';
const isTooDeep = (error: unknown): boolean => error instanceof RangeError && error.message.startsWith('Maximum call');

/** What devalue says of some. */
function pathIn(error: unknown): string | undefined {
  const { path } = (error ?? {}) as { readonly path?: unknown };
  return typeof path === 'string' && path !== '' ? path : undefined;
}

function problemIn(error: unknown): string {
  if (isTooDeep(error)) return 'it is nested too deeply';
  return isError(error) ? headline(error).replace(/^\w+: /, '') : shortText(error);
}

function isRecordable(part: unknown): boolean {
  try {
    stringify(part, reducers(), options);
    return true;
  } catch {
    return false;
  }
}

/** @throws AssentError SERIALIZER_UNKNOWN */
export function decodeText(text: string): unknown {
  try {
    return parse(text, { ...ownRevivers, ...revivers }) as unknown;
  } catch (error) {
    throw unknownSerializer(error) ?? error;
  }
}

/** What is redacted in the error that is being encoded, and in those within it. */
let redacts: Redaction | undefined;

function redactedRecord(record: ErrorRecord): ErrorRecord {
  if (redacts === undefined) return record;
  const { cause, fields, ...rest } = record;
  return {
    ...rest,
    ...(cause === undefined ? {} : { cause: isError(cause) ? cause : redacts.ofData(cause) }),
    ...(fields === undefined ? {} : { fields: redacts.of(fields) as NonNullable<ErrorRecord['fields']> }),
  };
}

/** The text of whatever was thrown; there is always one. Read it with {@link decodeError}. */
export function encodeError(thrown: unknown, redact?: Redaction): string {
  const before = redacts;
  redacts = redact;
  try {
    return encodedError(thrown);
  } finally {
    redacts = before;
  }
}

function encodedError(thrown: unknown): string {
  const record = reduceError(thrown);
  try {
    const text = scrubbedForPeople(stringify(record, reducers(), options));
    // A cause that leads back to its error can be written, but not read.
    if (record.cause !== undefined) decodeText(text);
    return text;
  } catch {
    const { cause, ...rest } = record;
    const plain = cause === undefined ? rest : { ...rest, cause: shortText(cause) };
    // What is left is text: a serializer that fails has nothing to do with it.
    return scrubbedForPeople(stringify(plain, builtIn, options));
  }
}

export const decodeError = (text: string): unknown => revivedError(decodeText(text) as ErrorRecord);

/** A text as it stands in the ledger; one that may not stand inline belongs in the object store. */
export type Recorded = { readonly value: Value; readonly text: string; readonly inline: boolean };

/** What is recorded for people to look at, and nobody computes with. @throws AssentError VALUE_TOO_LARGE */
export const recordedForPeople = (encoded: string, what: string): Recorded =>
  asRecorded(scrubbedForPeople(encoded), what);

/** @throws AssentError VALUE_TOO_LARGE */
export const recorded = (encoded: string, what: string): Recorded => asRecorded(scrubbedRecord(encoded), what);

function asRecorded(text: string, what: string): Recorded {
  const size = Buffer.byteLength(text);
  if (size > LIMITS.valueBytesMax) {
    throw tooLarge(what, String(size));
  }
  const digest = sha256(text);
  const inline = size <= LIMITS.inlineBytesMax;
  return { value: inline ? { digest, size, inline: text } : { digest, size }, text, inline };
}

function tooLarge(what: string, bytes: string): AssentError {
  const limit = `${String(LIMITS.valueBytesMax / 1024 / 1024)} MiB`;
  return new AssentError('VALUE_TOO_LARGE', `${what} has ${bytes} bytes as text, the limit is ${limit}.`);
}
