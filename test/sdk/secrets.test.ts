/** Secrets and redaction: what nobody sees, in texts, in recorded values, in logs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalText } from '../../sdk/canonical.ts';
import { scrubbedWish } from '../../sdk/client/scrubbed-wish.ts';
import { secret, Secret } from '../../sdk/index.ts';
import { parsePath, redactionOf, withOwn } from '../../sdk/redaction.ts';
import { forgetHidden, hideEverywhere, hideInTexts, scrubbed, scrubbedLine, scrubError } from '../../sdk/scrubber.ts';
import { goneSecret } from '../../sdk/secrets.ts';
import { decodeText, encodeError, encodeText, recorded } from '../../sdk/values.ts';

const VALUE = 'hunter2-"quoted"\nline';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assent-secrets-'));
});

afterEach(() => {
  forgetHidden();
  Reflect.deleteProperty(process.env, 'ASSENT_TEST_KEY');
  rmSync(folder, { recursive: true, force: true });
});

const across = (value: unknown): unknown => decodeText(recorded(encodeText(value, 'It'), 'It').text);
const textOf = (value: unknown): string => recorded(encodeText(value, 'It'), 'It').text;

describe('a secret', () => {
  test('is *** however it is turned into text', () => {
    const key = secret.literal(VALUE);
    const texts = [
      String(key),
      `the key is ${key as unknown as string}`,
      JSON.stringify({ key }),
      inspect({ key }),
      new Error(`no such key: ${key as unknown as string}`).message,
      inspect(new Error('no', { cause: key })),
      [key].join(','),
      JSON.stringify(Object.entries(key)),
    ];
    for (const text of texts) expect(text).not.toContain('hunter2');
    expect(texts.slice(0, 3)).toEqual(['***', 'the key is ***', '{"key":"***"}']);
  });

  test('is revealed from the environment, a file, or the value itself', () => {
    process.env['ASSENT_TEST_KEY'] = 'from the environment';
    writeFileSync(join(folder, 'key'), 'from a file\n');
    expect(secret.env('ASSENT_TEST_KEY').reveal()).toBe('from the environment');
    expect(secret.file(join(folder, 'key')).reveal()).toBe('from a file');
    expect(secret.literal(VALUE).reveal()).toBe(VALUE);
  });

  test('that is not to be had says where it was looked for, and not more', () => {
    expect(() => secret.env('ASSENT_TEST_KEY').reveal()).toThrow(/ASSENT_TEST_KEY is not set.*SECRET_UNAVAILABLE/);
    expect(() => secret.file(join(folder, 'none')).reveal()).toThrow(/cannot be read: ENOENT.*SECRET_UNAVAILABLE/);
    expect(() => secret.env('')).toThrow(/BAD_OPTION/);
  });

  test('is recorded as where it comes from; of a literal nothing is recorded', () => {
    process.env['ASSENT_TEST_KEY'] = VALUE;
    const read = across({ env: secret.env('ASSENT_TEST_KEY'), literal: secret.literal(VALUE) }) as {
      env: Secret;
      literal: Secret;
    };
    expect(read.env).toBeInstanceOf(Secret);
    expect(read.env.reveal()).toBe(VALUE);
    expect(read.literal).toBeInstanceOf(Secret);
    expect(() => read.literal.reveal()).toThrow(/given to another process.*SECRET_UNAVAILABLE/);
    expect(textOf(secret.literal(VALUE))).not.toContain('hunter2');
  });

  test('counts in a call’s identity as where it comes from', () => {
    expect(canonicalText([secret.env('A')])).toBe(canonicalText([secret.env('A')]));
    expect(canonicalText([secret.env('A')])).not.toBe(canonicalText([secret.env('B')]));
    expect(canonicalText([secret.literal('one')])).toBe(canonicalText([secret.literal('another')]));
    expect(canonicalText([secret.literal('hunter2')])).not.toContain('hunter2');
  });
});

describe('what was revealed', () => {
  test('is taken out of recorded values, which stay readable', () => {
    hideEverywhere(VALUE);
    hideEverywhere('123456');
    const value = {
      text: `before ${VALUE} after`,
      [VALUE]: new Map([[VALUE, new Set([VALUE, 1])]]),
      url: new URL(`https://example.org/?key=${encodeURIComponent(VALUE)}`),
      number: 123456,
      other: 1234567,
      big: 123456n,
      pattern: /123456+/,
      list: [1, 2, [123456]],
    };
    const text = textOf(value);
    expect(text).not.toContain('hunter2');
    expect(decodeText(text)).toEqual({
      text: 'before *** after',
      '***': new Map([['***', new Set(['***', 1])]]),
      url: new URL('https://example.org/?key=***'),
      number: '***',
      other: 1234567,
      big: '***',
      pattern: '***',
      list: [1, 2, ['***']],
    });
  });

  test('leaves no trace in any value that holds it, and the rest as it was', () => {
    const key = 'S3CR3T-"<\u2028';
    hideEverywhere(key);
    const around = fc.string({ maxLength: 5 });
    // Refused in any value.
    const name = around.filter((text) => text !== '__proto__');
    const leaf = fc.oneof(
      fc.integer(),
      around,
      fc.tuple(around, around).map(([a, b]) => `${a}${key}${b}`),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree')), fc.dictionary(name, tie('tree'))),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const text = textOf(value);
        expect(text).not.toContain('S3CR3T');
        expect(() => decodeText(text)).not.toThrow();
      }),
    );
  });

  test('is taken out of log lines, error texts and messages; a redacted value out of texts alone', () => {
    hideEverywhere('hunter2!');
    hideInTexts('4111-1111');
    expect(scrubbed('key hunter2!, card 4111-1111')).toBe('key ***, card ***');
    const line = scrubbedLine('{"msg":"hunter2!","n":{"card":"4111-1111"}}\n');
    expect(line).toBe('{"msg":"***","n":{"card":"***"}}\n');
    const cause = Object.assign(new TypeError('key hunter2!'), {
      request: { headers: [{ authorization: 'hunter2!' }], method: 'GET' },
      errors: [new Error('hunter2!')],
    });
    const error = new Error('card 4111-1111 declined', { cause });
    expect(encodeError(error)).not.toMatch(/hunter2|4111/);
    expect(encodeError('4111-1111')).not.toContain('4111');
    scrubError(error);
    expect(inspect(error, { depth: 9 })).not.toMatch(/hunter2|4111/);
    expect(cause.request.method).toBe('GET');
    expect(across(['4111-1111'])).toEqual(['4111-1111']);
    const run = 'a'.repeat(16) as never;
    const wish = scrubbedWish({
      kind: 'flow',
      run,
      to: { type: 'CANCELLING', name: 'Cancelling', message: 'hunter2!' },
      reason: 'card 4111-1111',
      create: { kind: 'flow', name: 'f', title: 'of hunter2!' },
    });
    expect(JSON.stringify(wish)).not.toMatch(/hunter2|4111/);
    const plain = { kind: 'flow', run, to: { type: 'RUNNING', name: 'Running' } } as const;
    expect(scrubbedWish(plain)).toBe(plain);
  });

  test('is taken out of bytes, of which there are as many as before, and of what they look like as text', () => {
    hideEverywhere('hunter2-key');
    const bytes = Buffer.from('Bearer hunter2-key');
    const text = textOf({
      bytes,
      part: new Uint8Array(bytes.buffer, bytes.byteOffset + 7, 11),
      rest: new Uint16Array(3),
    });
    expect(decodeText(text)).toEqual({
      bytes: Buffer.from('Bearer ***********'),
      part: new Uint8Array(Buffer.from('***********')),
      rest: new Uint16Array(3),
    });
    const basic = Buffer.from('ada:hunter2-key').toString('base64');
    expect(scrubbed(`Basic ${basic}`)).not.toContain(basic);
    expect(scrubbedLine(JSON.stringify({ msg: JSON.stringify({ body: JSON.stringify({ basic }) }) }))).toContain('***');
  });

  test('is found where JSON stands in a text of JSON', () => {
    hideEverywhere(VALUE);
    const line = JSON.stringify({ msg: JSON.stringify({ key: VALUE }) });
    expect(scrubbedLine(line)).toBe(JSON.stringify({ msg: '{"key":"***"}' }));
    expect(textOf({ body: JSON.stringify({ key: VALUE }) })).not.toContain('hunter2');
  });

  test('is not forgotten as long as there is the secret', () => {
    const own = secret.literal('of-this-process');
    own.reveal();
    for (let n = 0; n < 11_000; n += 1) hideEverywhere(`of-another-${String(n)}`);
    expect(scrubbed('of-this-process')).toBe('***');
    expect(own.reveal()).toBe('of-this-process');
  }, 20_000);

  test('is not looked for if it is short', () => {
    secret.literal('abc').reveal();
    expect(scrubbed('abc')).toBe('abc');
  });

  test('line by line, if it has several: a key in an error is often cut', () => {
    hideEverywhere('-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----');
    expect(scrubbed('  at MIIEvQIBADANBgkqhkiG9w0B')).toBe('  at ***');
  });
});

describe('redaction', () => {
  test.each([
    ['card.number', ['card', 'number']],
    ['items[*].token', ['items', '*', 'token']],
    ['[0].id', [0, 'id']],
    ['headers["x-key"]', ['headers', 'x-key']],
    ['*.token', ['*', 'token']],
  ])('understands the path %s', (text, path) => {
    expect(parsePath(text)).toEqual(path);
  });

  test.each(['', '.', 'a..b', 'a[', 'a[]', 'a b', '[x]', 'a.'])('refuses the path %j', (text) => {
    expect(parsePath(text)).toBeUndefined();
  });

  test('takes out what the paths lead to, in lists, maps, sets and objects, and leaves the rest as it is', () => {
    const redact = redactionOf(['card.number', 'items[*].token', 'map.key', 'set[*].pin'])!;
    const value = {
      card: { number: '4111-1111', holder: 'Ada' },
      items: [{ token: 't-1111', n: 1 }, { n: 2 }],
      map: new Map([['key', 'm-1111']]),
      set: new Set([{ pin: 's-1111' }]),
      rest: { untouched: true },
    };
    const shown = redact.of(value) as typeof value;
    expect(textOf(shown)).not.toContain('1111');
    expect(shown.card.holder).toBe('Ada');
    expect(shown.rest).toBe(value.rest);
    expect(shown.items[1]).toBe(value.items[1]);
    expect(value.card.number).toBe('4111-1111');
    expect(scrubbed('card 4111-1111, token t-1111')).toBe('card ***, token ***');
    expect(redact.of({ other: 1 })).toEqual({ other: 1 });
    expect(redact.ofInputs([{ card: { number: 'x-2222' } }, 'plain'])[1]).toBe('plain');
    expect(redactionOf(['[0]'])!.ofInputs(['0000-0000'])[0]).toBeInstanceOf(Secret);
  });

  test('is undone where this process has its own values still', () => {
    const recordedValue = { card: { number: goneSecret(), holder: 'Ada' }, list: [goneSecret(), 2] };
    const own = { card: { number: '4111', holder: 'Bob' }, list: ['one', 3] };
    expect(withOwn(recordedValue, own)).toEqual({ card: { number: '4111', holder: 'Ada' }, list: ['one', 2] });
    expect(withOwn(recordedValue, undefined)).toBe(recordedValue);
  });
});
