/**
 * Conditions in CEL: from a text to a function of the transition and the facts.
 *
 * E1 Pure and total in time: only the words of words.ts and the functions below; no regular expressions, whose time is
 *    not bounded; lists are walked through at most twice within one another.
 * E2 What a condition mentions is what it needs: those facts are gathered, recorded, and nothing else is seen.
 * E3 What is wrong with a text is said before it is in force; what is left (an overflow, a division by zero) is an
 *    error of the rule, and the proposal is refused.
 */
import './text-coding.ts';
import { Environment, type ASTNode } from '@marcbachmann/cel-js';
import type { Facts, Need, Transition } from '../../rules/rule.ts';
import { Moment, MOMENT_METHODS, momentPart, WORDS, type Word } from './words.ts';
import { isZone } from './zones.ts';

export type Condition = {
  readonly needs: readonly Need[];
  readonly holds: (transition: Transition, facts: Facts) => boolean;
};
export type Compiled =
  | { readonly ok: true; readonly condition: Condition }
  /** `at`: the part of the text that is meant. */
  | { readonly ok: false; readonly problem: string; readonly at?: string };

const FUNCTIONS = ['size', 'timestamp', 'string', 'int', 'double'] as const;
const WALKS = ['exists', 'exists_one', 'all', 'filter'] as const;
const METHODS = ['contains', 'startsWith', 'endsWith', 'like', 'lowerAscii', 'upperAscii', 'trim', 'size'] as const;
const OPERATORS = [
  '&&',
  '||',
  '!_',
  '-_',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  '+',
  '-',
  '*',
  '/',
  '%',
  '?:',
] as const;
const SIGNS = OPERATORS.join(' ').replaceAll('_', '');
const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', 'in']);
const OPERATIONS: ReadonlySet<string> = new Set([...OPERATORS, 'value', 'list']);
const isAmong = (names: readonly string[], name: string): boolean => names.includes(name);

/** Nested within each other, walks through lists multiply. */
const WALKS_DEEP_MAX = 2;
const NODES_MAX = 300;
const DEPTH_MAX = 40;
const LIST_MAX = 100;

const environment = environmentOf();

function environmentOf(): Environment {
  const limits = { maxAstNodes: NODES_MAX, maxDepth: DEPTH_MAX, maxListElements: LIST_MAX, maxCallArguments: 3 };
  const made = new Environment({ limits }).registerType('Moment', { ctor: Moment, fields: {} });
  const schemas = new Map<string, Record<string, string>>();
  for (const [path, { type }] of Object.entries(WORDS)) {
    const [root = '', field] = path.split('.');
    if (field === undefined) made.registerVariable(root, type);
    else schemas.set(root, { ...schemas.get(root), [field]: type });
  }
  for (const [name, schema] of schemas) made.registerVariable({ name, schema });
  for (const method of Object.keys(MOMENT_METHODS)) {
    made.registerFunction(`Moment.${method}(): int`, (at: Moment) => momentPart(method, at, 'UTC'));
    made.registerFunction(`Moment.${method}(string): int`, (at: Moment, zone: string) => momentPart(method, at, zone));
  }
  const timestamp = 'google.protobuf.Timestamp';
  made.registerOperator(`Moment < ${timestamp}`, (at: Moment, time: Date) => at.ms < time.getTime());
  made.registerOperator(`Moment <= ${timestamp}`, (at: Moment, time: Date) => at.ms <= time.getTime());
  made.registerOperator(`Moment > ${timestamp}`, (at: Moment, time: Date) => at.ms > time.getTime());
  made.registerOperator(`Moment >= ${timestamp}`, (at: Moment, time: Date) => at.ms >= time.getTime());
  return made.registerFunction('string.like(string): bool', (text: string, pattern: string) => isLike(text, pattern));
}

/** `*` stands for anything, also for nothing. Each part is looked for once, from where the last one ended. */
export function isLike(text: string, pattern: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head) || !text.endsWith(tail) || text.length < head.length + tail.length) return false;
  let from = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return from <= text.length - tail.length;
}

export function compileCondition(text: string): Compiled {
  try {
    const expression = environment.parse(text);
    const seen = new Reading(text);
    seen.read(expression.ast, new Set(), 0);
    if (seen.problem !== undefined) return { ok: false, ...seen.problem };
    const { valid, type = '', error } = expression.check();
    if (!valid) return notTyped(error, text);
    if (type !== 'bool') return { ok: false, problem: `it is of type ${type}: a condition is true or false` };
    return { ok: true, condition: conditionOf(expression, seen.words) };
  } catch (error) {
    return notTyped(error, text);
  }
}

type CelError = { readonly summary?: string; readonly range?: { readonly start: number; readonly end: number } };

function notTyped(error: unknown, text: string): Compiled {
  const { summary, range } = (error ?? {}) as CelError;
  const at = range === undefined ? '' : text.slice(range.start, range.end);
  return { ok: false, problem: summary ?? String(error), ...(at === '' || at === text ? {} : { at }) };
}

type Expression = (context: Record<string, unknown>) => unknown;

function conditionOf(expression: Expression, paths: ReadonlySet<string>): Condition {
  const words = [...paths].flatMap((path) => {
    const word = WORDS[path];
    const [root = '', field] = path.split('.');
    return word === undefined ? [] : [{ root, field, word }];
  });
  return {
    needs: [...new Set(words.flatMap(({ word }) => word.need ?? []))],
    holds: (transition, facts) => expression(contextOf(words, transition, facts)) === true,
  };
}

type Used = { readonly root: string; readonly field: string | undefined; readonly word: Word };

function contextOf(words: readonly Used[], transition: Transition, facts: Facts): Record<string, unknown> {
  const context: Record<string, unknown> = {};
  for (const { root, field, word } of words) {
    const value = word.read(transition, facts);
    if (field === undefined) context[root] = value;
    else ((context[root] ??= {}) as Record<string, unknown>)[field] = value;
  }
  return context;
}

/** Reads an expression through for what it mentions, and for what it must not. */
class Reading {
  readonly words = new Set<string>();
  problem: { readonly problem: string; readonly at?: string } | undefined;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** `bound`: the names that a walk through a list has given to its items. */
  read(node: ASTNode, bound: ReadonlySet<string>, deep: number): void {
    if (node.op === 'id') {
      if (!bound.has(node.args)) this.#word(node, node.args);
    } else if (node.op === '.') {
      const [target, field] = node.args;
      if (target.op === 'id' && !bound.has(target.args)) this.#word(node, `${target.args}.${field}`);
      else this.#refuse(node, `nothing here has a field '${field}'`);
    } else if (node.op === 'call') {
      this.#call(node, bound, deep);
    } else if (node.op === 'rcall') {
      this.#method(node, bound, deep);
    } else {
      if (!OPERATIONS.has(node.op) || isBytes(node)) this.#refuse(node, `not possible here; operators are ${SIGNS}`);
      for (const argument of operands(node)) this.read(argument, bound, deep);
      if (COMPARISONS.has(node.op)) this.#compared(node);
    }
  }

  /** A text that a word can never be is a slip of the pen, and the rule would never mean anything. */
  #compared(node: ASTNode): void {
    const sides = operands(node);
    const values = sides.flatMap((side) => WORDS[pathOf(side)]?.values ?? []);
    if (values.length === 0) return;
    for (const text of sides.flatMap((side) => (side.op === 'list' ? side.args : [side]))) {
      if (text.op === 'value' && typeof text.args === 'string' && !values.includes(text.args)) {
        this.#refuse(text, `it can only be ${values.join(', ')}`);
      }
    }
  }

  #call(node: Extract<ASTNode, { readonly op: 'call' }>, bound: ReadonlySet<string>, deep: number): void {
    const [name, given] = node.args;
    if (!isAmong(FUNCTIONS, name)) this.#unknown(node, name);
    if (name === 'timestamp' && !given.every(isTimestamp)) {
      this.#refuse(node, `no time: timestamp("2026-12-24T00:00:00Z")`);
    }
    for (const argument of given) this.read(argument, bound, deep);
  }

  #method(node: Extract<ASTNode, { readonly op: 'rcall' }>, bound: ReadonlySet<string>, deep: number): void {
    const [name, target, given] = node.args;
    this.read(target, bound, deep);
    if (name in MOMENT_METHODS) {
      if (target.op !== 'id' || target.args !== 'now') this.#refuse(node, `only 'now' has a calendar`);
      for (const zone of given) this.#zone(zone);
      return;
    }
    if (!isAmong(WALKS, name)) {
      if (!isAmong(METHODS, name)) this.#unknown(node, name);
      for (const argument of given) this.read(argument, bound, deep);
      return;
    }
    if (deep >= WALKS_DEEP_MAX) this.#refuse(node, `lists are walked through at most ${String(WALKS_DEEP_MAX)} deep`);
    const [item, ...rest] = given;
    const names = item?.op === 'id' ? new Set([...bound, item.args]) : bound;
    if (deep < WALKS_DEEP_MAX) for (const argument of rest) this.read(argument, names, deep + 1);
  }

  /** Known when the rule is read: a zone that does not exist is a mistake in the file, and not a refused proposal. */
  #zone(node: ASTNode): void {
    if (node.op !== 'value' || typeof node.args !== 'string') this.#refuse(node, 'a time zone is written as a text');
    else if (!isZone(node.args)) this.#refuse(node, `no time zone: Europe/Berlin, America/New_York, UTC …`);
  }

  #word(node: ASTNode, path: string): void {
    if (WORDS[path] !== undefined && Object.hasOwn(WORDS, path)) this.words.add(path);
    else this.#refuse(node, `no such word; there are: ${Object.keys(WORDS).join(', ')}`);
  }

  #unknown(node: ASTNode, name: string): void {
    const known = [...FUNCTIONS, ...METHODS, ...WALKS, ...Object.keys(MOMENT_METHODS)];
    const instead = name === 'matches' ? ` (instead of 'matches': like, where * stands for anything)` : '';
    this.#refuse(node, `no function '${name}'${instead}; there are: ${[...new Set(known)].join(', ')}`);
  }

  #refuse({ start, end }: ASTNode, problem: string): void {
    const at = this.#text.slice(start, end);
    this.problem ??= { problem, ...(at === this.#text ? {} : { at }) };
  }
}

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/;

/** Written out, and with its zone: a time that does not exist is a mistake in the file, and no machine's zone counts. */
const isTimestamp = (node: ASTNode): boolean =>
  node.op === 'value' &&
  typeof node.args === 'string' &&
  TIMESTAMP.test(node.args) &&
  !Number.isNaN(Date.parse(node.args));

/** `run.name` of the node that says so; of any other, nothing. */
function pathOf(node: ASTNode): string {
  if (node.op === 'id') return node.args;
  if (node.op !== '.' || node.args[0].op !== 'id') return '';
  return `${node.args[0].args}.${node.args[1]}`;
}

const isBytes = ({ op, args }: ASTNode): boolean => op === 'value' && args instanceof Uint8Array;

/** What an operator or a list is made of. */
function operands(node: ASTNode): readonly ASTNode[] {
  const { args } = node as { readonly args: unknown };
  const all: readonly unknown[] = Array.isArray(args) ? args.flat() : [args];
  return all.filter((one): one is ASTNode => typeof one === 'object' && one !== null && 'op' in one);
}
