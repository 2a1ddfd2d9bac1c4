/**
 * Held proposals in the fold: parking them, finding who comes first, and withdrawing those whose asker is gone.
 *
 * H1 A queue is ordered by priority, then by the place of the ruling that held the proposal.
 * H2 A held proposal stands in the queue of every limit or of the mailbox that it waits for, or has one timer, or waits
 *    for its flow run.
 */
import type { EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import { ownLimitSlots, rootOf, type SlotWish, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Position, Ruling, Waits } from '../../protocol/rulings.ts';
import { listen } from './mailboxes.ts';
import type { Table } from './table.ts';
import { limitKey, type Held, type Workspace } from './workspace.ts';

export function parkHeld(
  workspace: Workspace,
  proposal: TransitionProposal,
  ruling: Ruling,
  waits: Waits,
  at: Position,
): void {
  const { id, run } = proposal;
  // A proposal that is held again keeps its first place in the queue.
  const first = ruling.heldAt ?? at;
  const priority = priorityOf(workspace, proposal);
  const held: Held = { proposal, at: first, sinceMs: ruling.atMs, waits, priority };
  workspace.held.set(id, held);
  workspace.heldUnder.add(rootOf(run), id);
  switch (waits.type) {
    case 'TIME':
      workspace.setTimer(timerOfHeld(id), { dueAtMs: waits.dueAtMs, run, timer: 'held', version: 0, proposal: id });
      break;
    case 'SLOTS':
      for (const wish of waits.limits) {
        const index = enqueue(workspace, workspace.queues, limitKey(wish), held);
        // It has just been judged: as long as it is first, there is nobody to wake.
        if (index === 0) {
          workspace.touched.limits.delete(limitKey(wish));
          noteOvertaken(workspace, wish, 1);
        }
      }
      for (const evicted of waits.evict ?? []) {
        if ((workspace.runs.get(evicted)?.slots.length ?? 0) > 0) workspace.evictions.set(evicted, true);
      }
      setUntil(workspace, held, waits.untilMs);
      break;
    case 'MESSAGE':
      enqueue(workspace, workspace.waiting, waits.mailbox, held);
      setUntil(workspace, held, waits.untilMs);
      if (waits.topic !== undefined) listen(workspace, run, waits.topic);
      break;
    case 'FLOW':
      listenMeanwhile(workspace, proposal);
      break;
  }
}

/** A call that waits out a pause before it may wait for its event hears it in the pause too. */
function listenMeanwhile(workspace: Workspace, { run: id, create }: TransitionProposal): void {
  const run = workspace.runs.get(id);
  const receives = create?.receives;
  if (receives?.type !== 'EVENT' || (run !== undefined && run.receives?.type !== 'EVENT')) return;
  listen(workspace, id, receives.topic);
}

function setUntil(workspace: Workspace, { proposal: { id, run } }: Held, untilMs: EpochMs | undefined): void {
  if (untilMs === undefined) return;
  workspace.setTimer(timerOfHeld(id), { dueAtMs: untilMs, run, timer: 'held', version: 0, proposal: id });
}

/**
 * Somebody else has this lock now, or comes first for it: whoever could have had it, and stands in the queues of other limits
 * therefore, may have to leave those.
 */
export function noteOvertaken(workspace: Workspace, wish: SlotWish, place: 0 | 1): void {
  if (ownLimitSlots(wish.limit) === undefined) return;
  const id = workspace.queues.get(limitKey(wish))?.[place];
  if (id !== undefined) workspace.touched.overtaken.add(id);
}

const timerOfHeld = (id: ProposalId): string => `held ${id}`;

type Place = Pick<Held, 'priority' | 'at'>;

const priorityOf = (workspace: Workspace, { run, create }: TransitionProposal): number =>
  (workspace.runs.get(run) ?? create)?.priority ?? 0;

/** Its place in the queue. */
function enqueue(workspace: Workspace, queues: Table<readonly ProposalId[]>, key: string, held: Held): number {
  const queue = queues.get(key) ?? [];
  const index = indexOf(workspace, queue, held);
  queues.set(key, [...queue.slice(0, index), held.proposal.id, ...queue.slice(index)]);
  return index;
}

/** Where in a queue a proposal of this place belongs. */
function indexOf(workspace: Workspace, queue: readonly ProposalId[], place: Place): number {
  let index = queue.length;
  for (; index > 0; index -= 1) {
    const before = workspace.held.get(queue[index - 1] ?? '');
    if (before === undefined || !comesFirst(place, before)) break;
  }
  return index;
}

const LAST: Position = { seq: Number.POSITIVE_INFINITY, index: 0 };

/** How many held proposals come before this one in a limit's queue, whether or not it stands in it. */
export function aheadOf(workspace: Workspace, proposal: TransitionProposal, limit: string): number {
  const queue = workspace.queues.get(limit);
  if (queue === undefined) return 0;
  const held = workspace.held.get(proposal.id);
  const priority = priorityOf(workspace, proposal);
  const index = queue.indexOf(proposal.id);
  if (index >= 0 && held?.priority === priority) return index;
  // Its run may have been made by somebody else since it was held, with another priority: then its place is another too.
  const others = index < 0 ? queue : queue.filter((id) => id !== proposal.id);
  return indexOf(workspace, others, { priority, at: held?.at ?? LAST });
}

function comesFirst(one: Place, other: Place): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  if (one.at.seq !== other.at.seq) return one.at.seq < other.at.seq;
  return one.at.index < other.at.index;
}

/** Whether the clock's proposal to start a run waits already. */
export function isStartHeld(workspace: Workspace, run: RunId): boolean {
  for (const id of workspace.heldUnder.of(rootOf(run))) if (id.startsWith(`clock/${run}/`)) return true;
  return false;
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
      for (const wish of held.waits.limits) {
        leaveQueue(workspace.queues, limitKey(wish), id);
        workspace.touched.limits.add(limitKey(wish));
      }
      if (held.waits.untilMs !== undefined) workspace.timers.delete(timerOfHeld(id));
      break;
    case 'MESSAGE':
      leaveQueue(workspace.waiting, held.waits.mailbox, id);
      workspace.touched.mailboxes.add(held.waits.mailbox);
      if (held.waits.untilMs !== undefined) workspace.timers.delete(timerOfHeld(id));
      break;
    case 'FLOW':
      break;
  }
}

function leaveQueue(queues: Table<readonly ProposalId[]>, key: string, id: ProposalId): void {
  const rest = (queues.get(key) ?? []).filter((other) => other !== id);
  if (rest.length === 0) queues.delete(key);
  else queues.set(key, rest);
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

/** All of them, also those that the asker falsely said it had the answers to. */
export function withdrawSession(workspace: Workspace, name: string): void {
  for (const [id] of [...workspace.held.entries()]) {
    if (id.startsWith(`${name}:`)) forgetHeld(workspace, id as ProposalId);
  }
}
