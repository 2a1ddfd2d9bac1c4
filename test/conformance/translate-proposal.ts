/**
 * Prefect's proposed state as a proposal of ours. With Prefect anybody sets any state; with us a proposal says who asks
 * and how, so the translation says who it is that would ask for this:
 *
 * | proposed                            | asked by                                                                     |
 * | ----------------------------------- | ---------------------------------------------------------------------------- |
 * | anything, by a Minimal policy       | an operator, who forces it and says why                                      |
 * | anything, by the late-run service   | the engine's clock                                                           |
 * | anything after an end               | an operator who says why; RUNNING by a process that claims the run           |
 * | RUNNING of a flow run               | the process that claims it; after a blocking pause, its own                  |
 * | COMPLETED FAILED CRASHED CANCELLED  | the process that executes it, as a report of what happened                   |
 * | CANCELLING                          | an operator                                                                  |
 * | PAUSED                              | the process that executes it                                                 |
 * | PENDING                             | a worker                                                                     |
 * | anything of a call                  | the process that executes its flow run, for it alone may speak for it; after |
 * |                                     | its end, by somebody's wish, who says why                                    |
 */
import type { Run } from '../../engine/fold/workspace.ts';
import type { ProposalId } from '../../protocol/ids.ts';
import { ENGINE, rootOf, type TransitionProposal } from '../../protocol/proposals.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import type { PrefectPolicy, PrefectState } from './cases.ts';
import { PROCESS, USER, type Stage } from './stage.ts';
import { ourState } from './translate-state.ts';
import { transitionIdOf, type Subject } from './translate-world.ts';

const OPERATOR = 'operator';
const WORKER = 'worker';
const REASON = 'the case asks for it';

type How = Pick<TransitionProposal, 'report' | 'execution' | 'claim' | 'force' | 'reason'> & {
  readonly session: string;
};

export function proposalOf(
  stage: Stage,
  subject: Subject,
  proposed: PrefectState,
  policy: PrefectPolicy | undefined,
): TransitionProposal {
  const run = stage.workspace.runs.get(subject.run);
  const to = ourState(proposed);
  const base = {
    kind: subject.definition.kind,
    run: subject.run,
    to,
    ...(run === undefined ? { create: subject.definition } : {}),
  };
  if (policy === 'MarkLateRunsPolicy') return { ...base, ...byClock(run, subject) };
  const { session, ...how } = howOf(stage, subject, run, to, policy);
  const transition = proposed.details?.transitionId;
  const id = transition ? transitionIdOf(transition) : stage.nextId(session);
  return { ...base, id, by: USER, ...how };
}

/** A report that comes after the end: what a process says that had not heard of it. Undefined where none would. */
export function lateReportOf(stage: Stage, subject: Subject, proposed: PrefectState): TransitionProposal | undefined {
  const run = stage.workspace.runs.get(subject.run);
  const to = ourState(proposed);
  if (run === undefined || !isTerminal(run.state) || !isTerminal(to)) return undefined;
  return { ...byProcess(stage, subject), to, report: true };
}

/** A program that makes a call again which has completed, and knows nothing of it. Undefined where it is no such call. */
export function callAgainOf(stage: Stage, subject: Subject, proposed: PrefectState): TransitionProposal | undefined {
  const run = stage.workspace.runs.get(subject.run);
  const to = ourState(proposed);
  if (subject.kind !== 'task' || run?.state.type !== 'COMPLETED' || to.type !== 'RUNNING') return undefined;
  return { ...byProcess(stage, subject), to };
}

function byProcess(stage: Stage, subject: Subject): Omit<TransitionProposal, 'to'> {
  const execution = executionOf(stage, subject);
  return { kind: subject.definition.kind, run: subject.run, id: stage.nextId(PROCESS), by: USER, execution };
}

function howOf(
  stage: Stage,
  subject: Subject,
  run: Run | undefined,
  to: State,
  policy: PrefectPolicy | undefined,
): How {
  const execution = executionOf(stage, subject);
  const isCall = subject.definition.parent !== undefined;
  const hasEnded = run !== undefined && isTerminal(run.state);
  if (policy === 'MinimalFlowPolicy' || policy === 'MinimalTaskPolicy') {
    return { session: OPERATOR, force: true, reason: REASON, ...(claims(run, to, isCall) ? { claim: true } : {}) };
  }
  if (isCall) return { session: PROCESS, execution, ...spoken(hasEnded, to) };
  if (claims(run, to, isCall)) {
    const session = run?.session === undefined || run.state.type === 'RUNNING' || hasEnded ? WORKER : PROCESS;
    return { session, claim: true, ...(hasEnded ? { reason: REASON } : {}) };
  }
  if (hasEnded) return { session: OPERATOR, reason: REASON };
  if (isTerminal(to)) return { session: PROCESS, execution, report: true };
  if (to.type === 'CANCELLING') return { session: OPERATOR, reason: REASON };
  if (to.type === 'PENDING') return { session: WORKER };
  // Prefect's resumptions come from whoever asks its API; our process by itself has no word that a pause waits for.
  if (run?.state.type === 'PAUSED' && (to.type === 'RUNNING' || to.type === 'SCHEDULED')) return { session: OPERATOR };
  return { session: PROCESS, execution };
}

/** Of a call: its end is a report, unless it has ended; then somebody corrects it or opens it again, and says why. */
function spoken(hasEnded: boolean, to: State): Pick<How, 'report' | 'reason'> {
  if (hasEnded) return { reason: REASON };
  return isTerminal(to) ? { report: true } : {};
}

/** A process becomes the one that executes the run. In a blocking pause it already is. */
function claims(run: Run | undefined, to: State, isCall: boolean): boolean {
  if (isCall || to.type !== 'RUNNING') return false;
  return !(run?.state.type === 'PAUSED' && run.state.suspended !== true);
}

const executionOf = (stage: Stage, { run }: Subject): number => stage.workspace.runs.get(rootOf(run))?.execution ?? 0;

function byClock(run: Run | undefined, subject: Subject): Pick<TransitionProposal, 'id' | 'by' | 'onBehalfOf'> {
  const version = String(run?.version ?? 0);
  return { id: `clock/${subject.run}/${version}/late` as ProposalId, by: ENGINE, onBehalfOf: 'clock' };
}
