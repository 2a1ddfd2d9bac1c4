/** Runs whose process is silent for too long, or known to have ended: what is proposed of them. */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { ENGINE, sessionOf, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { Run, Workspace } from '../fold/workspace.ts';
import type { Liveness } from './liveness.ts';

/** Whose last beat is younger is asked no further. */
const SILENT_MS = 2000;

type Look = {
  /** Monotonic. */
  readonly nowMs: number;
  readonly epoch: number;
  /** Names the process of a session that is known to have ended. */
  readonly gone: ((session: string) => string | undefined) | undefined;
};

export function crashesOf(workspace: Workspace, liveness: Liveness, look: Look): readonly TransitionProposal[] {
  const { nowMs, epoch, gone } = look;
  const sessions = [...workspace.executing.keys()];
  const dead = new Set(liveness.dead(sessions, nowMs));
  return sessions.flatMap((session) => {
    const beat = liveness.of(session, nowMs);
    const ended = (beat?.silentMs ?? SILENT_MS) < SILENT_MS ? undefined : gone?.(session);
    if (ended === undefined && !dead.has(session)) return [];
    const message = ended === undefined ? silence(beat) : `its ${ended} has ended`;
    return [...workspace.executing.of(session)].flatMap((id) => crashOf(workspace, id as RunId, epoch, message));
  });
}

/**
 * Somebody else has found that the process of a run has ended, and was believed: all that it executed has ended with it,
 * in the same moment. `before` is the run as it was.
 */
export function crashesWith(
  workspace: Workspace,
  before: Run | undefined,
  { proposal, outcome }: Ruling,
  epoch: number,
): readonly TransitionProposal[] {
  if (proposal.kind === 'workspace' || outcome !== 'accepted' || proposal.to.type !== 'CRASHED') return [];
  const session = before?.session;
  if (session === undefined || proposal.by === ENGINE || sessionOf(proposal.id)?.session === session) return [];
  if (proposal.report !== true) return [];
  const message = proposal.to.message ?? 'its process has ended';
  return [...workspace.executing.of(session)].flatMap((id) => crashOf(workspace, id as RunId, epoch, message));
}

function crashOf(workspace: Workspace, id: RunId, epoch: number, message: string): readonly TransitionProposal[] {
  const run = workspace.runs.get(id);
  if (run === undefined) return [];
  return [
    {
      id: `liveness/${id}/${String(run.version)}` as ProposalId,
      kind: run.kind,
      run: id,
      by: ENGINE,
      onBehalfOf: 'liveness',
      epoch,
      basedOn: run.version,
      to: { type: 'CRASHED', name: 'Crashed', message },
    },
  ];
}

function silence(beat: ReturnType<Liveness['of']>): string {
  if (beat === undefined) return 'its process was not heard since this engine began';
  const { pid, host } = beat.heartbeat;
  return `its process ${String(pid)} on ${host} is silent for ${String(Math.round(beat.silentMs))} ms`;
}
