/**
 * Texts that are looked for in other texts: how each of them may look there, and where it is found.
 *
 * K1 Where several are found in one place, nothing is left of any of them.
 * K2 No more than `max` are remembered, and the oldest are forgotten first; but none of which the token is held.
 */
import { inspect } from 'node:util';
import { stringify } from 'devalue';

/** What stands instead. */
export const HIDDEN = '***';
/** A line of a text of several lines is looked for by itself, if it is so long. */
const LINE_MIN = 16;
/** Shorter ones are not looked for in base64 and hexadecimal digits: too much else would look the same. */
const BYTES_MIN = 8;
/** With more looks than this, a text is gone through once for all of them, and not once for each. */
const LOOKS_ONE_BY_ONE = 64;
/** What a look is found by in the index; none is shorter. */
const PREFIX = 4;

/** Held by whoever still has the value. */
export type Token = object;

type Entry = {
  readonly looks: readonly string[];
  readonly bytes: readonly Buffer[];
  /** Of one that somebody has. */
  readonly token: WeakRef<Token> | undefined;
  /** Besides those who hold the token, it may still be had from where it came. */
  readonly isThere: (() => boolean) | undefined;
};
type Span = { readonly from: number; readonly to: number };

export class HiddenTexts {
  readonly #max: number;
  readonly #isInBytes: boolean;
  readonly #entries = new Map<string, Entry>();
  /** All looks, and of how many texts each is one. */
  readonly #looks = new Map<string, number>();
  #index: Index | undefined;
  #forgetAbove: number;

  /** `isInBytes`: they are looked for in base64, in hexadecimal digits and in bytes as well. */
  constructor({ max, isInBytes }: { readonly max: number; readonly isInBytes: boolean }) {
    this.#max = max;
    this.#forgetAbove = max;
    this.#isInBytes = isInBytes;
  }

  get values(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Remembers it, or that it is needed again. */
  add(value: string): void {
    this.#add(value, this.#entries.get(value)?.token, undefined);
  }

  /** K2: not forgotten while somebody holds the token, or `isThere` says so. */
  hold(value: string, isThere?: () => boolean): Token {
    const held = this.#entries.get(value)?.token;
    const known = held?.deref();
    const token: Token = known ?? {};
    this.#add(value, known === undefined ? new WeakRef(token) : held, isThere);
    return token;
  }

  has(text: string): boolean {
    return this.spansIn(text).next().done !== true;
  }

  *spansIn(text: string): Generator<Span> {
    if (this.isEmpty || text.length < PREFIX) return;
    if (this.#looks.size > LOOKS_ONE_BY_ONE) {
      this.#index ??= new Index(this.#looks.keys());
      yield* this.#index.spansIn(text);
      return;
    }
    for (const look of this.#looks.keys()) {
      for (let from = text.indexOf(look); from >= 0; from = text.indexOf(look, from + 1)) {
        yield { from, to: from + look.length };
      }
    }
  }

  /** Stars in place of the bytes of them; the very bytes if there are none. */
  withoutBytes(bytes: Buffer): Buffer {
    let copy: Buffer | undefined;
    for (const { bytes: hidden } of this.#entries.values()) {
      for (const part of hidden) {
        for (let at = bytes.indexOf(part); at >= 0; at = bytes.indexOf(part, at + 1)) {
          copy ??= Buffer.from(bytes);
          copy.fill('*', at, at + part.length);
        }
      }
    }
    return copy ?? bytes;
  }

  clear(): void {
    this.#entries.clear();
    this.#looks.clear();
    this.#index = undefined;
  }

  #add(value: string, token: Entry['token'], isThere: Entry['isThere']): void {
    const known = this.#entries.get(value);
    const { looks, bytes } = known ?? looksOf(value, this.#isInBytes);
    this.#entries.delete(value);
    this.#entries.set(value, { looks, bytes, token, isThere: isThere ?? known?.isThere });
    if (known !== undefined) return;
    for (const look of looks) this.#addLook(look);
    if (this.#entries.size > this.#forgetAbove) this.#forgetOldest();
  }

  #addLook(look: string): void {
    const count = this.#looks.get(look) ?? 0;
    this.#looks.set(look, count + 1);
    if (count === 0) this.#index?.add(look);
  }

  #removeLook(look: string): void {
    const count = this.#looks.get(look) ?? 0;
    if (count > 1) {
      this.#looks.set(look, count - 1);
      return;
    }
    this.#looks.delete(look);
    this.#index?.remove(look);
  }

  /** K2. */
  #forgetOldest(): void {
    for (const [value, { token, isThere, looks }] of this.#entries) {
      if (this.#entries.size <= this.#max) break;
      if (token?.deref() !== undefined || isThere?.() === true) continue;
      this.#entries.delete(value);
      for (const look of looks) this.#removeLook(look);
    }
    // Where nearly all are held, it is not worth looking each time.
    this.#forgetAbove = this.#entries.size <= this.#max ? this.#max : Math.ceil(this.#entries.size * 1.1);
  }
}

/** Looks by how they begin. */
class Index {
  readonly #byPrefix = new Map<string, Set<string>>();
  /** Which prefixes there may be: most places of a text have none of them. */
  readonly #maybe = new Uint8Array(1 << 20);

  constructor(looks: Iterable<string>) {
    for (const look of looks) this.add(look);
  }

  add(look: string): void {
    const prefix = look.slice(0, PREFIX);
    const same = this.#byPrefix.get(prefix);
    if (same === undefined) this.#byPrefix.set(prefix, new Set([look]));
    else same.add(look);
    this.#maybe[hashAt(look, 0)] = 1;
  }

  remove(look: string): void {
    const prefix = look.slice(0, PREFIX);
    const same = this.#byPrefix.get(prefix);
    same?.delete(look);
    if (same?.size === 0) this.#byPrefix.delete(prefix);
  }

  *spansIn(text: string): Generator<Span> {
    for (let from = 0; from <= text.length - PREFIX; from += 1) {
      if (this.#maybe[hashAt(text, from)] === 0) continue;
      for (const look of this.#byPrefix.get(text.slice(from, from + PREFIX)) ?? []) {
        if (text.startsWith(look, from)) yield { from, to: from + look.length };
      }
    }
  }
}

/** Of as many characters as a prefix has, in twenty bits. */
const hashAt = (text: string, at: number): number =>
  (text.charCodeAt(at) ^
    (text.charCodeAt(at + 1) << 4) ^
    (text.charCodeAt(at + 2) << 8) ^
    (text.charCodeAt(at + 3) << 13)) &
  0xfffff;

/** K1: what overlaps is one. */
export function replaced(text: string, hidden: readonly HiddenTexts[]): string {
  if (hidden.every(({ isEmpty }) => isEmpty)) return text;
  const spans = hidden.flatMap((texts) => [...texts.spansIn(text)]).sort((a, b) => a.from - b.from || b.to - a.to);
  const [first] = spans;
  if (first === undefined) return text;
  let rest = text.slice(0, first.from) + HIDDEN;
  let end = first.to;
  for (const { from, to } of spans) {
    if (from >= end) rest += text.slice(end, from) + HIDDEN;
    end = Math.max(end, to);
  }
  return rest + text.slice(end);
}

/** As it is, and as it looks in URLs, in base64, in hexadecimal digits; each of them also as a part of other texts. */
function looksOf(value: string, isInBytes: boolean): Pick<Entry, 'looks' | 'bytes'> {
  const parts = [value, ...value.split(/\r?\n/).filter((line) => line.length >= LINE_MIN)];
  const bytes = isInBytes ? parts.map((part) => Buffer.from(part)).filter(({ length }) => length >= BYTES_MIN) : [];
  const looks = [
    ...parts.flatMap((part) => (PLAIN.test(part) ? [part] : inUrls(part).flatMap(quoted))),
    ...bytes.flatMap(asDigits),
  ];
  return { looks: [...new Set(looks)].filter(({ length }) => length >= PREFIX), bytes };
}

/** Looks the same everywhere. */
const PLAIN = /^[\w.-]*$/;

/** Each part of a URL escapes other characters. */
function inUrls(text: string): string[] {
  const url = new URL('http://host/');
  url.username = text;
  url.search = `?${text}.`;
  url.hash = `#${text}.`;
  const [, user = text, query = text, end = text] = /^http:\/\/(.*)@host\/\?(.*)\.#(.*)\.$/s.exec(url.href) ?? [];
  const escaped = [user, query, end, inUrl(text, encodeURIComponent), inUrl(text, encodeURI), inForm(text)];
  return [text, ...escaped, ...escaped.map((one) => one.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

const inForm = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);

/** A text may end in half a character, which no URL can hold. */
function inUrl(text: string, encode: (text: string) => string): string {
  try {
    return encode(text);
  } catch {
    return text;
  }
}

/** In base64, three bytes are four digits: how a text looks depends on how many bytes are before it. */
function asDigits(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const inBase64 = [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return digits.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
  const inBase64Url = inBase64.map((digits) => digits.replaceAll('+', '-').replaceAll('/', '_'));
  return [...inBase64, ...inBase64Url, hex, hex.toUpperCase(), hex.replace(/..(?!$)/g, '$& ')];
}

/** In JSON, in JSON that is a text in JSON, in a recorded value, in what `inspect` shows. */
function quoted(text: string): string[] {
  const once = inJson(text);
  return [text, once, inJson(once), inRecord(text), inRecord(once), inspect(text).slice(1, -1)];
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const inRecord = (text: string): string => stringify(text).slice(2, -2);
