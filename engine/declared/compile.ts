/**
 * From checked specifications to rules, and to policies that contain them. Knows no file, no schema and no machine: this is
 * what a stored bundle carries along, so that a declared rule is judged for ever by the compiler that it was put in
 * force with.
 */
import type { Policies, Policy, PolicyName } from '../../rules/judge.ts';
import { pass, type Rule } from '../../rules/rule.ts';
import { actOf } from './actions.ts';
import { compileCondition, type Condition } from './conditions.ts';
import type { Place, RuleSpec } from './rule-spec.ts';

/** @throws TypeError for a specification that was not checked. */
export function compileRule(spec: RuleSpec): Rule {
  const { name, summary, on, from, to, when } = spec;
  const condition = when === undefined ? ALWAYS : conditionOf(when);
  const { needs, may, opinion } = actOf(spec);
  return {
    name,
    summary,
    on,
    from,
    to,
    needs: [...new Set([...condition.needs, ...needs])],
    may,
    judge: (transition, facts) => (condition.holds(transition, facts) ? opinion(transition, facts) : pass()),
  };
}

const ALWAYS: Condition = { needs: [], holds: () => true };

function conditionOf(text: string): Condition {
  const compiled = compileCondition(text);
  if (!compiled.ok) throw new TypeError(compiled.problem);
  return compiled.condition;
}

/**
 * The policies with the declared rules in their places. Rules with the same place stand there in the file's order; a
 * policy without the rule that a place names (a kind of run that has fewer) has them at its end. An operator's override
 * is not governed.
 */
export function withDeclaredRules(policies: Policies, specs: readonly RuleSpec[]): Policies {
  const compiled = specs.map((spec) => ({ spec, rule: compileRule(spec) }));
  const entries = Object.entries(policies).map(([name, policy]) => {
    const own = compiled.filter(({ spec }) => (spec.on as readonly PolicyName[]).includes(name as PolicyName));
    return [name, own.length === 0 ? policy : placed(policy, own)] as const;
  });
  return Object.fromEntries(entries) as Record<PolicyName, Policy>;
}

/** As a policy module says it: a change of the core policies. */
export const declaredPolicies =
  (specs: readonly RuleSpec[]): ((core: Policies) => Policies) =>
  (core) =>
    withDeclaredRules(core, specs);

type Placed = { readonly spec: RuleSpec; readonly rule: Rule };

function placed(policy: Policy, declared: readonly Placed[]): Policy {
  const enforced = declared.filter(({ spec }) => !spec.shadow);
  const shadow = [...(policy.shadow ?? []), ...declared.filter(({ spec }) => spec.shadow).map(({ rule }) => rule)];
  const names = new Set(policy.rules.map(({ name }) => name));
  const at = (which: (place: Place) => boolean): readonly Rule[] =>
    enforced.filter(({ spec }) => which(spec.place)).map(({ rule }) => rule);
  const rules = policy.rules.flatMap((rule) => [
    ...at((place) => 'before' in place && place.before === rule.name),
    rule,
    ...at((place) => 'after' in place && place.after === rule.name),
  ]);
  const homeless = at((place) => !names.has('before' in place ? place.before : place.after));
  return { ...policy, rules: [...rules, ...homeless], ...(shadow.length === 0 ? {} : { shadow }) };
}
