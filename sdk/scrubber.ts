/**
 * What must not be seen, taken out of what leaves the process: recorded values, log lines, error texts, messages.
 *
 * S1 A revealed secret is taken out of everything, also out of recorded values. A redacted value is taken out of texts for
 *    people only: as part of another value it may be a common word, and what a flow computes with must stay as it is.
 * S2 Values shorter than LENGTH_MIN are not looked for: they would be found everywhere.
 * S3 What is scrubbed can still be read as what it was, JSON as JSON, a recorded value as a recorded value.
 */
import { hash } from 'node:crypto';
import { HIDDEN, HiddenTexts, replaced, type Token } from './hidden-texts.ts';

export { HIDDEN };
const LENGTH_MIN = 4;
/** Secrets that are remembered though nobody has them any more. */
const REVEALED_MAX = 10_000;
/** Redacted values that are remembered. */
const REDACTED_MAX = 10_000;

const revealed = new HiddenTexts({ max: REVEALED_MAX, isInBytes: true });
const redacted = new HiddenTexts({ max: REDACTED_MAX, isInBytes: false });
const all = [revealed, redacted] as const;

/** What is looked for: for a thread of this process. */
export type HiddenValues = { readonly revealed: readonly string[]; readonly redacted: readonly string[] };

export const hiddenValues = (): HiddenValues => ({ revealed: revealed.values, redacted: redacted.values });

/** In a thread: what its process knew when the thread's work began. */
export function hideAsWell(values: HiddenValues): void {
  for (const value of values.revealed) revealed.add(value);
  for (const value of values.redacted) redacted.add(value);
}

let onRevealed: (value: string) => void = () => undefined;

/** A thread tells its process what its code has revealed: what it gave is recorded there. */
export function tellRevealed(tell: (value: string) => void): void {
  onRevealed = tell;
}

/**
 * A secret's value: from now on it is taken out of all that leaves, at the least as long as somebody holds the token, or it
 * is still there.
 */
export function hideEverywhere(value: string, isThere?: () => boolean): Token | undefined {
  if (value.length < LENGTH_MIN) {
    if (value !== '') warnOfShort();
    return undefined;
  }
  onRevealed(value);
  return revealed.hold(value, isThere);
}

let hasWarned = false;

/** S2. */
function warnOfShort(): void {
  if (hasWarned) return;
  hasWarned = true;
  const most = String(LENGTH_MIN - 1);
  process.emitWarning(
    `a secret of at most ${most} characters was revealed: it is not looked for in what is recorded or logged`,
    {
      type: 'AssentWarning',
      code: 'ASSENT_SHORT_SECRET',
    },
  );
}

/** A redacted value: from now on it is taken out of texts for people. */
export function hideInTexts(value: string): void {
  if (value.length >= LENGTH_MIN) redacted.add(value);
}

/** A text for people. */
export const scrubbed = (text: string): string => replaced(text, all);

/** A text that something is known by: it loses what was revealed, and stays apart from others (S1). */
export function scrubbedKey(key: string): string {
  const rest = withoutRevealed(key);
  return rest === key ? key : `${rest.slice(0, KEY_REST_MAX)} ${hash('sha256', key, 'hex')}`;
}

/** The same of a key that shows these texts, whatever else is known. */
export function keyWithDigest(key: string, shown: readonly string[]): string {
  const longestFirst = [...shown].sort((a, b) => b.length - a.length);
  const rest = longestFirst.reduce((before, text) => before.replaceAll(text, HIDDEN), key);
  return `${rest.slice(0, KEY_REST_MAX)} ${hash('sha256', key, 'hex')}`;
}

/** A word that may be one of ours, which redacted values are not looked for in. */
export const withoutRevealed = (text: string): string => replaced(text, [revealed]);

/** With the digest, a key is not longer than any may be. */
const KEY_REST_MAX = 100;

const hasAny = (text: string): boolean => revealed.has(text) || redacted.has(text);

/** A line of a log: one JSON document. */
export function scrubbedLine(line: string): string {
  if (!hasAny(line)) return line;
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
  revealed.has(text) ? scrubbedParts(text, withoutRevealed) : text;

/** The same of what is for people (S1): errors, artifacts, what calls are compared by. */
export const scrubbedForPeople = (text: string): string => (hasAny(text) ? scrubbedParts(text, scrubbed) : text);

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
  if (word === 'ArrayBuffer') return [word, scrubbedBytes(String(rest[0])), ...rest.slice(1)];
  const clean = rest.map((item) => (typeof item === 'string' ? scrub(item) : item));
  if (clean.every((item, index) => item === rest[index])) return part;
  return KEEPS_WITHOUT.has(word) || (word === 'URL' && URL.canParse(String(clean[0]))) ? [word, ...clean] : HIDDEN;
}

/** As many bytes as before: what looks at them may look at a part. */
const scrubbedBytes = (base64: string): string =>
  revealed.withoutBytes(Buffer.from(base64, 'base64')).toString('base64');

/** Words of devalue whose texts may be any. */
const KEEPS_WITHOUT: ReadonlySet<string> = new Set(['null', 'URLSearchParams']);

/** What an error says, it and its causes, before it leaves the run: whoever catches it may print it, or print it by not catching it. */
export function scrubError(thrown: unknown, seen: ReadonlySet<unknown> = new Set()): void {
  if ((revealed.isEmpty && redacted.isEmpty) || !(thrown instanceof Error) || seen.has(thrown)) return;
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
