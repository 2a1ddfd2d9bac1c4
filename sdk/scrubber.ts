/**
 * What must not be seen, taken out of what leaves the process: recorded values, log lines, error texts, messages.
 *
 * S1 A revealed secret is taken out of everything, also out of recorded values. A redacted value is taken out of texts for
 *    people only: as part of another value it may be a common word, and what a flow computes with must stay as it is.
 * S2 Values shorter than LENGTH_MIN are not looked for: they would be found everywhere.
 * S3 What is scrubbed can still be read as what it was, JSON as JSON, a recorded value as a recorded value.
 */
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

/** A secret's value: from now on it is taken out of all that leaves. */
export function hideEverywhere(value: string): void {
  if (value.length >= LENGTH_MIN && !revealed.has(value)) revealed.set(value, looksOf(value));
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

/** An error's own texts, and those of its causes, before it leaves the run: whoever catches it may print it. */
export function scrubError(thrown: unknown, seen: ReadonlySet<unknown> = new Set()): void {
  if (revealed.size + redacted.size === 0 || !(thrown instanceof Error) || seen.has(thrown)) return;
  for (const field of ['message', 'stack', 'detail']) {
    const text: unknown = Reflect.get(thrown, field);
    if (typeof text !== 'string') continue;
    const clean = scrubbed(text);
    if (clean === text) continue;
    Reflect.defineProperty(thrown, field, { value: clean, configurable: true, writable: true });
  }
  const inside = new Set([...seen, thrown]);
  scrubError(thrown.cause, inside);
  if (thrown instanceof AggregateError) for (const one of thrown.errors) scrubError(one, inside);
}

/** For tests: as if nothing had been revealed. */
export function forgetHidden(): void {
  revealed.clear();
  redacted.clear();
}
