/**
 * How policies are made of policies: rules before, after or instead of others, found by name. Not a rule.
 *
 * C1 Nothing is changed: what comes out is new, what went in stays as it was.
 * C2 A name that is not there is an error, never an empty change: after an upgrade, a policy that no longer means what it
 *    says is not put in force.
 */
import type { Policies, Policy, PolicyName } from './judge.ts';
import { corePolicies } from './policy.ts';
import type { Rule } from './rule.ts';

/**
 * The policy with these rules in front of the one that is named.
 *
 * @example
 * const flow = before(corePolicies.flow, 'take-slots', noFridays);
 */
export const before = (policy: Policy, name: string, ...rules: readonly Rule[]): Policy =>
  spliced(policy, indexOf(policy, name), 0, rules);

/**
 * The policy with these rules right behind the one that is named.
 *
 * @example
 * const task = after(corePolicies.task, 'retry-failed-task', noteFailures);
 */
export const after = (policy: Policy, name: string, ...rules: readonly Rule[]): Policy =>
  spliced(policy, indexOf(policy, name) + 1, 0, rules);

/**
 * The policy with these rules in the place of the one that is named.
 *
 * @example
 * const task = replace(corePolicies.task, 'retry-failed-task', retryByTag);
 */
export const replace = (policy: Policy, name: string, ...rules: readonly Rule[]): Policy =>
  spliced(policy, indexOf(policy, name), 1, rules);

/**
 * The policy without the rules that are named.
 *
 * @example
 * const flow = without(corePolicies.flow, 'resume-crashed-flow');
 */
export const without = (policy: Policy, ...names: readonly string[]): Policy =>
  names.reduce((left, name) => spliced(left, indexOf(left, name), 1, []), policy);

/**
 * Policies that take the place of others; what is left out stays. Or a function to such, from the core policies and from
 * those that would hold without it.
 */
export type PolicyChange = Partial<Policies> | ((core: Policies, otherwise: Policies) => Partial<Policies>);

/** Policies for the whole workspace, for single flows and all under them, and for what has a tag. */
export type PolicyParts = {
  readonly workspace?: PolicyChange;
  readonly flows?: Readonly<Record<string, PolicyChange>>;
  readonly tags?: Readonly<Record<string, PolicyChange>>;
};

/** What a policy module exports as its default. */
export type PolicyModule = { readonly parts: PolicyParts };

/**
 * Policies by what they hold for. One part judges a run: that of its flow's name, else of the flow around it, up to the
 * top; else that of its tags, the first in the alphabet, in the same order; else the workspace's.
 *
 * @example
 * export default definePolicies({
 *   workspace: (core) => ({ flow: before(core.flow, 'take-slots', noFridays) }),
 *   flows: { nightly: (core) => ({ flow: core.flow }) },
 *   tags: { production: (core, otherwise) => ({ flow: after(otherwise.flow, 'follow-lifecycle', askTwice) }) },
 * });
 */
export const definePolicies = (parts: PolicyParts): PolicyModule => ({ parts });

/** All policies of a module, complete, made from the core ones. */
export type CompletePolicies = {
  readonly workspace: Policies;
  readonly flows: Readonly<Record<string, Policies>>;
  readonly tags: Readonly<Record<string, Policies>>;
};

/** What a module's default export comes to: parts, or one change for the whole workspace. */
export function completePolicies(given: PolicyModule | PolicyChange, core: Policies = corePolicies): CompletePolicies {
  const isRecord = typeof given === 'object' && (given as unknown) !== null;
  const parts: PolicyParts = isRecord && 'parts' in given ? given.parts : { workspace: given as PolicyChange };
  const stray = Object.keys(parts).filter((part) => !PARTS.includes(part));
  if (stray.length > 0) throw new Error(`definePolicies knows ${PARTS.join(', ')}, not ${stray.join(', ')}`);
  const workspace = changed(parts.workspace ?? {}, 'workspace', core, core);
  const each = (changes: Readonly<Record<string, PolicyChange>> = {}, where: string): Record<string, Policies> =>
    Object.fromEntries(
      Object.entries(changes).map(([name, change]) => [name, changed(change, `${where}.${name}`, core, workspace)]),
    );
  return { workspace, flows: each(parts.flows, 'flows'), tags: each(parts.tags, 'tags') };
}

const PARTS: readonly string[] = ['workspace', 'flows', 'tags'];

function changed(change: PolicyChange, where: string, core: Policies, otherwise: Policies): Policies {
  const policies: unknown = typeof change === 'function' ? change(core, otherwise) : change;
  if (typeof policies !== 'object' || policies === null || Array.isArray(policies)) {
    throw new Error(`${where} is no record of policies, and no function that returns one`);
  }
  for (const name of Object.keys(policies)) {
    if (!(name in core))
      throw new Error(`${where}: there is no policy '${name}', only ${Object.keys(core).join(', ')}`);
  }
  return { ...otherwise, ...(policies as Partial<Record<PolicyName, Policy>>) };
}

const spliced = ({ rules, ...rest }: Policy, index: number, removed: number, more: readonly Rule[]): Policy => ({
  ...rest,
  rules: [...rules.slice(0, index), ...more, ...rules.slice(index + removed)],
});

/** C2. */
function indexOf({ name: policy, rules }: Policy, name: string): number {
  const index = rules.findIndex((rule) => rule.name === name);
  if (index >= 0) return index;
  const names = rules.map((rule) => rule.name);
  const near = names.filter((one) => isNear(one, name));
  const hint = near.length > 0 ? `do you mean ${near.join(' or ')}?` : `it has ${names.join(', ') || 'none'}`;
  throw new Error(`the policy '${policy}' has no rule '${name}': ${hint}`);
}

/** At most every third letter is another, or all its words are in it. */
function isNear(one: string, other: string): boolean {
  const words = other.split('-').filter((word) => word.length > 2);
  if (words.length > 0 && words.every((word) => one.includes(word))) return true;
  return distance(one, other) <= Math.ceil(other.length / 3);
}

/** Levenshtein's. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 0; i < one.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < other.length; j += 1) {
      const same = (row[j] ?? 0) + (one[i] === other[j] ? 0 : 1);
      next.push(Math.min(same, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
