/**
 * Held proposals in the fold: parking them, finding who comes first, and withdrawing those whose asker is gone.
 *
 * H1 A queue is ordered by priority, then by the place of the ruling that held the proposal.
 * H2 A held proposal stands in the queue of every limit that it waits for, or has one timer, or waits for its flow run.
 */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { proposalId, rootOf, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Position, Ruling, Waits } from '../../protocol/rulings.ts';
import type { Held, Session, Workspace } from './workspace.ts';

export function parkHeld(
  workspace: Workspace,
  proposal: TransitionProposal,
  ruling: Ruling,
  waits: Waits,
  at: Position,
): void {
  const { id, run } = proposal;
  const priority = workspace.runs.get(run)?.priority ?? proposal.create?.priority ?? 0;
  // A proposal that is held again keeps its first place in the queue.
  const first = ruling.heldAt ?? at;
  workspace.held.set(id, { proposal, at: first, sinceMs: ruling.atMs, waits, priority });
  workspace.heldUnder.add(rootOf(run), id);
  switch (waits.type) {
    case 'TIME':
      workspace.setTimer(timerOfHeld(id), { dueAtMs: waits.dueAtMs, run, timer: 'held', version: 0, proposal: id });
      break;
    case 'SLOTS':
      for (const { limit } of waits.limits) {
        const queue = workspace.queues.get(limit) ?? [];
        workspace.queues.set(limit, insert(workspace, queue, id, { priority, at: first }));
      }
      break;
    case 'FLOW':
      break;
  }
}

const timerOfHeld = (id: ProposalId): string => `held ${id}`;

function insert(
  workspace: Workspace,
  queue: readonly ProposalId[],
  id: ProposalId,
  place: Pick<Held, 'priority' | 'at'>,
): readonly ProposalId[] {
  let index = queue.length;
  for (; index > 0; index -= 1) {
    const before = workspace.held.get(queue[index - 1] ?? '');
    if (before === undefined || !comesFirst(place, before)) break;
  }
  return [...queue.slice(0, index), id, ...queue.slice(index)];
}

function comesFirst(one: Pick<Held, 'priority' | 'at'>, other: Pick<Held, 'priority' | 'at'>): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  if (one.at.seq !== other.at.seq) return one.at.seq < other.at.seq;
  return one.at.index < other.at.index;
}

/** It was ruled on for good, held again (then it is parked anew), or withdrawn. */
export function forgetHeld(workspace: Workspace, id: ProposalId): void {
  const held = workspace.held.get(id);
  if (held === undefined) return;
  workspace.held.delete(id);
  workspace.heldUnder.remove(rootOf(held.proposal.run), id);
  switch (held.waits.type) {
    case 'TIME':
      workspace.timers.delete(timerOfHeld(id));
      break;
    case 'SLOTS':
      for (const { limit } of held.waits.limits) leaveQueue(workspace, limit, id);
      break;
    case 'FLOW':
      break;
  }
}

function leaveQueue(workspace: Workspace, limit: string, id: ProposalId): void {
  const rest = (workspace.queues.get(limit) ?? []).filter((other) => other !== id);
  if (rest.length === 0) workspace.queues.delete(limit);
  else workspace.queues.set(limit, rest);
  workspace.touched.limits.add(limit);
}

/** Nobody waits for these answers any more: their execution is fenced, or their flow run has ended. */
export function withdrawHeld(
  workspace: Workspace,
  under: RunId,
  gone: (proposal: TransitionProposal) => boolean,
): void {
  for (const id of [...workspace.heldUnder.of(rootOf(under))]) {
    const held = workspace.held.get(id);
    if (held !== undefined && gone(held.proposal)) forgetHeld(workspace, id as ProposalId);
  }
}

export function withdrawSession(workspace: Workspace, name: string, session: Session): void {
  for (let counter = session.low; counter < session.next; counter += 1) {
    forgetHeld(workspace, proposalId(name, counter));
  }
}
