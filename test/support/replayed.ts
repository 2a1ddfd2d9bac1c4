/**
 * What every ledger that a test has made must stand: it is replayed from its first entry, and each ruling comes out again
 * to the byte, both from the facts that stand in it and decided as a whole from the fold. So nothing was decided on
 * anything that is not on the ledger.
 */
import type { Log } from '../../engine/log/port.ts';
import { differenceText } from '../../engine/replay/difference.ts';
import { replayLedger, type JudgesOf, type ReplayReport, type Stored } from '../../engine/replay/replay.ts';
import { storedOn } from '../../engine/replay/stored.ts';
import { court, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { segmentOf } from './worlds.ts';

const core = court(corePolicies);
/** Whatever the ledger calls the policy: the test knows what judged. */
const judgesOf =
  (theCourt: Court = core): JudgesOf =>
  () => ({ courtOf: () => theCourt });

/** What does not come out as it was recorded, for people. */
export function replayProblems(ledger: Pick<Log, 'read' | 'get'>, theCourt?: Court): Promise<string[]> {
  return replayProblemsIn(storedOn(ledger), theCourt);
}

/** Of segments that all count. */
export function replayProblemsOf(
  segments: readonly { readonly bytes: Uint8Array }[],
  theCourt?: Court,
): Promise<string[]> {
  const stored = segments.map(({ bytes }, at): Stored =>
    segmentOf(bytes).lines.map((line, index) => ({ line, at: { seq: at + 1, index } })),
  );
  return replayProblemsIn(stored, theCourt);
}

/** Of entries that were read already. */
export async function replayProblemsIn(
  stored: AsyncIterable<Stored> | Iterable<Stored>,
  theCourt?: Court,
): Promise<string[]> {
  return problemsIn(await replayLedger(stored, { judgesOf: judgesOf(theCourt), facts: true }));
}

export function problemsIn({ differing, differences, facts, missing }: ReplayReport): string[] {
  const problems: string[] = [];
  if (differing > 0) problems.push(`${String(differing)} rulings do not come out as recorded:`);
  problems.push(...differences.map(differenceText));
  if (facts !== undefined && facts.differing > 0) {
    problems.push(`${String(facts.differing)} rulings were decided on something that is not on the ledger:`);
    problems.push(...facts.differences.map(differenceText));
  }
  for (const { policy, rulings } of missing) problems.push(`policy ${policy} of ${String(rulings)} rulings is unknown`);
  return problems;
}
