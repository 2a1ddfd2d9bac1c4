/**
 * Whether what a policy module gave is a policy: names, reach, needs and powers of each rule. Says what is wrong where.
 *
 * The rules that come out are ours: plain objects whose lists cannot change. Only `judge` is the module's own.
 */
import { LIMITS } from '../../protocol/limits.ts';
import { STATE_TYPES } from '../../protocol/states.ts';
import { HOLDABLE, type Policies, type Policy, type PolicyName } from '../../rules/judge.ts';
import { RUN_KINDS, type FromType, type Need, type Rule } from '../../rules/rule.ts';
import type { PolicySets } from './loaded-policy.ts';

/** What is wrong with a module, and where, as far as that is known. */
export class PolicyProblem extends Error {
  override readonly name = 'PolicyProblem';
}

/** What is said of a policy that is there and cannot be loaded. */
export const unloadable = (digest: string, { message }: PolicyProblem): string =>
  `The policy ${digest} cannot be loaded: ${message}.`;

/** A record, so that the compiler says when a fact is new. */
const NEEDS: Readonly<Record<Need, true>> = {
  execution: true,
  version: true,
  flow: true,
  ran: true,
  cleanup: true,
  message: true,
  call: true,
  attempt: true,
  retry: true,
  run: true,
  inHands: true,
  pauses: true,
  cache: true,
  resume: true,
  chance: true,
  slots: true,
  timeoutMs: true,
  graceMs: true,
};
const POLICY_NAMES: readonly PolicyName[] = [...RUN_KINDS, 'forced'];
const FROM_TYPES: readonly FromType[] = ['NONE', ...STATE_TYPES];
const POWERS = ['rewrite', 'reject', 'hold'] as const;
/** Rules of one list; far more than any policy has, and a hearing stays short. */
const RULES_MAX = 500;

/** Takes a rule of the module and gives one of ours. */
export type Adopt = (rule: Rule) => Rule;

/** @throws PolicyProblem. */
export function policySets(value: unknown, adopt: Adopt): PolicySets {
  const { workspace, flows, tags } = recordOf(value, 'the policies');
  return {
    workspace: policies(workspace, 'workspace', adopt),
    flows: each(flows, 'flows', adopt),
    tags: each(tags, 'tags', adopt),
  };
}

const each = (value: unknown, where: string, adopt: Adopt): Readonly<Record<string, Policies>> =>
  Object.fromEntries(
    Object.entries(recordOf(value, where)).map(([name, one]) => [name, policies(one, `${where}.${name}`, adopt)]),
  );

function policies(value: unknown, where: string, adopt: Adopt): Policies {
  const record = recordOf(value, where);
  for (const name of Object.keys(record)) {
    if (!(POLICY_NAMES as readonly string[]).includes(name)) {
      throw new PolicyProblem(`${where}: there is no policy '${name}', only ${listed(POLICY_NAMES)}`);
    }
  }
  const entries = POLICY_NAMES.map((name) => [name, policy(record[name], `${where}.${name}`, adopt)] as const);
  return Object.fromEntries(entries) as Policies;
}

function policy(value: unknown, where: string, adopt: Adopt): Policy {
  const { name, rules, shadow } = recordOf(value, where);
  const taken = new Set<string>();
  const list = (rulesOf: unknown, as: string): Rule[] => {
    if (!Array.isArray(rulesOf)) throw new PolicyProblem(`${where}.${as} is no list of rules`);
    if (rulesOf.length > RULES_MAX) throw new PolicyProblem(`${where} has more than ${String(RULES_MAX)} ${as}`);
    return Array.from(rulesOf, (rule: unknown, index) => {
      const checked = checkedRule(rule, `${where}.${as}[${String(index)}]`);
      if (taken.has(checked.name)) throw new PolicyProblem(`${where} has two rules with the name '${checked.name}'`);
      taken.add(checked.name);
      return adopt(checked);
    });
  };
  const own = list(rules, 'rules');
  const beside = shadow === undefined ? undefined : list(shadow, 'shadow');
  return { name: textOf(name, `${where}.name`), rules: own, ...(beside === undefined ? {} : { shadow: beside }) };
}

const RULE_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

function checkedRule(value: unknown, where: string): Rule {
  const { name, summary, on, from, to, needs, may, judge } = recordOf(value, where);
  const called = typeof name === 'string' ? name : '';
  if (!RULE_NAME.test(called) || called.length > LIMITS.nameMax) {
    throw new PolicyProblem(`${where}: a rule has a name of lower-case words with hyphens, not ${shown(name)}`);
  }
  if (called === 'arbiter') throw new PolicyProblem(`${where}: 'arbiter' is the name of what is no rule`);
  const it = `the rule '${called}'`;
  if (typeof judge !== 'function') throw new PolicyProblem(`${it} has no function 'judge'`);
  const kind = Object.prototype.toString.call(judge);
  if (kind !== '[object Function]')
    throw new PolicyProblem(`${it}: a rule answers at once, its judge is ${kindOf(kind)}`);
  const checked: Rule = {
    name: called,
    summary: textOf(summary, `${it}: summary`),
    on: subset(on, RUN_KINDS, `${it}: on`),
    from: subset(from, FROM_TYPES, `${it}: from`),
    to: subset(to, STATE_TYPES, `${it}: to`),
    needs: subset(needs, Object.keys(NEEDS) as Need[], `${it}: needs`),
    may: subset(may, POWERS, `${it}: may`),
    judge: judge as Rule['judge'],
  };
  holdsNoEnd(checked, it);
  return checked;
}

/** What has happened cannot wait: an end that is held would be no end, and neither would a cancellation. */
function holdsNoEnd({ may, to }: Rule, it: string): void {
  if (!may.includes('hold')) return;
  const ends = to.filter((type) => !HOLDABLE.includes(type));
  if (ends.length === 0) return;
  throw new PolicyProblem(
    `${it} may hold, so it cannot govern what goes to ${listed(ends)}: only ${listed(HOLDABLE)} can wait`,
  );
}

const kindOf = (tag: string): string => (tag.includes('Async') ? 'async' : 'a generator');

function subset<T extends string>(value: unknown, all: readonly T[], where: string): readonly T[] {
  if (!Array.isArray(value)) throw new PolicyProblem(`${where} is no list`);
  const list = Array.from(value, (one: unknown) => {
    if (typeof one === 'string' && (all as readonly string[]).includes(one)) return one as T;
    throw new PolicyProblem(`${where} knows no ${shown(one)}, only ${listed(all)}`);
  });
  return Object.freeze([...new Set(list)]);
}

function recordOf(value: unknown, where: string): Readonly<Partial<Record<string, unknown>>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new PolicyProblem(`${where} is ${shown(value)}, which is no object`);
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= LIMITS.textMax) return value;
  throw new PolicyProblem(`${where} is no text of 1 to ${String(LIMITS.textMax)} characters`);
}

const listed = (all: readonly string[]): string => all.join(', ');

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 100)}'`;
  return Array.isArray(value) ? 'a list' : typeof value;
}
