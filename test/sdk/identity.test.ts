/** A call's identity: what makes it meet its own earlier run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { CallCounter, saidCall, slug } from '../../sdk/call.ts';
import { canonicalText } from '../../sdk/canonical.ts';
import { decodeText, encodeText } from '../../sdk/values.ts';

const FLOW = 'aaaaaaaaaaaaaaaa' as RunId;
const counter = (): CallCounter => new CallCounter(FLOW);

test('equal contents have equal text, however an object was filled', () => {
  expect(canonicalText({ a: 1, b: { c: 2, d: 3 } })).toBe(canonicalText({ b: { d: 3, c: 2 }, a: 1 }));
});

test('it does not matter whether two parts are one object or two', () => {
  const shared = { deep: [1, 2, 3] };
  expect(canonicalText([shared, shared])).toBe(canonicalText([{ deep: [1, 2, 3] }, { deep: [1, 2, 3] }]));
});

test('values of different kinds have different texts', () => {
  const values: unknown[] = [
    1,
    '1',
    1n,
    true,
    'true',
    null,
    'null',
    undefined,
    'undefined',
    0,
    -0,
    NaN,
    [],
    {},
    [[]],
    [1],
    ['1'],
    { 0: 1 },
    new Date(1),
    'Date(1)',
    new Map([[1, 2]]),
    new Set([1, 2]),
    [1, 2],
    new Map([[1, [2]]]),
    /a/,
    'a',
    new URL('http://a'),
    new Uint8Array([1]),
    new Int8Array([1]),
    new Error('a'),
    new TypeError('a'),
    [undefined],
    { a: undefined },
    Object(1),
  ];
  const texts = values.map(canonicalText);
  expect(texts).not.toContain(undefined);
  expect(new Set(texts).size).toBe(values.length);
});

test('functions, symbols and instances of classes have no text', () => {
  class Point {
    readonly x = 1;
  }
  for (const value of [() => 1, Symbol('a'), new Point(), { a: [new Point()] }, Promise.resolve(1), new WeakMap()]) {
    expect(canonicalText(value)).toBeUndefined();
  }
});

test('a value that leads back to itself has a text, and one that shares parts a thousandfold a short one', () => {
  const loop: { self?: unknown; n: number } = { n: 1 };
  loop.self = loop;
  const other: { self?: unknown; n: number } = { n: 2 };
  other.self = other;
  expect(canonicalText(loop)).toBeDefined();
  expect(canonicalText(loop)).not.toBe(canonicalText(other));
  let tower: unknown = ['base'];
  for (let i = 0; i < 1000; i += 1) tower = [tower, tower];
  expect(canonicalText(tower)?.length).toBeLessThan(2000);
});

test('what went through the ledger has the text that it had before', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
  });
  fc.assert(
    fc.property(anything, (value) => {
      const text = canonicalText(value);
      let copy: unknown;
      try {
        copy = decodeText(encodeText(value, 'It'));
      } catch {
        return;
      }
      expect(canonicalText(copy)).toBe(text);
    }),
  );
});

test('a call meets its own run again in another execution, whatever the order of different calls', () => {
  const first = counter();
  const a = first.next('fetch', ['a']);
  const b = first.next('fetch', ['b']);
  const again = counter();
  expect(again.next('fetch', ['b'])).toEqual(b);
  expect(again.next('fetch', ['a'])).toEqual(a);
});

test('equal calls are told apart by their order', () => {
  const calls = counter();
  const [one, two] = [calls.next('tick', []), calls.next('tick', [])];
  expect(one.run).not.toBe(two.run);
  expect([one.call.ordinal, two.call.ordinal]).toEqual([0, 1]);
});

test('inputs without a digest are told apart by their order alone', () => {
  const calls = counter();
  const one = calls.next('map', [() => 1]);
  expect(one.call).toEqual({ key: 'map', ordinal: 0 });
  expect(calls.next('map', [() => 2]).call.ordinal).toBe(1);
});

test('with a key of its own a call is the same with other inputs, and says which inputs it has', () => {
  const one = counter().next('load', [1], 'today');
  const other = counter().next('load', [2], 'today');
  expect(one.run).toBe(other.run);
  expect(one.call.inputs).not.toBe(other.call.inputs);
});

test('the id shows the flow run and the name, in the characters that ids have', () => {
  expect(counter().next('fetchPage', []).run).toMatch(/^a{16}\.fetch-page-[0-9a-f]{16}$/);
  expect(slug('Größe & Weite')).toBe('gr-e-weite');
  expect(slug('日本')).toBe('call');
  expect(slug('x'.repeat(300))).toHaveLength(40);
});

test('a call of a strict flow says as its how many-th it was made, and how many before it are still to be proposed', () => {
  const strict = new CallCounter(FLOW, true);
  const [first, second, third] = ['a', 'b', 'c'].map((name) => strict.next(name, []));
  expect([first, second, third].map((made) => made?.call.nth)).toEqual([1, 2, 3]);
  const said = [third, first, second].map((made) => made && saidCall(strict, made).behind);
  expect(said).toEqual([2, undefined, undefined]);
  expect(counter().next('a', []).call).not.toHaveProperty('nth');
});
