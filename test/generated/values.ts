/**
 * Values as generated programs use them: made from a number, told apart by their text.
 *
 * V1 Two values with the same text are deeply equal as far as the ledger promises to keep them: contents, key and
 *    insertion order of maps and sets, not the insertion order of a plain object's keys, and not an error's stack.
 * V2 A stamp (the fields `by` and `saw` of a task's result) tells which process's body made the result. It is a part of
 *    the value like any other, so a flow that saw the stamp of a body whose completion was never ruled would pass on
 *    what the ledger does not know. Only the comparison with another run hides it.
 */
import { hash } from 'node:crypto';

/** `hidden`: without what legitimately differs between two runs of one program. */
export type Stamps = 'shown' | 'hidden';

const STAMPED = new Set(['by', 'saw']);

export function textOf(value: unknown, stamps: Stamps = 'shown', around: readonly unknown[] = []): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${String(value)}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return String(value);
  const place = around.indexOf(value);
  if (place >= 0) return `^${String(around.length - place)}`;
  const inner = (part: unknown): string => textOf(part, stamps, [...around, value]);
  if (value instanceof Error) {
    const { code, cause } = value as { code?: unknown; cause?: unknown };
    return `${value.name}(${[value.message, code, cause].map(inner).join(', ')})`;
  }
  if (value instanceof Date) return `Date(${String(value.getTime())})`;
  if (value instanceof Map)
    return `Map{${[...value].map(([key, item]) => `${inner(key)}=>${inner(item)}`).join(', ')}}`;
  if (value instanceof Set) return `Set{${[...value].map(inner).join(', ')}}`;
  if (value instanceof RegExp || value instanceof URL) return `${value.constructor.name}(${String(value)})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${Buffer.from(value.buffer).toString('hex')})`;
  if (Array.isArray(value)) return `[${Array.from(value, (item, i) => (i in value ? inner(item) : '-')).join(', ')}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = fields.map(([key, item]) => `${key}: ${stamps === 'hidden' && STAMPED.has(key) ? '*' : inner(item)}`);
  return `{${shown.join(', ')}}`;
}

/** Eight hexadecimal digits. */
export const fingerprint = (value: unknown, stamps: Stamps = 'hidden'): string =>
  hash('sha256', textOf(value, stamps), 'hex').slice(0, 8);

/** A number that a program may decide by: the same in every run of it. */
export const numberOf = (value: unknown): number => Number.parseInt(fingerprint(value), 16);

/** One to three pieces of a value, for a loop. */
export function piecesOf(value: unknown): readonly unknown[] {
  const number = numberOf(value);
  return Array.from({ length: 1 + (number % 3) }, (_, piece) => ({
    piece,
    of: number,
    from: new Date(number + piece),
  }));
}

/** Longer than what stands inline in the ledger: it goes to the object store. */
const LARGE = 20_000;

const SHAPES: readonly ((n: number) => unknown)[] = [
  (n) => n,
  (n) => new Date(1_600_000_000_000 + n),
  (n) =>
    new Map<unknown, unknown>([
      ['n', n],
      [n, { deep: new Set([1n, 2n]) }],
    ]),
  (n) => new Set<unknown>([n, 'x', { y: [n] }]),
  (n) => BigInt(n) ** 5n,
  (n) => ({ nested: { list: [1, undefined, null, Number.NaN, -0, Number.POSITIVE_INFINITY], when: new Date(n) } }),
  (n) => Uint8Array.of(n, n >> 8, 7),
  (n) => [/a+b/gi, new URL(`http://host/${String(n)}?q=1`)],
  (n) => new RangeError(`number ${String(n)}`, { cause: new Error('inner', { cause: { n } }) }),
  (n) => {
    const node: { n: number; self?: unknown } = { n };
    node.self = node;
    return { node };
  },
  (n) => {
    const shared = { n };
    return [shared, shared, { again: shared }];
  },
  (n) => [n, , ''],
  (n) => ({ b: n, a: { z: true, y: false }, '': {} }),
  (n) => 'x'.repeat(LARGE) + String(n),
  () => undefined,
  () => null,
];

export const SHAPE_COUNT = SHAPES.length;

export const shapeOf = (index: number, n: number): unknown => SHAPES[index % SHAPES.length]?.(n);

/** A seeded source of numbers in [0, 1): mulberry32. */
export function chanceOf(...seeds: readonly number[]): () => number {
  let state = seeds.reduce((mixed, seed) => Math.imul(mixed ^ (seed + 0x9e3779b9), 0x85ebca6b) >>> 0, 0x2545f491);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
