/** The policy in force in words for others: its rules in order, since when, by whom, and what was before. */
import type { Digest } from '../../protocol/ids.ts';
import type { PolicyReport, RuleView } from '../../protocol/messages.ts';
import { completePolicies } from '../../rules/compose.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Workspace } from '../fold/workspace.ts';
import { policiesOf, type PolicySets } from '../policy/loaded-policy.ts';

/** Policies before the one in force that are told of. */
const HISTORY_MAX = 1000;

export function policyReport(
  { meta, policies }: Workspace,
  settledSeq: number,
  sets: PolicySets = completePolicies({}),
): PolicyReport {
  const history = [...policies.entries()].map(([, row]) => row).filter(({ at }) => at.seq <= settledSeq);
  history.sort((one, other) => one.at.seq - other.at.seq || one.at.index - other.at.index);
  return {
    epoch: meta.epoch,
    policy: history.at(-1)?.policy ?? (meta.policy as Digest),
    history: history.slice(-HISTORY_MAX),
    ...rulesOf(sets),
  };
}

/** A rule stands in many lists: it is told once. */
function rulesOf(sets: PolicySets): Pick<PolicyReport, 'rules' | 'parts'> {
  const rules: RuleView[] = [];
  const places = new Map<string, number>();
  const placeOf = ({ name, summary, on, from, to, may }: Rule): number => {
    const view = { name, summary, on, from, to, may };
    const key = JSON.stringify(view);
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, rules.length);
    return rules.push(view) - 1;
  };
  const parts = new Map<string, PolicyReport['parts'][number]>();
  for (const { part, selection, name, policy } of policiesOf(sets)) {
    const known = parts.get(part) ?? { ...(selection === undefined ? {} : { selection }), policies: [] };
    const own = { policy: name, rules: policy.rules.map(placeOf), shadow: (policy.shadow ?? []).map(placeOf) };
    parts.set(part, { ...known, policies: [...known.policies, own] });
  }
  return { rules, parts: [...parts.values()] };
}
