/**
 * Values that cross the ledger, as text: the notation of devalue, with two words of our own, `Error` (an ErrorRecord)
 * and `Buffer` (a Uint8Array). Dates, maps, sets, big integers, URLs, regular expressions, typed arrays and cycles
 * survive; functions, symbols and instances of classes do not, and say so with their path.
 */
import { parse, stringify } from 'devalue';
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { sha256 } from '../protocol/segment.ts';
import type { ErrorRecord, Value } from '../protocol/values.ts';
import { errorRecord, isError, revivedError, shortText } from './errors-across.ts';

/** How deep errors may be nested in each other's causes by way of other values. */
const NESTED_ERRORS_MAX = 8;
let nestedErrors = 0;

const reducers = {
  Error: (value: unknown) => isError(value) && reduceError(value),
  Buffer: (value: unknown) => Buffer.isBuffer(value) && new Uint8Array(value),
};

/** The cause is tried by itself first: one that cannot be recorded must not take its error with it. */
function reduceError(error: unknown): ErrorRecord {
  const record = errorRecord(error);
  if (record.cause === undefined) return record;
  nestedErrors += 1;
  try {
    if (nestedErrors > NESTED_ERRORS_MAX) return { ...record, cause: shortText(record.cause) };
    stringify(record.cause, reducers, options);
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
  Error: (record: ErrorRecord) => revivedError(record),
  Buffer: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
};

/**
 * The text of a value; `what` says whose it is, as the subject of a sentence.
 * @throws AssentError VALUE_NOT_SERIALIZABLE
 */
export function encodeText(value: unknown, what: string): string {
  try {
    return stringify(value, reducers, options);
  } catch (error) {
    const { path, message } = error as { path?: string; message: string };
    const place = path === undefined || path === '' ? '' : ` at ${path}`;
    throw new AssentError('VALUE_NOT_SERIALIZABLE', `${what} cannot be recorded${place}: ${message}.`, {
      cause: error,
    });
  }
}

export const decodeText = (text: string): unknown => parse(text, revivers) as unknown;

/** The text of whatever was thrown; there is always one. Read it with {@link decodeError}. */
export function encodeError(thrown: unknown): string {
  const record = reduceError(thrown);
  const text = stringify(record, reducers, options);
  if (record.cause === undefined) return text;
  try {
    // A cause that leads back to its error can be written, but not read.
    decodeText(text);
    return text;
  } catch {
    return stringify({ ...record, cause: shortText(record.cause) }, reducers, options);
  }
}

export const decodeError = (text: string): unknown => revivedError(decodeText(text) as ErrorRecord);

/** A text as it stands in the ledger; one that may not stand inline belongs in the object store. */
export type Recorded = { readonly value: Value; readonly text: string; readonly inline: boolean };

/** @throws AssentError VALUE_TOO_LARGE */
export function recorded(text: string, what: string): Recorded {
  const size = Buffer.byteLength(text);
  if (size > LIMITS.valueBytesMax) {
    const limit = `${String(LIMITS.valueBytesMax / 1024 / 1024)} MiB`;
    throw new AssentError('VALUE_TOO_LARGE', `${what} has ${String(size)} bytes as text, the limit is ${limit}.`);
  }
  const digest = sha256(text);
  const inline = size <= LIMITS.inlineBytesMax;
  return { value: inline ? { digest, size, inline: text } : { digest, size }, text, inline };
}
