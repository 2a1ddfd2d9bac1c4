/**
 * Parts of parameters, inputs and results that are named as confidential: they are not recorded and not logged. What is
 * recorded in their place is a secret that nobody can reveal any more.
 */
import { HIDDEN, hideInTexts, keyWithDigest } from './scrubber.ts';
import { goneSecret, Secret } from './secrets.ts';

/** A name, a place in a list, or `*` for all of them. */
type Step = string | number;
type Path = readonly Step[];

export type Redaction = {
  /** As they were given. */
  readonly paths: readonly string[];
  /** The value with what is confidential in it taken out; the value itself if there is nothing. */
  readonly of: (value: unknown) => unknown;
  /** The same of a list of inputs: each path is looked for in each of them, and in the list. */
  readonly ofInputs: (inputs: readonly unknown[]) => readonly unknown[];
  /** The same of what a run makes for others: each path is looked for in it and, of a list, in each of its items. */
  readonly ofData: (data: unknown) => unknown;
  /** What is confidential in it is from now on taken out of log lines and error texts. */
  readonly hide: (...values: readonly unknown[]) => void;
  /** A log line, parsed: each path is looked for at any depth. */
  readonly ofLog: (value: unknown) => unknown;
  /** A key that is made of these values: of one that shows what is confidential in them, its digest. */
  readonly ofKey: (key: string, values: readonly unknown[]) => string;
};

/** What `card.number`, `items[*].token`, `[0]` and `headers["x-key"]` mean; undefined of anything else. */
export function parsePath(text: string): Path | undefined {
  const steps: Step[] = [];
  const step = /(?:^|\.)([A-Za-z_$*][\w$-]*)|\[(\d+|\*|"[^"]+"|'[^']+')\]/y;
  while (step.lastIndex < text.length) {
    const found = step.exec(text);
    if (found === null) return undefined;
    const [, name, inside] = found;
    if (name !== undefined) steps.push(name);
    else if (inside !== undefined) steps.push(/^\d/.test(inside) ? Number(inside) : inside.replace(/^["']|["']$/g, ''));
  }
  return steps.length === 0 ? undefined : steps;
}

/** Of paths that can be parsed; undefined if there are none. */
export function redactionOf(texts: readonly string[]): Redaction | undefined {
  const paths = texts.map(parsePath).filter((path) => path !== undefined);
  if (paths.length === 0) return undefined;
  const of = (value: unknown): unknown => paths.reduce((rest, path) => without(rest, path, taken), value);
  const ofInputs = (inputs: readonly unknown[]): readonly unknown[] => of(inputs.map(of)) as readonly unknown[];
  const each = (values: readonly unknown[], found: (part: unknown) => void): void => {
    const look = (part: unknown): unknown => {
      found(part);
      return part;
    };
    for (const path of paths) for (const value of [...values, values]) without(value, path, look);
  };
  const ofLog = (value: unknown): unknown => {
    const rest = paths.reduce((before, path) => without(before, path, () => HIDDEN), value);
    if (Array.isArray(rest)) return rest.map(ofLog);
    if (typeof rest !== 'object' || rest === null) return rest;
    return Object.fromEntries(Object.entries(rest).map(([name, part]) => [name, ofLog(part)]));
  };
  return {
    paths: texts,
    of,
    ofInputs,
    ofData: (data) => (Array.isArray(data) ? ofInputs(data) : of(data)),
    hide: (...values) => {
      each(values, hide);
    },
    ofLog,
    ofKey: (key, values) => {
      const shown: string[] = [];
      each(values, (part) => {
        collect(part, (text) => {
          if (text === key || (text.length >= SHOWN_MIN && key.includes(text))) shown.push(text);
        });
      });
      return shown.length === 0 ? key : keyWithDigest(key, shown);
    },
  };
}

/** Shorter ones stand in many a key that has nothing to do with them. */
const SHOWN_MIN = 4;

const merged = new WeakMap<Redaction, WeakMap<Redaction, Redaction>>();

/** What either of them takes out. */
export function both(one: Redaction | undefined, other: Redaction | undefined): Redaction | undefined {
  if (one === undefined || other === undefined || one === other) return one ?? other;
  const known = merged.get(one) ?? new WeakMap<Redaction, Redaction>();
  merged.set(one, known);
  const made = known.get(other) ?? redactionOf([...new Set([...one.paths, ...other.paths])]) ?? one;
  known.set(other, made);
  return made;
}

type Place = { readonly redact: Redaction | undefined } & (
  { readonly type: 'flow'; readonly parent: Place | undefined } | { readonly type: 'task'; readonly flow: Place }
);

/** All that is redacted where code runs: by the run itself, and by the flows around it. */
export function redactionIn(place: Place | undefined): Redaction | undefined {
  if (place === undefined) return undefined;
  return both(place.redact, redactionIn(place.type === 'task' ? place.flow : place.parent));
}

const taken = (value: unknown): unknown => {
  hide(value);
  return value instanceof Secret ? value : goneSecret();
};

const hide = (value: unknown): void => {
  collect(value, hideInTexts);
};

/** The texts and numbers in it are what may turn up in a message. */
function collect(value: unknown, found: (text: string) => void, seen = new Set<unknown>()): void {
  if (typeof value === 'string') found(value);
  else if (typeof value === 'number' || typeof value === 'bigint') found(String(value));
  else if (typeof value === 'object' && value !== null && !(value instanceof Secret) && !seen.has(value)) {
    seen.add(value);
    for (const part of partsOf(value)) collect(part, found, seen);
  }
}

function partsOf(value: object): Iterable<unknown> {
  // Its bytes, one by one, are nothing that could be recognised.
  if (ArrayBuffer.isView(value)) return [];
  return value instanceof Map || value instanceof Set ? value.values() : Object.values(value);
}

/** With what stands at the path replaced; only what leads there is copied. */
function without(value: unknown, [step, ...rest]: Path, replace: (value: unknown) => unknown): unknown {
  if (step === undefined) return value === undefined ? undefined : replace(value);
  if (typeof value !== 'object' || value === null || value instanceof Secret) return value;
  const each = (part: unknown): unknown => without(part, rest, replace);
  if (Array.isArray(value)) return inList(value, step, each);
  if (value instanceof Set) return step === '*' ? new Set([...value].map(each)) : value;
  if (value instanceof Map) return inMap(value, step, each);
  return inObject(value as Readonly<Record<string, unknown>>, step, each);
}

function inList(list: readonly unknown[], step: Step, each: (part: unknown) => unknown): readonly unknown[] {
  if (step === '*') return unlessSame(list, list.map(each));
  if (typeof step !== 'number' || !(step in list)) return list;
  return unlessSame(list, list.with(step, each(list[step])));
}

const unlessSame = (before: readonly unknown[], after: readonly unknown[]): readonly unknown[] =>
  after.every((item, index) => item === before[index]) ? before : after;

function inMap(map: ReadonlyMap<unknown, unknown>, step: Step, each: (part: unknown) => unknown): unknown {
  const changed = [...map].map(([key, item]): [unknown, unknown] => [
    key,
    step === '*' || key === step ? each(item) : item,
  ]);
  return changed.every(([key, item]) => map.get(key) === item) ? map : new Map(changed);
}

function inObject(object: Readonly<Record<string, unknown>>, step: Step, each: (part: unknown) => unknown): unknown {
  const keys = step === '*' ? Object.keys(object) : Object.hasOwn(object, step) ? [step] : [];
  const changed = keys.flatMap((key) => {
    const part = each(object[key]);
    return part === object[key] ? [] : [[key, part] as const];
  });
  if (changed.length === 0) return object;
  const copy = Object.create(Object.getPrototypeOf(object) as object | null) as object;
  Object.defineProperties(copy, Object.getOwnPropertyDescriptors(object));
  for (const [key, value] of changed) {
    Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

/**
 * What was recorded, with what was taken out of it put back from what this process was given: a script that resumes its own
 * run has its parameters still.
 */
export function withOwn(recorded: unknown, given: unknown): unknown {
  if (recorded instanceof Secret) return recorded.isGone && given !== undefined ? given : recorded;
  if (typeof recorded !== 'object' || recorded === null || typeof given !== 'object' || given === null) return recorded;
  if (Array.isArray(recorded)) {
    if (!Array.isArray(given)) return recorded;
    return unlessSame(
      recorded,
      recorded.map((item, index) => withOwn(item, given[index] as unknown)),
    );
  }
  if (recorded instanceof Map) {
    if (!(given instanceof Map)) return recorded;
    return new Map([...recorded].map(([key, item]) => [key, withOwn(item, given.get(key))]));
  }
  if (Object.getPrototypeOf(recorded) !== Object.prototype) return recorded;
  const own = given as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(recorded).map(([key, item]) => [key, withOwn(item, own[key])]));
}
