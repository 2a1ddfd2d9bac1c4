/**
 * Who waits for ever because they wait for each other: what is left of all that wait for slots, when again and again those
 * are let go who would fit if everybody gave back what they hold who is not held up by one that is left. Written from the
 * architecture (section 4), and slowly: over the whole workspace, instead of from one wish on.
 */
import { limitKey, type Held, type Workspace } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import { parentId, type SlotWish } from '../../protocol/proposals.ts';

export function waitsForEver(workspace: Workspace): string[] {
  const left = new Set<string>();
  for (const [id, { proposal, waits }] of workspace.held.entries()) {
    if (waits.type === 'SLOTS' && !chain(proposal.run).some((run) => stateOf(workspace, run) === 'CANCELLING'))
      left.add(id);
  }
  for (let before = -1; before !== left.size;) {
    before = left.size;
    const holders = new Set([...left].flatMap((id) => heldUp(workspace, workspace.held.get(id)!.proposal.run)));
    for (const id of left) {
      const held = workspace.held.get(id)!;
      if (
        held.waits.type === 'SLOTS' &&
        held.waits.limits.every((wish) => mayFit(workspace, held, { wish, left, holders }))
      )
        left.delete(id);
    }
  }
  return [...left];
}

const chain = (run: RunId): RunId[] => {
  const runs: RunId[] = [];
  for (let id: string = run; id !== ''; id = parentId(id as RunId)) runs.push(id as RunId);
  return runs;
};
/** Somebody may ask once more for what runs already. */
const heldUp = (workspace: Workspace, run: RunId): RunId[] =>
  stateOf(workspace, run) === 'RUNNING' ? chain(run).slice(1) : chain(run);
const stateOf = (workspace: Workspace, run: RunId): string | undefined => workspace.runs.get(run)?.state.type;

type World = { readonly wish: SlotWish; readonly left: ReadonlySet<string>; readonly holders: ReadonlySet<string> };

function mayFit(workspace: Workspace, { proposal }: Held, { wish, left, holders }: World): boolean {
  const key = limitKey(wish);
  const queue = workspace.queues.get(key) ?? [];
  if (queue.slice(0, queue.indexOf(proposal.id)).some((id) => left.has(id))) return false;
  const { slotsMax = Number.POSITIVE_INFINITY, everyMs, onFull } = workspace.limitOf(wish) ?? {};
  if (slotsMax === 0 || everyMs !== undefined || onFull === 'cancel-running') return true;
  let kept = 0;
  for (const run of holders) {
    const slots = run === proposal.run ? [] : (workspace.runs.get(run)?.slots ?? []);
    for (const slot of slots) if (limitKey(slot) === key) kept += slot.slots;
  }
  return kept + wish.slots <= slotsMax;
}
