/**
 * Recorded values as plain data, for people and for JSON: their text is in the notation of devalue, with two words of the
 * SDK's own (sdk/values.ts). What JSON does not know is shown in words.
 */
import { parse, stringify } from 'devalue';
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { sha256 } from '../../protocol/segment.ts';
import type { ErrorRecord, Value } from '../../protocol/values.ts';

const revivers = { Error: (record: unknown) => record, Buffer: (bytes: unknown) => bytes, Secret: () => '***' };

/** Plain data; the text itself if it cannot be read. */
export function decodeValue(text: string): unknown {
  try {
    return plain(parse(text, { ...revivers, ...ownWords(text) }), new Set());
  } catch {
    return text;
  }
}

/** Words that devalue does not know are classes of the program's own; what they hold is shown under their name. */
function ownWords(text: string): Record<string, (held: unknown) => unknown> {
  const parts: unknown = JSON.parse(text);
  if (!Array.isArray(parts)) return {};
  const words = parts.map((part: unknown) => (Array.isArray(part) ? (part[0] as unknown) : undefined));
  const own = words.filter((word) => typeof word === 'string').filter((word) => !KNOWN_WORDS.test(word));
  return Object.fromEntries(own.map((word) => [word, (held: unknown) => ({ [word]: held })]));
}

const KNOWN_WORDS =
  /^(Date|Set|Map|RegExp|Object|BigInt|null|ArrayBuffer|DataView|\w+Array|URL|URLSearchParams|Temporal\..+|Error|Buffer|Secret)$/;

/** A plain value as it is recorded. @throws AssentError VALUE_TOO_LARGE: only the SDK puts values into the object store. */
export function inlineValue(value: unknown): Value {
  const inline = stringify(value);
  const size = Buffer.byteLength(inline);
  if (size <= LIMITS.inlineBytesMax) return { digest: sha256(inline), size, inline };
  const limit = String(LIMITS.inlineBytesMax);
  throw new AssentError('VALUE_TOO_LARGE', `It has ${String(size)} bytes, from the command line at most ${limit}.`);
}

/** A value as it stands in a JSON answer: with its contents, where they stand in the ledger. */
export const openValue = (value: Value): unknown =>
  value.inline === undefined ? value : { ...value, inline: undefined, value: decodeValue(value.inline) };

/** `TypeError: x is not a function`, and where. */
export function errorLines(value: Value): string[] {
  const record = value.inline === undefined ? undefined : (decodeValue(value.inline) as Partial<ErrorRecord> | null);
  if (typeof record?.message !== 'string') return [];
  const lines = (record.stack ?? headOf(record)).split('\n');
  const own = lines.filter((line) => !FOREIGN_FRAME.test(line));
  return [...own, ...causeLines(record.cause, 0)];
}

const headOf = ({ name = 'Error', message = '' }: Partial<ErrorRecord>): string => `${name}: ${message}`;

/** Frames of Node's own code and of ours lead nowhere. */
const FOREIGN_FRAME = /^\s+at .*(\bnode:internal\/|\/assent\/dist\/)/;
const CAUSES_MAX = 5;

/** What is at the bottom of it is often said by its cause alone. */
function causeLines(cause: unknown, depth: number): string[] {
  if (typeof cause !== 'object' || cause === null || depth >= CAUSES_MAX) return [];
  if (Array.isArray(cause)) return cause.flatMap((one) => causeLines(one, depth + 1));
  const record = cause as Partial<ErrorRecord>;
  if (typeof record.message !== 'string') return [];
  const code = record.code === undefined ? '' : ` (${String(record.code)})`;
  return [`caused by ${headOf(record)}${code}`, ...causeLines(record.cause, depth + 1)];
}

function plain(value: unknown, above: ReadonlySet<object>): unknown {
  if (typeof value === 'bigint') return `${String(value)}n`;
  if (typeof value !== 'object' || value === null) return value;
  if (above.has(value)) return '[circular]';
  const inside = new Set([...above, value]);
  if (Array.isArray(value)) return value.map((item) => plain(item, inside));
  if (value instanceof Date || value instanceof URL) return value.toJSON();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Map) return [...value].map(([key, item]) => [plain(key, inside), plain(item, inside)]);
  if (value instanceof Set) return [...value].map((item) => plain(item, inside));
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `(${String(value.byteLength)} bytes)`;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, inside)]));
}
