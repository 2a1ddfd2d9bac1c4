/**
 * Which held proposals can be judged again. Pure reading of the workspace; whoever calls judges what is found.
 *
 * K1 After the fold, a free slot and a held proposal that is first in all its queues and fits never coexist.
 * K2 Nor does one stay first that can never fit: it is woken to be refused, because those behind it wait for nothing else.
 * K3 Nor does a message lie in a mailbox while a held proposal waits for one.
 * K4 Nor does one that waits for a lock stand in the queue of another limit: it is woken to leave that queue.
 */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { ownLimitSlots, parentId, rootOf, type SlotWish, type TransitionProposal } from '../../protocol/proposals.ts';
import { limitKey, type Workspace } from '../fold/workspace.ts';
import { slotsOfAncestors, slotsStuck } from './facts.ts';
import { slotsOf } from './run-slots.ts';
import { circleOf } from './wait-circles.ts';

/** The proposals set free by what was touched since the last call; clears what was touched. */
export function wakeable(workspace: Workspace): readonly ProposalId[] {
  const { limits, overtaken, flows, mailboxes } = workspace.touched;
  const free: ProposalId[] = [];
  for (const limit of limits) {
    const first = workspace.queues.get(limit)?.[0];
    if (first !== undefined && isReady(workspace, first)) free.push(first);
  }
  for (const id of overtaken) if (isOvertaken(workspace, id)) free.push(id);
  for (const flow of flows) free.push(...heldByState(workspace, flow));
  for (const mailbox of mailboxes) {
    const first = workspace.mailboxes.get(mailbox) === undefined ? undefined : workspace.waiting.get(mailbox)?.[0];
    if (first !== undefined) free.push(first);
  }
  limits.clear();
  overtaken.clear();
  flows.clear();
  mailboxes.clear();
  return free;
}

/** For a new incarnation, which cannot know what its predecessor, or an undo, left to be woken. */
export function touchAll(workspace: Workspace): void {
  for (const [limit] of workspace.queues.entries()) workspace.touched.limits.add(limit);
  for (const [mailbox] of workspace.waiting.entries()) workspace.touched.mailboxes.add(mailbox);
  for (const [id, { proposal, waits }] of workspace.held.entries()) {
    if (waits.type === 'SLOTS') workspace.touched.overtaken.add(id as ProposalId);
    const flow = parentId(proposal.run);
    if (flow !== '') workspace.touched.flows.add(flow as RunId);
    else if (waits.type === 'FLOW') workspace.touched.flows.add(proposal.run);
  }
}

/** First in every queue that it stands in, with room in every limit; or without hope in one of them. */
function isReady(workspace: Workspace, id: ProposalId): boolean {
  const held = workspace.held.get(id);
  if (held?.waits.type !== 'SLOTS') return false;
  const { limits } = held.waits;
  return (
    limits.some((wish) => isHopeless(workspace, held.proposal, wish) || mayEvict(workspace, id, wish)) ||
    limits.every((wish) => isFree(workspace, id, wish)) ||
    isCircular(workspace, held.proposal, limits)
  );
}

/** Held proposals that are looked at for one that is first: it is looked at often, and nearly always in vain. */
const LOOKED_MAX = 100;

/** A limit was lowered, and only those who wait for this one could make room for it any more. */
function isCircular(workspace: Workspace, proposal: TransitionProposal, limits: readonly SlotWish[]): boolean {
  const asked = limits.map((wish) => {
    const ahead = workspace.queues.get(limitKey(wish))?.indexOf(proposal.id) ?? 0;
    return { ...wish, wanted: wish.slots, ahead };
  });
  return circleOf(workspace, proposal, asked, LOOKED_MAX) !== undefined;
}

/** It stands in the queues of other limits, and a lock that it waits for as well is not to be had. */
function isOvertaken(workspace: Workspace, id: ProposalId): boolean {
  const waits = workspace.held.get(id)?.waits;
  if (waits?.type !== 'SLOTS' || waits.limits.every(isLock)) return false;
  return waits.limits.some((wish) => isLock(wish) && !isFree(workspace, id, wish));
}

const isLock = ({ limit }: SlotWish): boolean => ownLimitSlots(limit) !== undefined;

const isFree = (workspace: Workspace, id: ProposalId, wish: SlotWish): boolean =>
  workspace.queues.get(limitKey(wish))?.[0] === id && hasRoom(workspace, id, wish);

/** First in a limit that cancels those that run: who has to go is told by judging. */
const mayEvict = (workspace: Workspace, id: ProposalId, wish: SlotWish): boolean =>
  workspace.limitOf(wish)?.onFull === 'cancel-running' && workspace.queues.get(limitKey(wish))?.[0] === id;

/** Whether a rate limit has room by now is told by judging. */
function hasRoom(workspace: Workspace, id: ProposalId, wish: SlotWish): boolean {
  const row = workspace.limitOf(wish);
  if (row?.slotsMax === undefined || row.everyMs !== undefined) return true;
  const run = workspace.runs.get(workspace.held.get(id)?.proposal.run ?? '');
  return row.used - (run === undefined ? 0 : slotsOf(run, limitKey(wish))) + wish.slots <= row.slotsMax;
}

/** The limit was lowered: there will never be room, or only by the end of an ancestor that waits for this one. */
function isHopeless(workspace: Workspace, proposal: TransitionProposal, wish: SlotWish): boolean {
  const slotsMax = workspace.limitOf(wish)?.slotsMax;
  if (slotsMax === undefined || slotsMax === 0) return false;
  const key = limitKey(wish);
  const isNested = slotsOfAncestors(workspace, [proposal], key) > 0;
  return wish.slots + (isNested ? slotsStuck(workspace, proposal, key) : 0) > slotsMax;
}

/**
 * What was asked about the flow run itself, which has moved; and its calls, if it stopped running or runs again: they are
 * refused, or need not wait any more.
 */
function heldByState(workspace: Workspace, flow: RunId): readonly ProposalId[] {
  const ids = workspace.heldUnder.of(rootOf(flow));
  if (ids.size === 0) return [];
  const type = workspace.runs.get(flow)?.state.type;
  const isRoot = parentId(flow) === '';
  return ([...ids] as ProposalId[]).filter((id) => {
    const held = workspace.held.get(id);
    if (held === undefined) return false;
    if (held.proposal.run === flow) return true;
    const waitsForFlow = held.waits.type === 'FLOW';
    // A pause at the top holds all under it.
    if (parentId(held.proposal.run) !== flow) return isRoot && waitsForFlow && type !== 'PAUSED';
    return type === 'RUNNING' ? waitsForFlow : type === 'PAUSED' ? !waitsForFlow : true;
  });
}
