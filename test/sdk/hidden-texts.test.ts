/** Texts that are looked for in others: wherever they stand, however they look there, and how many are remembered. */
import { inspect } from 'node:util';
import { stringify } from 'devalue';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HiddenTexts, replaced } from '../../sdk/hidden-texts.ts';

const hiding = (values: readonly string[], max = 10_000): HiddenTexts => {
  const hidden = new HiddenTexts({ max, isInBytes: true });
  for (const value of values) hidden.add(value);
  return hidden;
};
const without = (values: readonly string[], text: string): string => replaced(text, [hiding(values)]);

const SECRET = `S3cr3t/"päss" 'w+rd'!\\`;
const url = new URL('https://example.org/');
url.password = SECRET;
url.search = `?key=${SECRET}`;
url.hash = SECRET;

describe('a text is found', () => {
  test.each<[string, string]>([
    ['as it is', `key ${SECRET} end`],
    ['in JSON', JSON.stringify({ key: SECRET })],
    ['in JSON that is a text in JSON', JSON.stringify({ body: JSON.stringify({ key: SECRET }) })],
    ['in a recorded value', stringify({ key: SECRET })],
    ['in a recorded text of JSON', stringify({ body: JSON.stringify({ key: SECRET }) })],
    ['in what inspect shows', inspect({ key: SECRET })],
    ['as a component of a URL', encodeURIComponent(SECRET)],
    ['as one, in small digits', encodeURIComponent(SECRET).replace(/%../g, (code) => code.toLowerCase())],
    ['in a form', new URLSearchParams({ key: SECRET }).toString()],
    ['as the password of a URL', `https://:${url.password}@host`],
    ['in Basic authorization', `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`],
    ['in base64, elsewhere in it', Buffer.from(`ab${SECRET}cdef`).toString('base64')],
    ['in the base64 of URLs', Buffer.from(`a${SECRET}`).toString('base64url')],
    ['in hexadecimal digits', Buffer.from(`a${SECRET}`).toString('hex')],
    ['in what inspect shows of bytes', inspect(Buffer.from(SECRET))],
  ])('%s', (_, text) => {
    const rest = without([SECRET], text);
    expect(rest).toContain('***');
    expect(rest).not.toMatch(/S3cr3t|w.rd|cj.cy|UzNj/i);
  });

  test.each([
    ['query', url.search],
    ['hash', url.hash],
  ])('in the %s of a URL', (_, part) => {
    expect(without([SECRET], part)).toContain('***');
  });
});

test('where one is a part of another, or overlaps it, nothing is left of either', () => {
  expect(without(['hunter2', 'hunter2-production'], 'a hunter2-production b')).toBe('a *** b');
  expect(without(['hunter2-production', 'hunter2'], 'a hunter2-production b hunter2')).toBe('a *** b ***');
  expect(without(['abcdef', 'defghi'], '-abcdefghi-')).toBe('-***-');
  expect(without(['aaaa'], 'aaaaaa')).toBe('***');
  expect(without(['****', 'abcd'], 'abcd ****')).toBe('*** ***');
});

test('many are found as one by one', () => {
  const word = fc.stringMatching(/^[ab"/ ]{4,8}$/);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), fc.array(word, { maxLength: 8 }), (values, around) => {
      const text = [...around, ...values].join('b');
      const others = Array.from({ length: 200 }, (_, n) => `other-${String(n)}-${'x'.repeat(n % 7)}`);
      expect(without([...values, ...others], text)).toBe(without(values, text));
      for (const value of values) expect(without(values, text)).not.toContain(value);
    }),
  );
});

describe('of more than may be remembered', () => {
  const numbered = (n: number): string => `value-${String(n)}-end`;

  test('the oldest are forgotten, and one that is needed again is not the oldest', () => {
    const hidden = hiding([0, 1, 2].map(numbered), 3);
    hidden.add(numbered(0));
    hidden.add(numbered(3));
    expect([0, 1, 2, 3].map((n) => hidden.has(numbered(n)))).toEqual([true, false, true, true]);
  });

  test('none is forgotten that somebody still has', () => {
    const hidden = hiding([], 100);
    const tokens = [0, 1, 2].map((n) => hidden.hold(numbered(n)));
    hidden.hold('from the environment', () => true);
    for (let n = 3; n < 1000; n += 1) hidden.add(numbered(n));
    expect([0, 1, 2].every((n) => hidden.has(numbered(n)))).toBe(true);
    expect(hidden.has('from the environment')).toBe(true);
    expect(hidden.has(numbered(3))).toBe(false);
    expect(hidden.has(numbered(999))).toBe(true);
    hidden.add(numbered(1));
    expect(hidden.hold(numbered(1))).toBe(tokens[1]);
  });
});

test('bytes keep their number', () => {
  const hidden = hiding(['hunter2-key']);
  const bytes = Buffer.from('a hunter2-key b');
  expect(hidden.withoutBytes(bytes).toString()).toBe('a *********** b');
  expect(bytes.toString()).toContain('hunter2');
  const others = Buffer.from('nothing');
  expect(hidden.withoutBytes(others)).toBe(others);
});
