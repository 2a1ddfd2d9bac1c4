/** Classes of one's own in recorded values; and what cannot be recorded is named with its path. */
import { describe, expect, test } from 'vitest';
import { canonicalText } from '../../sdk/canonical.ts';
import { AssentError, registerSerializer } from '../../sdk/index.ts';
import { decodeError, decodeText, encodeError, encodeText } from '../../sdk/values.ts';

class Money {
  readonly cents: number;
  readonly since: Date;
  constructor(cents: number, since = new Date(0)) {
    this.cents = cents;
    this.since = since;
  }
}
class HttpError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`HTTP ${String(status)}`);
    this.status = status;
  }
}

registerSerializer({
  name: 'test.Money',
  test: (value) => value instanceof Money,
  encode: ({ cents, since }) => ({ cents, since }),
  decode: ({ cents, since }: { cents: number; since: Date }) => new Money(cents, since),
});
registerSerializer({
  name: 'test.HttpError',
  test: (value) => value instanceof HttpError,
  encode: ({ status }) => status,
  decode: (status: number) => new HttpError(status),
});

const across = (value: unknown): unknown => decodeText(encodeText(value, 'It'));

describe('a class that is registered', () => {
  test('comes back as itself, also within other values, and where it falls on falsy contents', () => {
    const shared = new Money(5, new Date(1000));
    const copy = across({ list: [shared, shared], map: new Map([['m', new Money(0)]]) }) as {
      list: Money[];
      map: Map<string, Money>;
    };
    expect(copy.list[0]).toBeInstanceOf(Money);
    expect(copy.list[0]).toEqual(shared);
    expect(copy.list[1]).toBe(copy.list[0]);
    expect(copy.map.get('m')?.cents).toBe(0);
    expect((across(new HttpError(0)) as HttpError).status).toBe(0);
  });

  test('comes first, where it is an error too', () => {
    expect(across(new HttpError(404))).toBeInstanceOf(HttpError);
  });

  test('has an identity by its contents', () => {
    expect(canonicalText([new Money(1)])).toBe(canonicalText([new Money(1)]));
    expect(canonicalText([new Money(1)])).not.toBe(canonicalText([new Money(2)]));
    expect(canonicalText([new Money(1)])).not.toBe(canonicalText([{ cents: 1, since: new Date(0) }]));
  });

  test('that nobody here has registered is named', () => {
    const text = encodeText(new Money(1), 'It').replace('test.Money', 'shop.Money');
    expect(() => decodeText(text)).toThrow(/a 'shop\.Money', and no serializer.*SERIALIZER_UNKNOWN/);
  });

  test('is named when its serializer fails', () => {
    class Odd {
      readonly isOdd = true;
    }
    registerSerializer({
      name: 'test.Odd',
      test: (value) => value instanceof Odd,
      encode: () => {
        throw new Error('out of order');
      },
      decode: () => new Odd(),
    });
    expect(() => encodeText({ odd: new Odd() }, 'The result')).toThrow(
      /The result cannot be recorded at \.odd: the serializer 'test\.Odd' failed: out of order.*VALUE_NOT_SERIALIZABLE/,
    );
  });

  test.each(['', 'Date', 'Secret', 'Error', 'Uint8Array', 'with "quotes"', 'x'.repeat(201)])(
    'cannot be called %j',
    (name) => {
      const register = (): void => {
        registerSerializer({
          name,
          test: (value): value is Money => value instanceof Money,
          encode: () => 1,
          decode: () => new Money(1),
        });
      };
      expect(register).toThrow(AssentError);
    },
  );
});

describe('what cannot be recorded', () => {
  class Point {
    readonly x = 1;
  }
  test.each<[string, unknown, string]>([
    ['a class in a map', { map: new Map([['key', { at: new Point() }]]) }, '.map.get("key").at'],
    ['a function in a set', { set: new Set([1, () => 1]) }, '.set'],
    ['a function in a list in a map', new Map([['list', [0, { act: () => 1 }]]]), '.get("list")[1].act'],
    ['a symbol under an odd name', { 'odd name': [Symbol('s')] }, '["odd name"][0]'],
    ['a class as a map’s key', new Map([[new Point(), 1]]), ''],
  ])('is named with its path: %s', (_, value, path) => {
    const place = path === '' ? '' : ` at ${path}`;
    let message = '';
    try {
      encodeText(value, 'The result');
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toContain(`The result cannot be recorded${place}`);
    expect(message).toContain('VALUE_NOT_SERIALIZABLE');
  });
});

test('one that fails is named; errors are recorded all the same', () => {
  let fails = true;
  registerSerializer({
    name: 'test.Failing',
    test: (value): value is string => {
      if (fails) throw new TypeError('no such field');
      return value === 'never';
    },
    encode: (value) => value,
    decode: (value) => value,
  });
  try {
    expect(() => encodeText({ a: 1 }, 'The result')).toThrow(/the serializer 'test.Failing' failed: no such field/);
    expect(() => canonicalText({ a: 1 })).toThrow(/the serializer 'test.Failing' failed/);
    const recorded = encodeError(new RangeError('mine', { cause: { a: 1 } }));
    expect(decodeError(recorded)).toMatchObject({ name: 'RangeError', message: 'mine', cause: '{ a: 1 }' });
  } finally {
    fails = false;
  }
  expect(encodeText({ a: 1 }, 'The result')).toBe('[{"a":1},1]');
});
