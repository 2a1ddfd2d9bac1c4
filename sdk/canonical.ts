/**
 * The canonical text of a call's inputs: equal for equal contents, however an object was filled, and whether or not two
 * parts are one and the same object (a result that came back from the ledger is a copy of the one that went there).
 *
 * C1 What two values of different contents share is the length of a long part at most: parts longer than PART_MAX stand
 *    as their SHA-256, which also keeps a value whose parts share parts from growing without bound.
 * C2 Of a secret, where it comes from counts, never what it is.
 * C3 What has no contents that we can see (a function, a symbol, an instance of a class) has no canonical text.
 */
import { hash } from 'node:crypto';
import { isError } from './errors-across.ts';
import { Secret } from './secrets.ts';
import { encodedByName } from './serializers.ts';

const PART_MAX = 512;

/** The text, or undefined if the value has none. */
export const canonicalText = (value: unknown): string | undefined => textOf(value, false);

/**
 * The same, for results that are shared by equal inputs: there is none if a secret in it does not say where it comes from,
 * because two of those may be different ones.
 */
export const sharedText = (value: unknown): string | undefined => textOf(value, true);

function textOf(value: unknown, knowsSecrets: boolean): string | undefined {
  // Most inputs are plain: one text, one number.
  const plain = primitiveText(value);
  if (plain !== undefined) return plain;
  try {
    return new Canonical(knowsSecrets).text(value);
  } catch (error) {
    if (error === NO_TEXT) return undefined;
    throw error;
  }
}

/** Thrown to give up; made once, because it is nobody's error. */
const NO_TEXT = new Error('no canonical text');

function primitiveText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${String(value)}n`;
    case 'object':
      return value === null ? 'null' : undefined;
    case 'function':
    case 'symbol':
      return undefined;
  }
}

class Canonical {
  /** The objects around the one at hand, outermost first. */
  readonly #around: object[] = [];
  /** Texts of objects that were seen whole. */
  readonly #texts = new Map<object, string>();
  readonly #knowsSecrets: boolean;
  /** The lowest place in `#around` that the part at hand leads back to. */
  #leadsBackTo = Number.POSITIVE_INFINITY;

  constructor(knowsSecrets: boolean) {
    this.#knowsSecrets = knowsSecrets;
  }

  text(value: unknown): string {
    const plain = primitiveText(value);
    if (plain !== undefined) return plain;
    if (typeof value !== 'object' || value === null) throw NO_TEXT;
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const place = this.#around.indexOf(value);
    if (place >= 0) {
      this.#leadsBackTo = Math.min(this.#leadsBackTo, place);
      return `^${String(this.#around.length - place)}`;
    }
    return this.#object(value);
  }

  #object(value: object): string {
    const outer = this.#leadsBackTo;
    this.#leadsBackTo = Number.POSITIVE_INFINITY;
    const depth = this.#around.push(value) - 1;
    const full = this.#contents(value);
    this.#around.pop();
    const text = full.length > PART_MAX ? `#${hash('sha256', full, 'hex')}` : full;
    // A part that leads back to something around it reads differently elsewhere.
    if (this.#leadsBackTo >= depth) this.#texts.set(value, text);
    this.#leadsBackTo = Math.min(outer, this.#leadsBackTo < depth ? this.#leadsBackTo : Number.POSITIVE_INFINITY);
    return text;
  }

  #contents(value: object): string {
    if (Array.isArray(value)) return this.#list('', value);
    if (value instanceof Secret) return this.#secret(value);
    const own = encodedByName(value);
    if (own !== undefined) return this.#list(JSON.stringify(own.name), [own.encoded]);
    if (isError(value)) {
      const { name, message, cause } = value;
      return this.#list('Error', [name, message, (value as { code?: unknown }).code, cause]);
    }
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    switch (tag) {
      case 'Object':
        return this.#plainObject(value as Record<string, unknown>);
      case 'Date':
        return `Date(${String((value as Date).getTime())})`;
      case 'Map':
        return this.#list('Map', [...(value as Map<unknown, unknown>)].flat(1));
      case 'Set':
        return this.#list('Set', [...(value as Set<unknown>)]);
      case 'RegExp':
      case 'URL':
      case 'URLSearchParams':
        return `${tag}(${JSON.stringify((value as RegExp | URL).toString())})`;
      case 'Number':
      case 'String':
      case 'Boolean':
      case 'BigInt':
        return this.#list(tag, [value.valueOf()]);
      default:
        return bytesText(value, tag);
    }
  }

  #secret({ reference }: Secret): string {
    if (this.#knowsSecrets && Object.keys(reference).length === 0) throw NO_TEXT;
    return `Secret(${JSON.stringify(reference)})`;
  }

  #list(tag: string, items: readonly unknown[]): string {
    let text = `${tag}[`;
    for (let i = 0; i < items.length; i += 1) text += `${i in items ? this.text(items[i]) : '-'},`;
    return `${text}]`;
  }

  #plainObject(value: Record<string, unknown>): string {
    const prototype: unknown = Object.getPrototypeOf(value);
    // An object of another realm has that realm's prototype, whose own prototype is null like ours.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw NO_TEXT;
    if (Object.getOwnPropertySymbols(value).length > 0) throw NO_TEXT;
    let text = '{';
    for (const key of Object.keys(value).sort()) text += `${JSON.stringify(key)}:${this.text(value[key])},`;
    return `${text}}`;
  }
}

function bytesText(value: object, tag: string): string {
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return `${tag}(${hash('sha256', bytes, 'hex')})`;
  }
  if (tag === 'ArrayBuffer') return `${tag}(${hash('sha256', new Uint8Array(value as ArrayBuffer), 'hex')})`;
  throw NO_TEXT;
}
