/** What comes back from the ledger is what went there. */
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { LIMITS } from '../../protocol/limits.ts';
import { AssentError } from '../../sdk/index.ts';
import { decodeError, decodeText, encodeError, encodeText, recorded } from '../../sdk/values.ts';

const across = (value: unknown): unknown => decodeText(encodeText(value, 'It'));

test.each([
  ['undefined', undefined],
  ['a date', new Date(1_700_000_000_000)],
  [
    'a map',
    new Map<unknown, unknown>([
      ['a', new Set([1, 2])],
      [{ k: 1 }, 2n],
    ]),
  ],
  ['a URL', new URL('https://example.org/?a=1')],
  ['a regular expression', /a+/giu],
  ['big integers and odd numbers', [10n ** 30n, -0, NaN, Infinity]],
  ['typed arrays', [new Float64Array([1.5, 2]), new Uint8Array([1, 2, 3]).subarray(1)]],
  ['nothing at all in many ways', [null, undefined, '', 0, false, {}, []]],
])('%s survives', (_, value) => {
  expect(across(value)).toEqual(value);
});

test('a Buffer stays a Buffer, and takes nothing of its pool with it', () => {
  const text = encodeText({ bytes: Buffer.from('secret-free') }, 'It');
  expect(text.length).toBeLessThan(200);
  const { bytes } = decodeText(text) as { bytes: Buffer };
  expect(Buffer.isBuffer(bytes)).toBe(true);
  expect(bytes.toString()).toBe('secret-free');
});

test('a cycle survives', () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  const copy = across(loop) as { self: unknown };
  expect(copy.self).toBe(copy);
});

test('what cannot be recorded is named with its path', () => {
  class Point {
    readonly x = 1;
  }
  for (const odd of [() => 1, Symbol('a'), new Point(), Promise.resolve(1)]) {
    const encode = (): string => encodeText({ list: [1, { odd }] }, 'The result');
    expect(encode).toThrow(AssentError);
    expect(encode).toThrow(/The result cannot be recorded at \.list\[1\]\.odd: .*VALUE_NOT_SERIALIZABLE/);
  }
});

test('a text stands inline up to the limit, and none is larger than the largest', () => {
  expect(recorded('x'.repeat(LIMITS.inlineBytesMax), 'It').inline).toBe(true);
  expect(recorded('x'.repeat(LIMITS.inlineBytesMax + 1), 'It')).toMatchObject({
    inline: false,
    value: { size: 16_385 },
  });
  expect(() => recorded('x'.repeat(LIMITS.valueBytesMax + 1), 'The result')).toThrow(
    /The result has 33554433 bytes.*VALUE_TOO_LARGE/,
  );
});

test('an error keeps its class, name, message, stack, code and cause', () => {
  const cause = new TypeError('inner');
  const error = Object.assign(new RangeError('outer', { cause }), { code: 'E_OUTER' });
  const copy = decodeError(encodeError(error)) as RangeError & { code: string; cause: TypeError };
  expect(copy).toBeInstanceOf(RangeError);
  expect(copy).toMatchObject({ name: 'RangeError', message: 'outer', code: 'E_OUTER', stack: error.stack });
  expect(copy.cause).toBeInstanceOf(TypeError);
  expect(copy.cause.message).toBe('inner');
});

test('an error of a class of its own comes back as an Error of that name', () => {
  class HttpError extends Error {
    override readonly name = 'HttpError';
  }
  const copy = decodeError(encodeError(new HttpError('404'))) as Error;
  expect(copy).toBeInstanceOf(Error);
  expect(copy).toMatchObject({ name: 'HttpError', message: '404' });
});

test('our own errors come back as our own', () => {
  const error = new AssentError('TIMED_OUT', 'Too slow.');
  const copy = decodeError(encodeError(error));
  expect(copy).toBeInstanceOf(AssentError);
  expect(copy).toMatchObject({ kind: 'TIMED_OUT', code: 4004, remedy: error.remedy, message: error.message });
});

test('an AggregateError keeps its errors', () => {
  const copy = decodeError(
    encodeError(new AggregateError([new Error('a'), new TypeError('b')], 'all')),
  ) as AggregateError;
  expect(copy).toBeInstanceOf(AggregateError);
  expect(copy.errors.map(String)).toEqual(['Error: a', 'TypeError: b']);
});

test('an error of another realm is an error', () => {
  const foreign: unknown = runInNewContext("new TypeError('foreign')");
  expect(decodeError(encodeError(foreign))).toBeInstanceOf(TypeError);
});

test('an error among other values survives', () => {
  const { results } = across({ results: [{ ok: false, error: new SyntaxError('bad') }] }) as {
    results: { error: Error }[];
  };
  expect(results[0]?.error).toBeInstanceOf(SyntaxError);
});

test('whatever was thrown comes back, if it can', () => {
  expect(decodeError(encodeError('text'))).toBe('text');
  expect(decodeError(encodeError({ status: 404 }))).toEqual({ status: 404 });
  expect(decodeError(encodeError(undefined))).toBe('undefined');
});

test('a cause that cannot be recorded or leads back to its error does not take the error with it', () => {
  const odd = new Error('odd', { cause: { run: () => 1 } });
  expect(decodeError(encodeError(odd))).toMatchObject({ message: 'odd' });
  const loop = new Error('loop');
  loop.cause = loop;
  expect(decodeError(encodeError(loop))).toMatchObject({ message: 'loop' });
  const far = new Error('far');
  far.cause = { list: [far] };
  expect(decodeError(encodeError(far))).toMatchObject({ message: 'far' });
  expect(() => across({ far, loop })).not.toThrow();
});
