/**
 * What a flow run that is executed again has to do with the calls that it made before: which of them a strict one still
 * owes, and which are to be done again because somebody opened it again from one of them on.
 *
 * M1 A call is made by whatever its start comes to, a refusal and a wait as well; what stands in the way of a call does not
 *    make another one of it.
 * M2 Owed is what was made in this round by an earlier execution: after a failure a flow run may go another way,
 *    but for that of having diverged.
 * M3 What undoes something is never owed: it is called for, or not, by how the execution ends.
 */
import type { RunId } from '../../protocol/ids.ts';
import { parentId, rootOf, type TransitionProposal } from '../../protocol/proposals.ts';
import { decidingEntry, isBefore, type Ruling } from '../../protocol/rulings.ts';
import { DIVERGED_NAME, type State } from '../../protocol/states.ts';
import type { Run, Workspace } from './workspace.ts';

/** Marks the call, as the current execution's, if a strict flow run has made it. */
export function noteMade(workspace: Workspace, { proposal, trail }: MadeIn): void {
  const { run: id, to, report, execution } = proposal;
  if (report === true || execution === undefined) return;
  const flow = workspace.runs.get(parentId(id));
  if (flow?.strict !== true || !BEGINNINGS.includes(to.type) || executionOf(workspace, id) !== execution) return;
  // Held until its flow run began anew, it was made in the round before.
  if (flow.state.type !== 'RUNNING' && flow.state.type !== 'PAUSED') return;
  const { round } = flow;
  const call = workspace.runs.get(id);
  if (call === undefined) {
    if (decidingEntry(trail)?.code !== 'DIVERGED') noteUnbegun(workspace, flow, id);
    return;
  }
  if (call.made?.execution === execution && call.made.round === round) return;
  workspace.runs.set(id, { ...call, made: { execution, round } });
  const { owed = 0 } = flow;
  const begun = forgetUnbegun(flow, id);
  if (owed > 0 && isOwed(call, flow, execution)) workspace.runs.set(flow.id, { ...begun, owed: owed - 1 });
  else if (begun !== flow) workspace.runs.set(flow.id, begun);
}

/** Its run tells from now on that it was made: a flow run that waits for ever has only few that have none. */
function forgetUnbegun(flow: Run, id: RunId): Run {
  const { unbegun, ...rest } = flow;
  if (unbegun?.calls.includes(id) !== true) return flow;
  const calls = unbegun.calls.filter((call) => call !== id);
  return calls.length === 0 ? rest : { ...rest, unbegun: { ...unbegun, calls } };
}

type MadeIn = Pick<Ruling, 'trail'> & { readonly proposal: TransitionProposal };

/** Whoever makes the call again is told that it is done. What a rule made a failure of is not what was asked for. */
export function noteDeed(workspace: Workspace, call: RunId | undefined, state: State): void {
  const run = call === undefined || state.type === 'FAILED' ? undefined : workspace.runs.get(call);
  if (run !== undefined) workspace.runs.set(run.id, { ...run, acted: true });
}

/** It has no run that could tell the next execution that it was made. */
function noteUnbegun(workspace: Workspace, flow: Run, id: RunId): void {
  const { round } = flow;
  const calls = flow.unbegun?.round === round ? flow.unbegun.calls : [];
  if (!calls.includes(id)) workspace.runs.set(flow.id, { ...flow, unbegun: { round, calls: [...calls, id] } });
}

const BEGINNINGS: readonly string[] = ['SCHEDULED', 'PENDING', 'RUNNING'];

/** Counts what a strict flow run owes that has just begun to run. */
export function noteOwed(workspace: Workspace, flow: Run): void {
  if (flow.strict !== true || flow.state.type !== 'RUNNING') return;
  const owed = owedCalls(workspace, flow).length;
  if (owed !== (flow.owed ?? 0)) workspace.runs.set(flow.id, { ...flow, owed });
}

/**
 * The earliest call that a strict flow run has made before and owes still, when it makes one that it has not made. What it
 * made after as many others is not owed yet; and of what it owes, as many may still come as it has made and not proposed:
 * calls are not always proposed in the order in which they are made. Looks for it only if there is one.
 */
export function firstOwed(
  workspace: Workspace,
  id: RunId,
  {
    instead,
    nth = Infinity,
    behind = 0,
  }: Pick<NonNullable<Run['call']>, 'nth' | 'behind'> & { readonly instead: RunId },
): Run | undefined {
  const flow = workspace.runs.get(id);
  if (flow?.strict !== true || (flow.owed ?? 0) === 0) return undefined;
  if (flow.unbegun?.round === flow.round && flow.unbegun.calls.includes(instead)) return undefined;
  const owed = owedCalls(workspace, flow).filter(({ call }) => (call?.nth ?? 0) <= nth);
  if (owed.length <= behind) return undefined;
  return owed.reduce<Run | undefined>(
    (first, call) => (first === undefined || isBefore(call.created, first.created) ? call : first),
    undefined,
  );
}

function owedCalls(workspace: Workspace, flow: Run): Run[] {
  const execution = executionOf(workspace, flow.id);
  return [...workspace.runs.unit(rootOf(flow.id))]
    .filter((id) => parentId(id as RunId) === flow.id)
    .flatMap((id) => workspace.runs.get(id) ?? [])
    .filter((call) => isOwed(call, flow, execution));
}

const isOwed = ({ made, cleanup }: Run, flow: Run, execution: number): boolean =>
  made !== undefined && made.round === flow.round && made.execution < execution && cleanup !== true;

const executionOf = (workspace: Workspace, id: RunId): number => workspace.runs.get(rootOf(id))?.execution ?? 0;

/**
 * The record of a call, and of all that its flow run called after it, is not used again, nor is that of anything under
 * them. A call in the depth lies within others: those are run again, and what their callers called after it, but what they
 * had done before it stays.
 */
export function markRedone(workspace: Workspace, flow: RunId, from: RunId): void {
  const first = workspace.runs.get(from);
  if (first === undefined || !from.startsWith(`${flow}.`)) return;
  const within = new Set<string>();
  for (let id: string = from; id !== flow; id = parentId(id as RunId)) within.add(id);
  for (const id of [...workspace.runs.unit(rootOf(flow))]) {
    const run =
      id.startsWith(`${flow}.`) && isRedone(workspace, id, { within, first }) ? workspace.runs.get(id) : undefined;
    if (run === undefined) continue;
    const { made: _, ...rest } = run;
    const { execution, round } = run.ran ?? { execution: 0, round: 0 };
    workspace.runs.set(id, { ...rest, ran: { execution, round, redo: true } });
  }
}

type Redone = { readonly within: ReadonlySet<string>; readonly first: Run };

function isRedone(workspace: Workspace, id: string, { within, first }: Redone): boolean {
  const parents = new Set([...within].map((one) => parentId(one as RunId)));
  for (let at = id; at !== ''; at = parentId(at as RunId)) {
    if (at === first.id) return true;
    if (within.has(at)) return at === id;
    if (parents.has(parentId(at as RunId))) {
      const call = workspace.runs.get(at);
      return call !== undefined && !isBefore(call.created, first.created);
    }
  }
  return false;
}

/** One that diverged still owes what it had made: put back, the code makes it again; any other is refused again. */
export const beginsRound = ({ type, name }: State): boolean => type === 'FAILED' && name !== DIVERGED_NAME;
