/**
 * Which held proposals can be judged again. Pure reading of the workspace; whoever calls judges what is found.
 *
 * K1 After the fold, a free slot and a held proposal that is first in all its queues and fits never coexist.
 */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { parentId, rootOf } from '../../protocol/proposals.ts';
import type { Workspace } from '../fold/workspace.ts';

/** The proposals set free by what was touched since the last call; clears what was touched. */
export function wakeable(workspace: Workspace): readonly ProposalId[] {
  const { limits, flows } = workspace.touched;
  const free: ProposalId[] = [];
  for (const limit of limits) {
    const first = workspace.queues.get(limit)?.[0];
    if (first !== undefined && fits(workspace, first)) free.push(first);
  }
  for (const flow of flows) free.push(...heldByState(workspace, flow));
  limits.clear();
  flows.clear();
  return free;
}

/** First in every queue that it stands in, with room in every limit. */
export function fits(workspace: Workspace, id: ProposalId): boolean {
  const held = workspace.held.get(id);
  if (held?.waits.type !== 'SLOTS') return false;
  return held.waits.limits.every(({ limit, slots }) => {
    if (workspace.queues.get(limit)?.[0] !== id) return false;
    const row = workspace.limits.get(limit);
    return row?.slotsMax === undefined || row.used + slots <= row.slotsMax;
  });
}

/** Calls of a flow run that stopped running, or that runs again: they are refused, or need not wait any more. */
function heldByState(workspace: Workspace, flow: RunId): readonly ProposalId[] {
  const ids = workspace.heldUnder.of(rootOf(flow));
  if (ids.size === 0) return [];
  const running = workspace.runs.get(flow)?.state.type === 'RUNNING';
  return ([...ids] as ProposalId[]).filter((id) => {
    const held = workspace.held.get(id);
    if (held === undefined || parentId(held.proposal.run) !== flow) return false;
    return running === (held.waits.type === 'FLOW');
  });
}
