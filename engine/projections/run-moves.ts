/** What a ruling that moves a run means for its record, which still has the state before it. As engine/fold has it (P1). */
import { ENGINE, sessionOf, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { hasReceived } from '../fold/mailboxes.ts';
import type { RunRecord } from './run-records.ts';

export const holdsSlots = ({ type }: State): boolean =>
  type === 'PENDING' || type === 'RUNNING' || type === 'CANCELLING';

/** A rule answered with the end that the run has: it stays as it ended, and when it did. */
export const isReuse = (run: RunRecord, ruling: Ruling, { to }: TransitionProposal, state: State): boolean =>
  ruling.outcome === 'rewritten' &&
  to.type === 'RUNNING' &&
  run.endedMs !== undefined &&
  state.type === run.type &&
  state.name === run.state &&
  !hasReceived(ruling);

/** What a move means for a record that still has the state before it. */
export function advance(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, state: State): void {
  if (state.type === 'RUNNING') enter(run, ruling, proposal);
  else if (isTerminal(state)) end(run, ruling, proposal, state);
  else wait(run, ruling, proposal, state);
}

function enter(run: RunRecord, ruling: Ruling, proposal: TransitionProposal): void {
  const isAnew = run.endedMs !== undefined && run.kind === 'task';
  // A paused flow run goes on with the attempt that it was in; a task that stopped begins anew.
  const isResumed = run.kind === 'flow' && (run.resuming || run.type === 'PAUSED');
  if (!isResumed) run.attempt += 1;
  if (isAnew) run.retriesUsed = 0;
  run.resuming = false;
  run.endedMs = undefined;
  run.startedMs ??= ruling.atMs;
  if (ruling.execution === undefined) return;
  run.execution = ruling.execution;
  run.session = sessionOf(proposal.id)?.session ?? run.session;
}

function end(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, state: State): void {
  const { atMs } = ruling;
  if (fences(run, proposal, state)) run.execution += 1;
  run.endedMs = hasReceived(ruling) ? atMs : (run.endedMs ?? atMs);
  run.startedMs ??= atMs;
  run.resuming = false;
}

/** It goes on later: after a retry's delay, in another process, or because somebody opened it again. */
function wait(run: RunRecord, ruling: Ruling, proposal: TransitionProposal, state: State): void {
  const again = state.type === 'SCHEDULED' && ruling.outcome === 'rewritten';
  if (run.endedMs !== undefined && run.kind === 'task') run.retriesUsed = 0;
  if (again && proposal.to.type === 'CRASHED') run.resumes += 1;
  else if (again && (run.type === 'RUNNING' || run.type === 'PAUSED')) run.retriesUsed += 1;
  if (fences(run, proposal, state)) {
    run.execution += 1;
    run.session = undefined;
  }
  if (run.type === 'PAUSED' && state.type !== 'PAUSED' && state.type !== 'CANCELLING') run.resuming = true;
  run.endedMs = undefined;
}

/** The run is taken from its process: what that says from now on is void. */
const fences = ({ parent, execution, endedMs }: RunRecord, { to, by }: TransitionProposal, state: State): boolean =>
  parent === 0 &&
  execution > 0 &&
  (to.type === 'CRASHED' ||
    (by === ENGINE && to.type === 'CANCELLED') ||
    (state.type === 'PAUSED' && state.suspended === true) ||
    (endedMs !== undefined && !isTerminal(state)));
