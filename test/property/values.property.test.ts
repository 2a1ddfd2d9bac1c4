/** What comes back from the ledger is what went there, whatever it is. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeError, decodeText, encodeError, encodeText } from '../../sdk/values.ts';

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.date({ noInvalidDate: false }),
  fc.webUrl().map((url) => new URL(url)),
  fc.constantFrom(/a+/giu, /[\\/"]/, /\n/),
  fc.uint8Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

const { tree } = fc.letrec<{ tree: unknown; key: unknown }>((tie) => ({
  key: fc.oneof(fc.string(), fc.integer()),
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      tie('tree'),
      { maxKeys: 4 },
    ),
    fc.array(fc.tuple(tie('key'), tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
}));

/** As `isDeepStrictEqual`, without regard to what an object's prototype is: one from the ledger may have none. */
const same = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other);

test('a value survives, and its text says the same a second time', () => {
  fc.assert(
    fc.property(tree, (value) => {
      const text = encodeText(value, 'It');
      const copy = decodeText(text);
      expect(same(copy, value)).toBe(true);
      expect(encodeText(copy, 'It')).toBe(text);
    }),
  );
});

test('shared parts stay shared, and cycles stay cycles', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.string(), { maxLength: 3 }), (part, names) => {
      const root: Record<string, unknown> = { part, again: [part] };
      let deepest = root;
      for (const name of names) deepest = deepest[`n${name}`] = {};
      deepest['loop'] = root;
      const copy = decodeText(encodeText(root, 'It')) as typeof root;
      let found = copy;
      for (const name of names) found = found[`n${name}`] as Record<string, unknown>;
      expect(found['loop']).toBe(copy);
      expect((copy['again'] as unknown[])[0]).toBe(copy['part']);
    }),
  );
});

test('an error keeps its name, message, code and causes', () => {
  const name = fc.constantFrom('Error', 'TypeError', 'RangeError', 'HttpError');
  const code = fc.option(fc.oneof(fc.string(), fc.integer()), { nil: undefined });
  const level = fc.record({ name, message: fc.string(), code });
  fc.assert(
    fc.property(fc.array(level, { minLength: 1, maxLength: 5 }), tree, (levels, innermost) => {
      let error: unknown = innermost;
      for (const { message, code: known, name: called } of levels) {
        error = Object.assign(new Error(message, { cause: error }), known === undefined ? {} : { code: known });
        Object.defineProperty(error, 'name', { value: called });
      }
      let copy = decodeError(encodeError(error)) as Error & { code?: unknown };
      for (const { message, code: known, name: called } of levels.toReversed()) {
        expect([copy.name, copy.message, copy.code]).toEqual([called, message, known]);
        copy = copy.cause as typeof copy;
      }
      expect(same(copy, innermost)).toBe(true);
    }),
  );
});
