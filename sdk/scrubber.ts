/**
 * What must not be seen, taken out of what leaves the process: recorded values, log lines, error texts, messages.
 *
 * S1 A revealed secret is taken out of everything, also out of recorded values. A redacted value is taken out of texts for
 *    people only: as part of another value it may be a common word, and what a flow computes with must stay as it is.
 * S2 Values shorter than LENGTH_MIN are not looked for: they would be found everywhere.
 * S3 What is scrubbed can still be read as what it was, JSON as JSON, a recorded value as a recorded value.
 */
import { hash } from 'node:crypto';
import { stringify } from 'devalue';

/** What stands instead. */
export const HIDDEN = '***';
const LENGTH_MIN = 4;
/** A line of a secret of several lines is looked for by itself, if it is so long. */
const LINE_MIN = 16;
/** Redacted values that are remembered; the oldest are forgotten first. */
const REDACTED_MAX = 1000;

/** A value, and how it may look in texts: as it is, escaped, in a URL. */
type Looks = readonly string[];
const revealed = new Map<string, Looks>();
const redacted = new Map<string, Looks>();

let onRevealed: (value: string) => void = () => undefined;

/** A thread tells its process what its code has revealed: what it gave is recorded there. */
export function tellRevealed(tell: (value: string) => void): void {
  onRevealed = tell;
}

/** A secret's value: from now on it is taken out of all that leaves. */
export function hideEverywhere(value: string): void {
  if (value.length < LENGTH_MIN) return;
  onRevealed(value);
  if (!revealed.has(value)) revealed.set(value, looksOf(value));
}

/** A redacted value: from now on it is taken out of texts for people. */
export function hideInTexts(value: string): void {
  if (value.length < LENGTH_MIN) return;
  const known = redacted.get(value);
  redacted.delete(value);
  redacted.set(value, known ?? looksOf(value));
  for (const oldest of redacted.keys()) {
    if (redacted.size <= REDACTED_MAX) break;
    redacted.delete(oldest);
  }
}

/** The longest first: one may be a part of another. */
function looksOf(value: string): Looks {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= LINE_MIN);
  const parts = [value, ...lines].flatMap((part) => [
    part,
    JSON.stringify(part).slice(1, -1),
    stringify(part).slice(2, -2),
    inUrl(part),
  ]);
  return [...new Set(parts)].sort((a, b) => b.length - a.length);
}

/** A text may end in half a character, which no URL can hold. */
function inUrl(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A text for people. */
export const scrubbed = (text: string): string => without(without(text, revealed), redacted);

/** A text that something is known by: it loses what was revealed, and stays apart from others (S1). */
export function scrubbedKey(key: string): string {
  const rest = withoutRevealed(key);
  return rest === key ? key : `${rest.slice(0, KEY_REST_MAX)} ${hash('sha256', key, 'hex')}`;
}

/** A word that may be one of ours, which redacted values are not looked for in. */
export const withoutRevealed = (text: string): string => without(text, revealed);

/** With the digest, a key is not longer than any may be. */
const KEY_REST_MAX = 100;

function without(text: string, hidden: ReadonlyMap<string, Looks>): string {
  let rest = text;
  for (const looks of hidden.values()) {
    for (const look of looks) if (rest.includes(look)) rest = rest.replaceAll(look, HIDDEN);
  }
  return rest;
}

const has = (text: string, hidden: ReadonlyMap<string, Looks>): boolean => {
  for (const looks of hidden.values()) if (looks.some((look) => text.includes(look))) return true;
  return false;
};

/** A line of a log: one JSON document. */
export function scrubbedLine(line: string): string {
  if (!has(line, revealed) && !has(line, redacted)) return line;
  const end = line.endsWith('\n') ? '\n' : '';
  return `${JSON.stringify(scrubbedJson(JSON.parse(line), scrubbed))}${end}`;
}

function scrubbedJson(value: unknown, scrub: (text: string) => string): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value === 'number') return scrub(String(value)) === HIDDEN ? HIDDEN : value;
  if (Array.isArray(value)) return value.map((item) => scrubbedJson(item, scrub));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [scrub(key), scrubbedJson(item, scrub)]));
}

/** A value in the notation of devalue: a list of parts, in which lists and objects hold the places of others. */
export const scrubbedRecord = (text: string): string =>
  has(text, revealed) ? scrubbedParts(text, (part) => without(part, revealed)) : text;

/** The same of an error, which is for people (S1). */
export const scrubbedErrorRecord = (text: string): string =>
  has(text, revealed) || has(text, redacted) ? scrubbedParts(text, scrubbed) : text;

function scrubbedParts(text: string, scrub: (text: string) => string): string {
  const parts: unknown = JSON.parse(text);
  // Nothing but a sign for what JSON has no word for.
  return Array.isArray(parts) ? JSON.stringify(parts.map((part) => scrubbedPart(part, scrub))) : text;
}

function scrubbedPart(part: unknown, scrub: (text: string) => string): unknown {
  if (!Array.isArray(part)) {
    if (typeof part !== 'object' || part === null) return scrubbedJson(part, scrub);
    // The values are places.
    return Object.fromEntries(Object.entries(part).map(([key, place]) => [scrub(key), place as unknown]));
  }
  const [word, ...rest] = part as unknown[];
  if (typeof word !== 'string') return part;
  const clean = rest.map((item) => (typeof item === 'string' ? scrub(item) : item));
  if (clean.every((item, index) => item === rest[index])) return part;
  return KEEPS_WITHOUT.has(word) || (word === 'URL' && URL.canParse(String(clean[0]))) ? [word, ...clean] : HIDDEN;
}

/** Words of devalue whose texts may be any. */
const KEEPS_WITHOUT: ReadonlySet<string> = new Set(['null', 'URLSearchParams']);

/** What an error says, it and its causes, before it leaves the run: whoever catches it may print it, or print it by not catching it. */
export function scrubError(thrown: unknown, seen: ReadonlySet<unknown> = new Set()): void {
  if (revealed.size + redacted.size === 0 || !(thrown instanceof Error) || seen.has(thrown)) return;
  const inside = new Set([...seen, thrown]);
  for (const field of Object.getOwnPropertyNames(thrown)) {
    const value = fieldOf(thrown, field);
    if (value instanceof Error) scrubError(value, inside);
    const clean = scrubbedData(value, inside);
    const { enumerable = false } = Reflect.getOwnPropertyDescriptor(thrown, field) ?? {};
    if (clean !== value)
      Reflect.defineProperty(thrown, field, { value: clean, enumerable, configurable: true, writable: true });
  }
}

/** What cannot be read is not printed either. */
function fieldOf(thrown: Error, field: string): unknown {
  try {
    return Reflect.get(thrown, field);
  } catch {
    return undefined;
  }
}

/** Plain data without what nobody shall see; the very data if there is nothing of that in it. */
function scrubbedData(value: unknown, around: ReadonlySet<unknown>): unknown {
  if (typeof value === 'string') return scrubbed(value);
  if (typeof value !== 'object' || value === null || around.has(value)) return value;
  const inside = new Set([...around, value]);
  if (inside.size > DEPTH_MAX) return value;
  if (Array.isArray(value)) {
    for (const item of value) scrubError(item, inside);
    const clean = value.map((item) => scrubbedData(item, inside));
    return clean.every((item, index) => item === value[index]) ? value : clean;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const before = Object.entries(value);
  const clean = before.map(([key, item]): [string, unknown] => [key, scrubbedData(item, inside)]);
  return clean.every(([, item], index) => item === before[index]?.[1]) ? value : Object.fromEntries(clean);
}

const DEPTH_MAX = 8;

/** For tests: as if nothing had been revealed. */
export function forgetHidden(): void {
  revealed.clear();
  redacted.clear();
}
