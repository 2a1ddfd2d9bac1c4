/**
 * A policy that can be asked: what is loaded from a bundle, or the engine's own. Owns how a run finds its part of it.
 *
 * P1 Which part judges is a function of the names and tags of the run and of the flow runs around it, all of which the
 *    fold has from the run's creation: the same run is judged by the same part wherever it is judged.
 * P2 A flow's name goes before a tag, a tag before the workspace; the run itself goes before the flow run around it, and
 *    so on up to the top; of several tags of one run, the first in the alphabet that has a part.
 */
import type { Digest } from '../../protocol/ids.ts';
import type { Selection } from '../../protocol/rulings.ts';
import { completePolicies, type CompletePolicies } from '../../rules/compose.ts';
import { court, type Court, type Policies, type Policy, type PolicyName } from '../../rules/judge.ts';
import { completesEarly } from '../../rules/policy.ts';

/** All the policies of a bundle, complete: each has a policy for every kind of run. */
export type PolicySets = CompletePolicies;

/** A run as its part of a policy is found by; `isFlow` is false for task runs. */
export type Selectable = { readonly isFlow: boolean; readonly name: string; readonly tags: readonly string[] };

/** What judges by it need. */
export type JudgingPolicy = {
  readonly digest: Digest;
  /** No part of it can alter the completion of a running task. */
  readonly completesEarly: boolean;
  /** The part that judges a run: the run first, then the flow runs around it. Absent: there is but one part. */
  readonly select?: (runs: Iterable<Selectable>) => Selection | undefined;
  /** The court of a part, as rulings name it; undefined for a part that this policy does not have. */
  courtOf(selection?: Selection): Court | undefined;
};

export type LoadedPolicy = JudgingPolicy & {
  readonly sets: PolicySets;
  /** The names of its rules, by the number that is noted while one is asked; absent where none is noted. */
  readonly rules?: readonly string[];
};

/** A court that is known by a digest. */
export const plainPolicy = (digest: Digest, whole: Court): JudgingPolicy => ({
  digest,
  completesEarly: completesEarly(whole),
  courtOf: (selection) => (selection === undefined ? whole : undefined),
});

/** The engine's own rules, as they are in this process, under the digest of their bundle. */
export const corePolicy = (digest: Digest): LoadedPolicy => loadedPolicy(digest, completePolicies({}));

export function loadedPolicy(digest: Digest, sets: PolicySets): LoadedPolicy {
  const workspace = court(sets.workspace);
  const flows = courtsOf(sets.flows);
  const tags = courtsOf(sets.tags);
  const all = [workspace, ...flows.values(), ...tags.values()];
  return {
    digest,
    sets,
    completesEarly: all.every(completesEarly),
    ...(all.length === 1 ? {} : { select: (runs) => selectionOf(runs, flows, tags) }),
    courtOf: (selection) => {
      if (selection === undefined) return workspace;
      return 'flow' in selection ? flows.get(selection.flow) : tags.get(selection.tag);
    },
  };
}

const courtsOf = (policies: Readonly<Record<string, Policies>>): ReadonlyMap<string, Court> =>
  new Map(Object.entries(policies).map(([name, one]) => [name, court(one)]));

/** P2. */
function selectionOf(
  runs: Iterable<Selectable>,
  flows: ReadonlyMap<string, Court>,
  tags: ReadonlyMap<string, Court>,
): Selection | undefined {
  let byTag: Selection | undefined;
  for (const run of runs) {
    if (run.isFlow && flows.has(run.name)) return { flow: run.name };
    if (byTag !== undefined || run.tags.length === 0) continue;
    const [tag] = run.tags.filter((one) => tags.has(one)).sort();
    if (tag !== undefined) byTag = { tag };
  }
  return byTag;
}

/** Every policy of a bundle, with the name of the part that it is of. */
export function* policiesOf({ workspace, flows, tags }: PolicySets): Generator<{
  readonly part: string;
  readonly selection?: Selection;
  readonly name: PolicyName;
  readonly policy: Policy;
}> {
  const parts: readonly { part: string; selection?: Selection; policies: Policies }[] = [
    { part: 'workspace', policies: workspace },
    ...Object.entries(flows).map(([flow, policies]) => ({ part: `flow ${flow}`, selection: { flow }, policies })),
    ...Object.entries(tags).map(([tag, policies]) => ({ part: `tag ${tag}`, selection: { tag }, policies })),
  ];
  for (const { policies, ...of } of parts) {
    for (const [name, policy] of Object.entries(policies)) yield { ...of, name: name as PolicyName, policy };
  }
}
