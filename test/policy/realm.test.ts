import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { createRealm } from '../../engine/policy/realm.ts';

const realm = createRealm();
const run = (code: string): unknown => realm.run(`'use strict'; ${code}`, 'test.js');

describe('in the realm of rules', () => {
  test.each([
    'new Date()',
    'Date()',
    'Date.now()',
    'new Date(2026, 1)',
    "new Date('2026-01-01T10:00')",
    "Date.parse('1 Jan 2026')",
    "new Date('Jan-01-2020')",
    "new Date('2026-01-01 10:00Z')",
    "new Date({ toString: () => '2020/01/01' })",
    "new Date({ [Symbol.toPrimitive]: () => '2020/01/01' })",
    "Date.parse({ toString: () => '2020/01/01' })",
    'new Date(0).getHours()',
    'new Date(0).setMinutes(3)',
    'new Date(0).getTimezoneOffset()',
    'new Date(0).toString()',
    'Intl.DateTimeFormat().format()',
    'new Intl.DateTimeFormat().formatToParts()',
    'Math.random()',
    'crypto.randomUUID()',
    'performance.now()',
    'setTimeout(() => 1)',
    'setInterval(() => 1)',
    'setImmediate(() => 1)',
    'queueMicrotask(() => 1)',
    "fetch('http://localhost')",
    "require('node:fs')",
    'process.env',
    'new SharedArrayBuffer(8)',
    'new WeakRef({})',
    'new FinalizationRegistry(() => 1)',
    'WebAssembly.Module',
    'new Proxy({}, {})',
    "import('node:fs')",
    "eval('1')",
    "new Function('return 1')()",
    "(() => 1).constructor('return 1')()",
    "globalThis.constructor.constructor('return 1')()",
  ])('%s throws', (code) => {
    expect(() => run(code)).toThrow();
  });

  test.each<[string, unknown]>([
    ["new Date('2026-01-01T10:00Z').getUTCHours()", 10],
    ["new Date('2026-01-01').toISOString()", '2026-01-01T00:00:00.000Z'],
    ['new Date(7) - 0', 7],
    ['Date.UTC(2026, 0, 1)', 1767225600000],
    ['new Date(0) instanceof Date && new Date(0).constructor === Date', true],
    ["new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Tokyo', hour: '2-digit' }).format(new Date(0))", '09'],
    // The machine's own zone and language are not asked.
    ["new Intl.DateTimeFormat(undefined, { hour: '2-digit', hour12: false }).format(new Date(3600000))", '01'],
    ["new Intl.DateTimeFormat('en', { timeZone: undefined }).resolvedOptions().timeZone", 'UTC'],
    ['new Intl.DateTimeFormat([]).resolvedOptions().locale', 'en-US'],
    ['new Intl.NumberFormat({}).resolvedOptions().locale', 'en-US'],
    // A language that nobody knows gives way to the fixed one, not to the machine's.
    ["new Intl.NumberFormat(['xx', 'de']).resolvedOptions().locale", 'de'],
    ["new Intl.NumberFormat('xx').resolvedOptions().locale", 'en-US'],
    ["(1234.5).toLocaleString([]) + (1234.5).toLocaleString('de')", '1,234.51.234,5'],
    ['new Date({ valueOf: () => 7 }).getTime() + new Date(new Date(7)).getTime()', 14],
    ["new Date('2026-01-01T10:00:00.5+02:00').toISOString()", '2026-01-01T08:00:00.500Z'],
    ["new Date('2026').getTime() === Date.UTC(2026)", true],
    ['new Date(0).toLocaleDateString()', '1/1/1970'],
    ['(1234.5).toLocaleString()', '1,234.5'],
    ['JSON.stringify([...new Set([1, 2])])', '[1,2]'],
    ['structuredClone === undefined ? 1 : 2'.replace('structuredClone', 'globalThis.structuredClone'), 1],
  ])('%s is %j', (code, value) => {
    expect(run(code)).toEqual(value);
  });

  test('nothing shows where the machine is and what it speaks', () => {
    const codes = [
      "Intl.DateTimeFormat('en', { timeZone: undefined }).resolvedOptions().timeZone",
      "new Date(0).toLocaleString('en', { timeZone: undefined })",
      'new Date(0).toLocaleDateString()',
      "new Date(0) + new Date('2026-02-31').toISOString() + new Date('2026') + new Date('+002026-01')",
      "(1234.5).toLocaleString([]) + (1234.5).toLocaleString('xx') + [1234.5].toLocaleString()",
      "'i'.toLocaleUpperCase([]) + 'ä'.localeCompare('z', [])",
    ];
    const script = `
      import { createRealm } from ${JSON.stringify(new URL('../../engine/policy/realm.ts', import.meta.url).href)};
      const realm = createRealm();
      process.stdout.write(JSON.stringify(${JSON.stringify(codes)}.map((code) => realm.run(code, 'test.js'))));`;
    const env = { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR', NODE_NO_WARNINGS: '1' };
    const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, encoding: 'utf8' });
    expect(JSON.parse(elsewhere)).toEqual(codes.map(run));
    expect(elsewhere).toContain('"UTC"');
  });

  /** `said` is what an error of the machine's own realm would give away. */
  test.each([
    [
      'what no text can be made of',
      'const error = new Error(); error.name = Symbol(); try { said = error.stack; } catch (e) { said = e; }',
    ],
    [
      'a stack that is full',
      'const dig = () => { try { dig(); } catch {} try { new Error().stack; } catch (e) { if (!(e instanceof Error)) said = e; } }; dig();',
    ],
    [
      'a limit of stacks that is set again',
      `try { Error.stackTraceLimit = 9; } catch {} try { Object.defineProperty(Error, 'stackTraceLimit', { value: 9 }); } catch {}
       const error = new RangeError(); error.name = Symbol(); Error.captureStackTrace?.(error); try { said = error.stack; } catch (e) { said = e; }`,
    ],
  ])('%s gives nothing of the machine away', (_, code) => {
    expect(createRealm().run(`let said; ${code}; said === undefined`, 'test.js')).toBe(true);
  });

  test('the place of an error is known only where it is asked for', () => {
    const place = (given: ReturnType<typeof createRealm>) =>
      given.run('try { null.x } catch (e) { e.stack }', 'test.js');
    expect(place(createRealm())).toBeUndefined();
    expect(place(createRealm({ withPlaces: true }))).toContain('test.js:1:');
  });

  test('what is given is a frozen copy of the realm’s own kind', () => {
    const given = { list: [{ deep: 1 }] };
    const copy = realm.admit(given);
    expect(copy).toEqual(given);
    expect(Object.getPrototypeOf(copy)).not.toBe(Object.prototype);
    expect(Object.isFrozen(copy.list[0])).toBe(true);
    const change = run('(given) => { given.list[0].deep = 2; }') as (given: unknown) => void;
    expect(() => {
      change(copy);
    }).toThrow('read only');
  });
});
