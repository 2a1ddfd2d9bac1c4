/**
 * Gathers the facts that rules need: the one place where a rule's knowledge comes from. Everything here is read from the
 * folded workspace, so the same proposal at the same point of the ledger meets the same facts; time and chance are given.
 */
import type { EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import {
  parentId,
  rootOf,
  type RetryPolicy,
  type SlotWish,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import type { Facts, Need, SlotFact } from '../../rules/rule.ts';
import { aheadOf } from '../fold/evolve-held.ts';
import type { Run, Workspace } from '../fold/workspace.ts';

export type Circumstances = {
  readonly nowMs: EpochMs;
  /** Drawn at most once for a ruling. */
  readonly chance: () => number;
  readonly graceMs: number;
};

type Asked = {
  readonly workspace: Workspace;
  readonly proposal: TransitionProposal;
  readonly run: Run | undefined;
  readonly circumstances: Circumstances;
};

type Fact<N extends Need> = Facts[N];
type Gatherers = { readonly [N in Need]: (asked: Asked) => Fact<N> | undefined };

const NO_RETRY: RetryPolicy = { retriesMax: 0, delaysMs: [], jitter: 0 };

/** What a run is was recorded when it was created; what a later proposal says of that is not heard. */
const gatherers: Gatherers = {
  execution: ({ workspace, proposal, run }) => {
    const root = run?.parent === undefined && run?.kind === 'flow' ? run : workspace.runs.get(rootOf(proposal.run));
    const current = root?.execution ?? 0;
    return proposal.execution === undefined ? { current } : { current, asked: proposal.execution };
  },
  version: ({ proposal, run }) => {
    const current = run?.version ?? 0;
    return proposal.basedOn === undefined ? { current } : { current, basedOn: proposal.basedOn };
  },
  flow: ({ workspace, proposal, run }) => {
    const parent = parentOf(workspace, proposal, run);
    if (parent === undefined) return undefined;
    // A cancel of the flow run at the top is meant for all under it, before they have noticed it themselves.
    const top = workspace.runs.get(rootOf(parent.id)) ?? parent;
    const isCancelled = parent.state.type === 'RUNNING' && top.state.type === 'CANCELLING';
    const { type } = isCancelled ? top.state : parent.state;
    return { type, round: parent.round };
  },
  ran: ({ run }) => run?.ran,
  attempt: ({ run }) => run?.attempt ?? 0,
  retry: ({ proposal, run }) => ({
    used: run?.retriesUsed ?? 0,
    ...((run ?? proposal.create)?.retry ?? NO_RETRY),
  }),
  resume: ({ run }) => ({ byWorker: run?.work !== undefined, used: run?.resumes ?? 0 }),
  chance: ({ circumstances }) => circumstances.chance(),
  slots: (asked) => slotFacts(asked),
  timeoutMs: ({ proposal, run }) => (run ?? proposal.create)?.timeoutMs,
  graceMs: ({ circumstances }) => circumstances.graceMs,
};

/** The facts of `needs` and the time; a fact that does not exist (no enclosing flow run, no time-out) is absent. */
export function gather(asked: Asked, needs: readonly Need[], known: Record<string, unknown>): Facts {
  for (const need of needs) {
    if (need in known) continue;
    const fact = gatherers[need](asked);
    if (fact !== undefined) known[need] = fact;
  }
  return { ...known, nowMs: asked.circumstances.nowMs } as Facts;
}

function parentOf(workspace: Workspace, proposal: TransitionProposal, run: Run | undefined): Run | undefined {
  const parent = (run ?? proposal.create)?.parent;
  return parent === undefined ? undefined : workspace.runs.get(parent);
}

const NO_SLOTS: readonly SlotFact[] = [];

/** One fact for each limit: a limit that is named twice is one wish for all its slots. */
function slotFacts(asked: Asked): readonly SlotFact[] {
  const wishes = (asked.run ?? asked.proposal.create)?.limits;
  if (wishes === undefined) return NO_SLOTS;
  const sums = new Map<string, number>();
  for (const { limit, slots } of wishes) sums.set(limit, (sums.get(limit) ?? 0) + slots);
  return [...sums].map(([limit, slots]) => slotFact(asked, { limit, slots }));
}

function slotFact({ workspace, proposal, run }: Asked, { limit, slots }: SlotWish): SlotFact {
  const row = workspace.limits.get(limit);
  const own = run === undefined ? 0 : slotsOf(run, limit);
  const ahead = aheadOf(workspace, proposal, limit);
  const before = (workspace.queues.get(limit) ?? []).slice(0, ahead);
  const isNested = slotsOfAncestors(workspace, [proposal], limit) > 0;
  return {
    limit,
    ...(row?.slotsMax === undefined ? {} : { slotsMax: row.slotsMax }),
    wanted: slots,
    used: (row?.used ?? 0) - own,
    heldByAncestors: isNested ? slotsStuck(workspace, proposal, limit) : 0,
    ahead,
    wantedAhead: isNested ? Math.max(0, ...before.map((id) => wishOf(workspace, id, limit))) : 0,
  };
}

const slotsOf = (run: Run, limit: string): number => run.slots.find((slot) => slot.limit === limit)?.slots ?? 0;

function wishOf(workspace: Workspace, id: ProposalId, limit: string): number {
  const waits = workspace.held.get(id)?.waits;
  return waits?.type === 'SLOTS' ? (waits.limits.find((wish) => wish.limit === limit)?.slots ?? 0) : 0;
}

/** The slots that come back only when one of those that wait for this limit, or this one, is served: their ancestors'. */
export function slotsStuck(workspace: Workspace, proposal: TransitionProposal, limit: string): number {
  const waiting = (workspace.queues.get(limit) ?? []).flatMap((id) => workspace.held.get(id)?.proposal ?? []);
  return slotsOfAncestors(workspace, [proposal, ...waiting], limit);
}

/** The slots of a limit that the flow runs above these proposals hold, each counted once. */
export function slotsOfAncestors(
  workspace: Workspace,
  proposals: readonly TransitionProposal[],
  limit: string,
): number {
  const seen = new Set<string>();
  let sum = 0;
  for (const { run } of proposals) {
    for (let id = parentId(run); id !== '' && !seen.has(id); id = parentId(id as RunId)) {
      seen.add(id);
      const flow = workspace.runs.get(id);
      if (flow !== undefined) sum += slotsOf(flow, limit);
    }
  }
  return sum;
}
