/** What a proposal is judged by in a test: anything that is a rule, a policy, or made of them. */
import type { Digest } from '../../protocol/ids.ts';
import { loadedPolicy, type Selectable } from '../../engine/policy/loaded-policy.ts';
import { completePolicies, type PolicyModule } from '../../rules/compose.ts';
import type { Policies, Policy, PolicyName } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Rule, RunKind } from '../../rules/rule.ts';

/**
 * A rule or several alone, or one policy, for every kind of run; policies by the kind of run, and nothing for the kinds
 * that are left out; or what a policy module exports, with the part of it that holds for the run.
 */
export type Under = Rule | readonly Rule[] | Policy | Partial<Policies> | PolicyModule;

/** The policies that judge a run; first the run, then the flow runs around it. */
export type PoliciesFor = (runs: Iterable<Selectable>) => Partial<Policies>;

export function policiesUnder(under: Under | undefined): PoliciesFor {
  if (under === undefined) return () => corePolicies;
  if (isModule(under)) return partsOf(under);
  const policies = isRules(under)
    ? forEach({ name: 'under test', rules: rulesIn(under) })
    : isPolicy(under)
      ? forEach(under)
      : under;
  return () => policies;
}

/** The first kind of run that the rule is about. */
export const kindUnder = (under: Under | undefined): RunKind | undefined =>
  under !== undefined && !isModule(under) && isRules(under) ? rulesIn(under)[0]?.on[0] : undefined;

const isModule = (under: Under): under is PolicyModule => 'parts' in under;
const isRules = (under: Exclude<Under, PolicyModule>): under is Rule | readonly Rule[] =>
  Array.isArray(under) || 'judge' in under;
const rulesIn = (under: Rule | readonly Rule[]): readonly Rule[] =>
  Array.isArray(under) ? (under as readonly Rule[]) : [under as Rule];
const isPolicy = (under: Policy | Partial<Policies>): under is Policy => 'rules' in under;

const NAMES: readonly PolicyName[] = ['flow', 'subflow', 'task', 'background', 'forced'];
const forEach = (policy: Policy): Partial<Policies> => Object.fromEntries(NAMES.map((name) => [name, policy]));

/** Nobody asks for its digest. */
const UNKNOWN = '0'.repeat(64) as Digest;

function partsOf(module: PolicyModule): PoliciesFor {
  const sets = completePolicies(module);
  const { select } = loadedPolicy(UNKNOWN, sets);
  return (runs) => {
    const selection = select?.(runs);
    if (selection === undefined) return sets.workspace;
    return ('flow' in selection ? sets.flows[selection.flow] : sets.tags[selection.tag]) ?? sets.workspace;
  };
}
