/**
 * Judges again what was ruled, from the ruling alone: the facts that it was ruled by stand in it. Pure.
 *
 * Y1 Under the policy that was in force, with the run's state before, every judged ruling comes out as it was recorded;
 *    under another policy, it comes out as that policy would have had it.
 * Y2 A rule sees what it saw then: the recorded facts that it and those asked with it need, and no others.
 * Y3 A rule that did not answer, or said two things about the same, is not asked: what was recorded of it is its word.
 */
import { freeze } from 'immer';
import type { Ruling, TrailEntry } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { ImpureRule, judge, type Court, type FactFinder, type Governing } from '../../rules/judge.ts';
import type { Facts, Rule, RunKind } from '../../rules/rule.ts';
import { ruledBy, transitionOf } from '../arbiter/decide.ts';
import { NO_ANSWER } from '../arbiter/unjudged.ts';

/** What the rules make of a proposal; the rest of a ruling is the arbiter's. */
export type Replayed = ReturnType<typeof ruledBy>;

/**
 * `from` is the state that the run was in; undefined, if the proposal creates the run. The answer is undefined for what
 * was never judged: what is about the workspace, and what the arbiter refused by itself.
 */
export function replayRuling(
  ruling: Ruling,
  from: State | undefined,
  kind: RunKind,
  court: Court,
): Replayed | undefined {
  const { proposal } = ruling;
  if (proposal.kind === 'workspace' || isArbiters(ruling)) return undefined;
  return ruledBy(
    judge(withRecordedErrors(court, ruling), freeze(transitionOf(proposal, from, kind), true), recordedFacts(ruling)),
  );
}

/** Whether rules were asked. */
export const isJudged = (ruling: Ruling): boolean => ruling.proposal.kind !== 'workspace' && !isArbiters(ruling);

/** Refused by the arbiter itself: no rule was asked. */
export function isArbiters({ trail: [first] }: Ruling): boolean {
  return typeof first === 'object' && first.rule === 'arbiter';
}

function recordedFacts({ facts, atMs }: Ruling): FactFinder {
  const known: Record<string, unknown> = {};
  return (needs) => {
    for (const need of needs) if (need in facts) known[need] = facts[need];
    return freeze({ ...known, nowMs: atMs } as Facts, true);
  };
}

type Erred = Exclude<TrailEntry, string>;

/** Y3. The same court, if every rule answered. */
export function withRecordedErrors(court: Court, { trail, overrides, shadow }: Ruling): Court {
  const erred = new Map<string, Erred>();
  for (const entry of [...trail, ...(overrides?.trail ?? []), ...(shadow ?? [])]) {
    if (typeof entry === 'object' && isBeyondReplay(entry)) erred.set(entry.rule, entry);
  }
  if (erred.size === 0) return court;
  const wrapped = (found: Governing): Governing => ({
    ...found,
    rules: found.rules.map((rule) => silenced(rule, erred.get(rule.name))),
  });
  const isShadowed = court.shadowing !== undefined;
  return {
    governing: (...about) => wrapped(court.governing(...about)),
    ...(isShadowed ? { shadowing: (...about) => wrapped(court.shadowing?.(...about) ?? NOTHING) } : {}),
  };
}

const NOTHING: Governing = { rules: [], needs: [] };

const isBeyondReplay = ({ opinion, code, why }: Erred): boolean =>
  opinion === 'error' && (code === 'RULE_IMPURE' || why.includes(NO_ANSWER));

const THREW = 'the rule threw: Error: ';

/** Throws what makes the recorded entry. */
function silenced(rule: Rule, entry: Erred | undefined): Rule {
  if (entry === undefined) return rule;
  const { code, why } = entry;
  return {
    ...rule,
    judge: () => {
      if (code === 'RULE_IMPURE') throw new ImpureRule(why);
      throw new Error(why.startsWith(THREW) ? why.slice(THREW.length) : why);
    },
  };
}
