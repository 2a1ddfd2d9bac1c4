/** What people call one run: a template, or a function, of what it was called with. */
import { LIMITS } from '../protocol/limits.ts';
import { shortText } from './errors-across.ts';
import { parsePath } from './redaction.ts';
import { scrubbed } from './scrubber.ts';
import { Secret } from './secrets.ts';

/** What a run's name is made of. */
export interface RunNameContext {
  /** The flow's or task's name. */
  readonly name: string;
  /** The parameters of a flow; of a task, those of its flow. What is redacted is `***`. */
  readonly parameters: unknown;
  /** The inputs of a task; of a flow, its parameters as a list of one. What is redacted is `***`. */
  readonly inputs: readonly unknown[];
  /** When the run is named. */
  readonly now: Date;
}

/** A text with `{date}`, `{time}`, `{name}`, `{parameters.customer}`, `{inputs[0].id}` in it, or a function. */
export type RunName = string | ((context: RunNameContext) => string);

/** What may stand in braces; undefined if all is well. */
export function problemOfTemplate(template: string): string | undefined {
  for (const [, place = ''] of template.matchAll(PLACES)) {
    if (rootOf(place) === undefined) return `{${place}} is none of ${KNOWN}`;
  }
  return undefined;
}

const PLACES = /\{([^{}]*)\}/g;
const KNOWN = '{date}, {time}, {name}, {parameters…}, {inputs…}';

const rootOf = (place: string): keyof Roots | undefined => {
  const [root] = parsePath(place) ?? [];
  return ROOTS.find((known) => known === root);
};

type Roots = { readonly date: string; readonly time: string } & Omit<RunNameContext, 'now'>;
const ROOTS = ['date', 'time', 'name', 'parameters', 'inputs'] as const;

/** Cut to what a name may have; undefined if there is nothing to say. */
export function runNameOf(template: RunName, context: RunNameContext): string | undefined {
  const text = typeof template === 'string' ? filled(template, context) : template(context);
  return typeof text === 'string' && text !== '' ? scrubbed(text).slice(0, LIMITS.nameMax) : undefined;
}

function filled(template: string, { now, ...context }: RunNameContext): string {
  const iso = now.toISOString();
  const roots: Roots = { ...context, date: iso.slice(0, 10), time: iso.slice(11, 19) };
  return template.replace(PLACES, (_, place: string) => wordsOf(valueAt(roots, place)));
}

function valueAt(roots: Roots, place: string): unknown {
  let value: unknown = roots;
  for (const step of parsePath(place) ?? []) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = value instanceof Map ? value.get(step) : (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

function wordsOf(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return '';
    case 'function':
      return value.name;
    case 'object':
      return value === null ? '' : wordsOfObject(value);
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'symbol':
      return String(value);
  }
}

function wordsOfObject(value: object): string {
  if (value instanceof Date) return value.toISOString();
  return value instanceof URL || value instanceof Secret ? value.toString() : shortText(value);
}
