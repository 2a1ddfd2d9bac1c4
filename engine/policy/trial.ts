/**
 * Tries a policy before it judges anybody: every rule on every transition that it governs, with facts at the edges, twice;
 * and the policy as a whole beside the core one.
 */
import { RUN_KINDS, type Facts, type FromType, type Rule, type RunKind, type Transition } from '../../rules/rule.ts';
import { judge, type Court, type Policy, type PolicyName, type Verdict } from '../../rules/judge.ts';
import { decidingEntry } from '../../protocol/rulings.ts';
import { isOpinion } from '../../rules/opinions.ts';
import { policiesOf, type LoadedPolicy } from './loaded-policy.ts';
import { SAMPLE_FACTS, sampleTransitions } from './samples.ts';

/** What a rule did that it must not, and what it was asked. */
export type Fault = { readonly rule: string; readonly about: string; readonly error: unknown };
export type RuleTrial = { readonly rule: string; readonly asked: number; readonly meanUs: number };

/** Faults that are told of one rule. */
const FAULTS_EACH = 1;

/** Asks every rule; the faults, and how long the rules take. `asking` is told each rule before it is asked. */
export function tryRules(policy: LoadedPolicy): {
  readonly faults: readonly Fault[];
  readonly rules: readonly RuleTrial[];
} {
  const faults: Fault[] = [];
  const rules: RuleTrial[] = [];
  for (const rule of distinctRules(policy)) {
    let asked = 0;
    const found: Fault[] = [];
    const beganMs = performance.now();
    for (const kind of RUN_KINDS.filter((one) => rule.on.includes(one))) {
      for (const transition of sampleTransitions(kind)) {
        if (!governs(rule, transition)) continue;
        for (const facts of SAMPLE_FACTS) {
          asked += 1;
          const error = faultOf(rule, transition, facts);
          if (error !== undefined) found.push({ rule: rule.name, about: aboutOf(transition), error });
        }
      }
    }
    const meanUs = asked === 0 ? 0 : ((performance.now() - beganMs) / asked) * 1000;
    faults.push(...found.slice(0, FAULTS_EACH));
    rules.push({ rule: rule.name, asked, meanUs: Math.round(meanUs * 10) / 10 });
  }
  return { faults, rules };
}

function distinctRules({ sets }: LoadedPolicy): Rule[] {
  const found = new Map<string, Rule>();
  for (const { policy } of policiesOf(sets)) {
    for (const rule of [...policy.rules, ...(policy.shadow ?? [])]) {
      found.set(`${rule.name} ${rule.on.join()} ${rule.from.join()} ${rule.to.join()}`, rule);
    }
  }
  return [...found.values()];
}

const governs = (rule: Rule, { from, to }: Transition): boolean =>
  rule.from.includes(from?.type ?? 'NONE') && rule.to.includes(to.type);

const aboutOf = ({ kind, from, to }: Transition): string => `${kind} ${from?.type ?? 'NONE'} → ${to.type}`;

function faultOf(rule: Rule, transition: Transition, facts: Facts): unknown {
  try {
    const opinion: unknown = rule.judge(transition, facts);
    return isOpinion(opinion, facts.nowMs) ? undefined : new Error('it returned something that is no opinion');
  } catch (error) {
    return error ?? new Error('it threw nothing');
  }
}

/** What a policy does otherwise than another, to one pair of states of one kind of run. */
export type Difference = {
  readonly kind: RunKind;
  readonly from: FromType;
  readonly to: string;
  readonly before: string;
  readonly after: string;
  /** The rule that decides now, where one does. */
  readonly rule?: string;
};

/** In the order of the samples, one for each pair and change. */
export function differences(before: Court, after: Court): readonly Difference[] {
  const found = new Map<string, Difference>();
  for (const kind of RUN_KINDS) {
    for (const transition of sampleTransitions(kind)) {
      for (const facts of SAMPLE_FACTS) {
        const one = judge(before, transition, () => facts);
        const other = judge(after, transition, () => facts);
        if (inWords(one) === inWords(other)) continue;
        const rule = decidingEntry(other.trail)?.rule;
        const difference = {
          kind,
          from: transition.from?.type ?? ('NONE' as const),
          to: transition.to.type,
          before: inWords(one),
          after: inWords(other),
          ...(rule === undefined ? {} : { rule }),
        };
        found.set(JSON.stringify(difference), difference);
      }
    }
  }
  return [...found.values()];
}

function inWords({ outcome, to, code }: Verdict): string {
  if (outcome === 'rejected') return `rejected ${code ?? ''}`.trim();
  return outcome === 'rewritten' ? `rewritten to ${to.name}` : outcome;
}

/** What is in a policy and not in the core one, and the other way round. */
export type ListChange = {
  readonly part: string;
  readonly policy: PolicyName;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly shadow: readonly string[];
};

export function listChanges(core: LoadedPolicy, { sets }: LoadedPolicy): readonly ListChange[] {
  const usual = new Map([...policiesOf(core.sets)].map(({ name, policy }) => [name, policy]));
  return [...policiesOf(sets)].flatMap(({ part, name, policy }) => {
    const [own, others] = [namesOf(policy), namesOf(usual.get(name))];
    const added = own.filter((rule) => !others.includes(rule));
    const removed = others.filter((rule) => !own.includes(rule));
    const shadow = (policy.shadow ?? []).map((rule) => rule.name);
    const isChanged = added.length + removed.length + shadow.length > 0;
    return isChanged ? [{ part, policy: name, added, removed, shadow }] : [];
  });
}

const namesOf = (policy: Policy | undefined): readonly string[] => (policy?.rules ?? []).map(({ name }) => name);
