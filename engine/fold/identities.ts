/**
 * Which unfinished runs a script that is started again recognises: the table of identities. One process may have begun
 * several runs of one identity; those that an earlier process began are forgotten when a newer one begins.
 */
import { LIMITS } from '../../protocol/limits.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Run, Workspace } from './workspace.ts';

/** A crashed run can be resumed by whoever starts the same flow again; one that ended otherwise cannot. */
export function rememberIdentity(workspace: Workspace, was: Run | undefined, now: Run): void {
  const { identity, state, id } = now;
  if (identity === undefined) return;
  const known = workspace.identities.get(identity);
  const unfinished = !isTerminal(state) || state.type === 'CRASHED';
  if (unfinished && was === undefined) {
    const beside = (known ?? []).filter((other) => areInOneProcess(workspace.runs.get(other), now));
    workspace.identities.set(identity, [...beside, id].slice(-LIMITS.runsOfIdentityMax));
  } else if (unfinished && known === undefined) {
    workspace.identities.set(identity, [id]);
  } else if (!unfinished && known?.includes(id) === true) {
    const left = known.filter((other) => other !== id);
    if (left.length > 0) workspace.identities.set(identity, left);
    else workspace.identities.delete(identity);
  }
}

/** What another process has begun is newer than all that was known: what happens to an older run does not bring it back. */
function areInOneProcess(older: Run | undefined, newer: Run): boolean {
  const session = newer.session ?? newer.creator;
  return older !== undefined && session !== undefined && (older.session ?? older.creator) === session;
}
