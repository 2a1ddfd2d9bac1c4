/**
 * Which sessions have said nothing for so long that nothing of theirs can still be on its way. What is asked again is
 * heard too, though it is not ruled on again: whoever waits for long is not silent.
 */
import type { EpochMs, ProposalId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { ENGINE, sessionOf, type Proposal } from '../../protocol/proposals.ts';
import type { Workspace } from '../fold/workspace.ts';

export class SessionWatch {
  readonly #heardMs = new Map<string, EpochMs>();
  readonly #done = new Map<string, number>();

  hear({ id, done = 0 }: Proposal, nowMs: EpochMs): void {
    const asker = sessionOf(id);
    if (asker === undefined) return;
    this.#heardMs.set(asker.session, nowMs);
    if (done > this.doneOf(asker.session)) this.#done.set(asker.session, done);
  }

  /** Of smaller counters the session says that it has the answers: they will not come any more, ruled on or not. */
  doneOf(session: string): number {
    return this.#done.get(session) ?? 0;
  }

  /** What closes those that are silent for longer than `silentMs` and execute nothing; a segment's worth at most. */
  closings(workspace: Workspace, at: { nowMs: EpochMs; silentMs: number; epoch: number }): readonly Proposal[] {
    const closings: Proposal[] = [];
    for (const [session, { lastMs: ruledMs }] of workspace.sessions.entries()) {
      const lastMs = this.#heardMs.get(session) ?? ruledMs;
      if (at.nowMs - lastMs < at.silentMs || workspace.executing.of(session).size > 0) continue;
      if (closings.length === LIMITS.segmentEntriesMax) break;
      this.#heardMs.delete(session);
      this.#done.delete(session);
      closings.push({
        id: `liveness/${session}/closed` as ProposalId,
        kind: 'workspace',
        by: ENGINE,
        onBehalfOf: 'liveness',
        epoch: at.epoch,
        event: { type: 'SESSION_CLOSED', session, silentSinceMs: lastMs },
      });
    }
    return closings;
  }
}
