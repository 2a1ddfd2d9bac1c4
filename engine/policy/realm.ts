/**
 * Where the rules of a bundle live: a JavaScript context of their own, without a clock, chance, timers or I/O.
 *
 * R1 There is nothing in it but the language. What of the language reads the time, chance, the machine's time zone or
 *    language, or the garbage collector, throws or is not there; with explicit arguments, dates and Intl are kept.
 * R2 What goes in is copied into objects of the realm, deeply frozen; what comes out is copied into ours. So a rule can
 *    change nothing of what it is given, and what it returned cannot change later.
 * R3 It keeps honest rules pure. It is no prison: node:vm is none. What is known to lead out of it is closed: an import
 *    (imports.ts), a proxy that is called from outside and is given a list of the outside, an error of the code that
 *    makes the text of a stack. For the last, no error in a realm has a stack, unless it is asked for.
 */
import vm from 'node:vm';
import { importIn } from './imports.ts';
import { PolicyProblem } from './shape.ts';
import type { Facts, Need } from '../../rules/rule.ts';

export type Realm = {
  /** Runs a script; the answer is the value of its last expression. @throws PolicyProblem, what the script throws. */
  run(source: string, file: string): unknown;
  /** A frozen copy that belongs to the realm. */
  admit<T>(value: T): T;
  /** Of admitted facts, those that are needed, and the time. */
  select(facts: Facts, needs: readonly Need[]): Facts;
};

export type RealmOptions = {
  /** Errors have a stack, which says where they were thrown. Only for sources of one's own: R3. */
  readonly withPlaces?: boolean;
};

/** What a script may take to be read, at load. */
const LOAD_LIMIT_MS = 5000;

/** Runs first in each realm, before any rule. Plain JavaScript, because it is the realm's own. */
const GUARD = `(() => {
'use strict';
const { freeze, keys, defineProperty, getOwnPropertyNames, getPrototypeOf } = Object;
const { isArray } = Array;
const { apply, construct } = Reflect;
const impure = (what, instead) => { throw new TypeError('a rule may not use ' + what + ': ' + instead); };
const set = (object, name, value) =>
  defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });

const CLOCK = 'the time is among its facts, as nowMs';
const ZONE = 'it depends on the machine; use the UTC methods, or Intl with a timeZone';
const TheDate = Date;
// The whole of it: the other ways in which V8 reads dates mean the machine's time zone.
const ISO = /^(\\d{4}|[+-]\\d{6})(-\\d\\d(-\\d\\d)?)?(T\\d\\d:\\d\\d(:\\d\\d([.,]\\d+)?)?(Z|[+-]\\d\\d:?\\d\\d))?$/;
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const { getTime } = TheDate.prototype;
const { toPrimitive } = Symbol;
/** What \`new Date(value)\` makes of an object, before it looks at it. */
const primitiveOf = (value) => {
  if (!isObject(value)) return value;
  if (value instanceof TheDate) return apply(getTime, value, []);
  const exotic = value[toPrimitive];
  const ways = exotic == null ? ['valueOf', 'toString'] : [toPrimitive];
  for (let i = 0; i < ways.length; i += 1) {
    const way = value[ways[i]];
    const found = typeof way === 'function' ? apply(way, value, ['default']) : value;
    if (!isObject(found)) return found;
  }
  throw new TypeError('Cannot convert object to primitive value');
};
const timeOf = (given) => {
  const value = primitiveOf(given);
  if (typeof value === 'string' && !ISO.test(value)) impure('a date without a time zone', ZONE);
  return value;
};
const PureDate = function Date(...args) {
  if (new.target === undefined) impure('Date()', CLOCK);
  if (args.length === 0) impure('new Date() without arguments', CLOCK);
  if (args.length > 1) impure('new Date(year, month …)', 'it depends on the machine; use Date.UTC(…)');
  return construct(TheDate, [timeOf(args[0])], new.target);
};
PureDate.prototype = TheDate.prototype;
set(TheDate.prototype, 'constructor', PureDate);
const textOf = String;
set(PureDate, 'UTC', TheDate.UTC);
set(PureDate, 'parse', (text) => TheDate.parse(timeOf(textOf(text))));
set(PureDate, 'now', () => impure('Date.now()', CLOCK));
for (const name of getOwnPropertyNames(TheDate.prototype)) {
  if (/^(get|set)(?!UTC|Time$)/.test(name) || /^to(Date|Time)?String$/.test(name) || name === 'getTimezoneOffset') {
    set(TheDate.prototype, name, () => impure('Date.prototype.' + name, ZONE));
  }
}
set(TheDate.prototype, Symbol.toPrimitive, function (hint) {
  return hint === 'number' ? this.valueOf() : this.toISOString();
});
set(globalThis, 'Date', PureDate);
set(Math, 'random', () => impure('Math.random()', 'ask for the fact chance'));

const LANGUAGE = 'en-US';
const { getCanonicalLocales } = Intl;
/** The fixed language comes last, for what nobody knows would be replaced by the machine's. */
const languages = (locales) => {
  const known = getCanonicalLocales(isObject(locales) || typeof locales === 'string' ? locales : []);
  known[known.length] = LANGUAGE;
  return known;
};
const inZone = (options) => ({ ...options, timeZone: options?.timeZone ?? 'UTC' });
for (const name of getOwnPropertyNames(Intl)) {
  const Original = Intl[name];
  if (typeof Original !== 'function' || Original.prototype === undefined || name === 'Locale') continue;
  const Fixed = function (locales, options, ...rest) {
    const given = name === 'DateTimeFormat' ? inZone(options) : options;
    return construct(Original, [languages(locales), given, ...rest], new.target ?? Fixed);
  };
  Fixed.prototype = Original.prototype;
  set(Fixed, 'supportedLocalesOf', Original.supportedLocalesOf);
  set(Original.prototype, 'constructor', Fixed);
  set(Intl, name, Fixed);
}
const DTF = Intl.DateTimeFormat.prototype;
const getFormat = Object.getOwnPropertyDescriptor(DTF, 'format').get;
defineProperty(DTF, 'format', { configurable: true, get() {
  const format = apply(getFormat, this, []);
  return (date) => (date === undefined ? impure('the present date', CLOCK) : format(date));
} });
const { formatToParts } = DTF;
set(DTF, 'formatToParts', function (date) {
  return date === undefined ? impure('the present date', CLOCK) : apply(formatToParts, this, [date]);
});
const inLanguage = (prototype, name, at) => {
  const original = prototype[name];
  set(prototype, name, function (...args) {
    for (let i = args.length; i < at; i += 1) args[i] = undefined;
    args[at] = languages(args[at]);
    if (prototype === TheDate.prototype) args[at + 1] = inZone(args[at + 1]);
    return apply(original, this, args);
  });
};
for (const name of ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString']) inLanguage(TheDate.prototype, name, 0);
for (const prototype of [Number.prototype, BigInt.prototype]) inLanguage(prototype, 'toLocaleString', 0);
for (const name of ['toLocaleUpperCase', 'toLocaleLowerCase']) inLanguage(String.prototype, name, 0);
inLanguage(String.prototype, 'localeCompare', 1);

for (const name of ['Proxy', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics', 'WebAssembly', 'console', 'gc']) {
  delete globalThis[name];
}
delete Array.fromAsync;
if (typeof Temporal !== 'undefined') delete Temporal.Now;
for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch', 'require', 'eval', 'Function']) {
  const instead = name === 'eval' || name === 'Function' ? 'its source must be all there is' : 'it neither waits nor reaches outside';
  const banned = function () { return impure(name, instead); };
  if (name === 'Function') banned.prototype = getPrototypeOf(banned);
  set(globalThis, name, banned);
}

const admit = (value) => {
  if (typeof value !== 'object' || value === null) return value;
  if (isArray(value)) {
    const list = [];
    for (let i = 0; i < value.length; i += 1) list[i] = admit(value[i]);
    return freeze(list);
  }
  const copy = {};
  for (const key of keys(value)) copy[key] = admit(value[key]);
  return freeze(copy);
};
/** Of some facts, those that a rule asked for. */
const select = (facts, needs) => {
  const some = { nowMs: facts.nowMs };
  for (let i = 0; i < needs.length; i += 1) if (facts[needs[i]] !== undefined) some[needs[i]] = facts[needs[i]];
  return freeze(some);
};
return { admit, select };
})()`;

/** V8 takes no stack at all if this is no number. */
const NO_STACKS =
  "Object.defineProperty(Error, 'stackTraceLimit', { value: undefined, writable: false, configurable: false });";

export function createRealm({ withPlaces = false }: RealmOptions = {}): Realm {
  // Not contextified: an ordinary global object, whose names are found as fast as our own.
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY, {
    name: 'rules',
    codeGeneration: { strings: false, wasm: false },
    // What a rule leaves to a promise is never done.
    microtaskMode: 'afterEvaluate',
  });
  const run = (source: string, file: string): unknown => {
    const line = importIn(source);
    if (line !== undefined) {
      throw new PolicyProblem(
        `line ${String(line)} imports something while it runs, or has 'import (' in a text: neither can be`,
      );
    }
    return new vm.Script(source, { filename: file }).runInContext(context, { timeout: LOAD_LIMIT_MS });
  };
  if (!withPlaces) run(NO_STACKS, 'realm');
  return { run, ...(run(GUARD, 'realm') as Pick<Realm, 'admit' | 'select'>) };
}
