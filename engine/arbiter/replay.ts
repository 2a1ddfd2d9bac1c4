/**
 * Judges again what was ruled, from the ruling alone: the facts that it was ruled by stand in it. Pure.
 *
 * Y1 Under the policy that was in force, with the run's state before, every judged ruling comes out as it was recorded;
 *    under another policy, it comes out as that policy would have had it.
 */
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { judge, type Court } from '../../rules/judge.ts';
import type { Facts, RunKind } from '../../rules/rule.ts';
import { ruledBy, transitionOf } from './decide.ts';

/** What the rules make of a proposal; the rest of a ruling is the arbiter's. */
export type Replayed = Pick<Ruling, 'outcome' | 'trail' | 'state' | 'waits' | 'claims'>;

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
  const { proposal, trail } = ruling;
  const [first] = trail;
  if (proposal.kind === 'workspace' || (typeof first === 'object' && first.rule === 'arbiter')) return undefined;
  const known = { ...ruling.facts, nowMs: ruling.atMs } as Facts;
  return ruledBy(judge(court, transitionOf(proposal, from, kind), () => known));
}
