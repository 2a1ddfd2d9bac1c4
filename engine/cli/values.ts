/**
 * Recorded values as plain data, for people and for JSON: their text is in the notation of devalue, with two words of the
 * SDK's own (sdk/values.ts). What JSON does not know is shown in words.
 */
import { parse } from 'devalue';
import type { ErrorRecord, Value } from '../../protocol/values.ts';

const revivers = { Error: (record: unknown) => record, Buffer: (bytes: unknown) => bytes };

/** Plain data; the text itself if it cannot be read. */
export function decodeValue(text: string): unknown {
  try {
    return plain(parse(text, revivers), new Set());
  } catch {
    return text;
  }
}

/** A value as it stands in a JSON answer: with its contents, where they stand in the ledger. */
export const openValue = (value: Value): unknown =>
  value.inline === undefined ? value : { ...value, inline: undefined, value: decodeValue(value.inline) };

/** `TypeError: x is not a function`, and where. */
export function errorLines(value: Value): string[] {
  const record = value.inline === undefined ? undefined : (decodeValue(value.inline) as Partial<ErrorRecord> | null);
  if (typeof record?.message !== 'string') return [];
  const head = `${record.name ?? 'Error'}: ${record.message}`;
  return (record.stack ?? head).split('\n');
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
