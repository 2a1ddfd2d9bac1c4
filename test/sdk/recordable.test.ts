/** Each value either comes back as it was, or is refused with the path of what is wrong in it. */
import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssentError } from '../../sdk/index.ts';
import { decodeError, decodeText, encodeError, encodeText } from '../../sdk/values.ts';

class List extends Array<number> {}
class Table extends Map<string, number> {}
class Point {
  readonly x = 1;
}
const detached = new Uint8Array([1, 2, 3]);
structuredClone(detached, { transfer: [detached.buffer] });
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

const across = (value: unknown): unknown => decodeText(encodeText(value, 'It'));
const problemOf = (value: unknown): string => {
  try {
    encodeText(value, 'The result');
  } catch (error) {
    expect(error).toBeInstanceOf(AssentError);
    expect((error as AssentError).kind).toBe('VALUE_NOT_SERIALIZABLE');
    return (error as AssentError).detail;
  }
  return 'none';
};

const sparse = [1];
sparse[5] = 2;
sparse[100_000] = 3;
const itself: Record<string, unknown> = {};
itself['self'] = [itself];

describe('comes back as it was', () => {
  test.each<[string, unknown]>([
    ['zero below zero', [-0, { zero: -0 }, new Map([[1, -0]])]],
    ['what is no number, and no date', [Number.NaN, Number.NEGATIVE_INFINITY, new Date(Number.NaN)]],
    ['a part of a buffer', [new Uint8Array(new ArrayBuffer(8), 2, 3), new DataView(new ArrayBuffer(8), 2, 3)]],
    ['big integers', [2n ** 100n, new BigInt64Array([1n, -1n]), new BigUint64Array([2n ** 64n - 1n])]],
    ['a list with holes', sparse],
    ['itself within itself', itself],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['half a character', { '\udfff': '\ud800x', '': '' }],
    ['objects as keys', new Map([[{ a: 1 }, new Set([Number.NaN, -0])]])],
    ['a proxy of plain data', new Proxy({ a: [1] }, {})],
    ['boxed values', [Object(1), Object('s'), Object(1n)]],
    ['undefined among others', { a: undefined, b: [undefined, null] }],
  ])('%s', (_, value) => {
    expect(isDeepStrictEqual(across(value), value)).toBe(true);
  });

  test('what another realm has made', () => {
    const value: unknown = vm.runInNewContext(
      '({ a: [1, new Date(5), new Map([[1, new Set([2])]]), new Uint8Array(2)] })',
    );
    expect(across(value)).toEqual({ a: [1, new Date(5), new Map([[1, new Set([2])]]), new Uint8Array(2)] });
  });
});

describe('is refused, with its path', () => {
  test.each<[string, unknown, string]>([
    [
      'a getter that throws',
      {
        list: [
          1,
          {
            get x(): number {
              throw new Error('no x');
            },
          },
        ],
      },
      ' at .list[1].x: no x',
    ],
    ['bytes that were given away', { data: [detached] }, ' at .data[0]: Cannot perform Construct on a detached'],
    ['a proxy that was revoked', { a: { proxy: revoked } }, ' at .a.proxy: Cannot perform'],
    [
      'a proxy that throws',
      [
        new Proxy(
          { a: 1 },
          {
            get: () => {
              throw new Error('trap');
            },
          },
        ),
      ],
      ' at [0]',
    ],
    [
      'a list of a class of its own',
      { rows: List.from([1, 2]) },
      " at .rows: a 'List' would come back as a plain Array",
    ],
    [
      'a map of a class of its own',
      new Map([['t', new Table()]]),
      ` at .get("t"): a 'Table' would come back as a plain Map`,
    ],
    [
      'a list that has more than its items',
      { found: 'a1'.match(/\d/) },
      ' at .found: it has a property besides its contents',
    ],
    [
      'a date that has more',
      [Object.assign(new Date(0), { zone: 'UTC' })],
      " at [0]: it has a property besides its contents, 'zone'",
    ],
    ['a class in a set in an odd place', { 'odd name': new Set([[{ at: new Point() }]]) }, ' at ["odd name"][0].at'],
    [
      'a key called __proto__',
      { a: JSON.parse('{"__proto__":1}') as unknown },
      ' at .a: Cannot stringify objects with __proto__',
    ],
    ['a symbol as a key', { a: { [Symbol('s')]: 1 } }, ' at .a: '],
    ['memory that is shared', { a: new SharedArrayBuffer(1) }, ' at .a: '],
    ['a promise', { a: Promise.resolve(1) }, ' at .a: '],
    ['what lies about its kind', { a: { [Symbol.toStringTag]: 'Date' } }, ' at .a: '],
  ])('%s', (_, value, problem) => {
    expect(problemOf(value)).toContain(`The result cannot be recorded${problem}`);
  });

  test('what is nested too deeply, without a path of thousands of steps', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 50_000; depth += 1) deep = [deep];
    expect(problemOf(deep)).toBe('The result cannot be recorded: it is nested too deeply.');
  });

  test('what is too long for any text', () => {
    const half = 'x'.repeat(300_000_000);
    expect(() => encodeText([half, `${half}y`], 'The result')).toThrow(
      /The result has too many bytes.*VALUE_TOO_LARGE/,
    );
  });
});

test('any value either comes back equal, or is refused', () => {
  const odd = fc.constantFrom<unknown>(
    ...[List.of(1), new Point(), Symbol('s'), (): number => 1, detached, sparse, new Date(Number.NaN)],
    ...[Object.assign([1], { more: 1 }), Object.create(null), new Error('e'), -0, '\ud800', Buffer.from('b')],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.anything({
        withBigInt: true,
        withBoxedValues: true,
        withDate: true,
        withMap: true,
        withNullPrototype: true,
        withSet: true,
        withSparseArray: true,
        withTypedArray: true,
      }),
      odd,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('tree'), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      let text: string;
      try {
        text = encodeText(value, 'It');
      } catch (error) {
        expect((error as AssentError).kind).toBe('VALUE_NOT_SERIALIZABLE');
        return;
      }
      expect(isDeepStrictEqual(decodeText(text), value)).toBe(true);
    }),
  );
});

describe('an error keeps', () => {
  const copyOf = (error: unknown): unknown => decodeError(encodeError(error));

  test('what it says of itself in texts, numbers and truth values, and no objects', () => {
    const error = Object.assign(new TypeError('no'), { status: 404, path: '/x', isFinal: true, at: 5n, none: null });
    const copy = copyOf(Object.assign(error, { request: { headers: {} }, then: () => 1, long: 'x'.repeat(1001) }));
    expect(copy).toBeInstanceOf(TypeError);
    expect(copy).toMatchObject({ message: 'no', status: 404, path: '/x', isFinal: true, at: 5n, none: null });
    expect(Object.keys(copy as object)).toEqual(['status', 'path', 'isFinal', 'at', 'none']);
  });

  test('both its errors and its cause', () => {
    const copy = copyOf(
      new AggregateError([new RangeError('a'), 'b'], 'all', { cause: new Error('why') }),
    ) as AggregateError;
    expect(copy.errors).toEqual([new RangeError('a'), 'b']);
    expect(copy.cause).toEqual(new Error('why'));
    const plain = copyOf(new AggregateError([new Error('a')], 'all')) as AggregateError;
    expect([plain.errors, plain.cause]).toEqual([[new Error('a')], undefined]);
  });

  test.each<[string, unknown]>([
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('trap');
          },
          getPrototypeOf: () => {
            throw new Error('trap');
          },
        },
      ),
    ],
    ['a proxy that was revoked', revoked],
    [
      'an error that throws when it is asked',
      Object.defineProperty(new Error('x'), 'message', {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
    [
      'an error whose cause throws',
      Object.defineProperty(new Error('x'), 'cause', {
        get: () => {
          throw new Error('no');
        },
      }),
    ],
    [
      'an error of which a field throws',
      Object.defineProperty(new Error('x'), 'status', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      }),
    ],
    ['an error whose cause cannot be recorded', new Error('x', { cause: { a: revoked } })],
  ])('something, whatever it is: %s', (_, thrown) => {
    expect(() => decodeError(encodeError(thrown))).not.toThrow();
  });
});
