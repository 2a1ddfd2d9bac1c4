/**
 * What must hold of a world when it is over, whatever became of its processes. Written from what is promised, not from
 * how it is kept. Each check says what is wrong, or nothing.
 *
 * K1 Only the current execution is heard: nothing that another one asked for has moved or parked anything.
 * K2 A task completes once, and after that it never runs again.
 * K3 A body begins only by a ruling that granted it, and once for each.
 * K4 Each completion is of a body that did its work, with its result; so among the effects whose completion was ruled,
 *    each key stands once.
 * K5 Within one round of its flow a call keeps its inputs, by whichever key it is known.
 * K6 Nothing is left over: no open call, held proposal, timer or slot.
 */
import type { RunId } from '../../protocol/ids.ts';
import { rootOf, sessionOf } from '../../protocol/proposals.ts';
import { isTerminal } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { limitName } from './bound.ts';
import { folded, steps, type Line, type Step } from './ledger.ts';
import type { Effect } from './outside.ts';
import { textOf } from './values.ts';

export type Read = (value: Value | undefined) => unknown;

export function ledgerProblems(lines: readonly Line[]): string[] {
  const problems: string[] = [];
  const completed = new Set<string>();
  const inputs = new Map<string, string | undefined>();
  for (const step of steps(lines)) {
    problems.push(...fenceProblems(step), ...repetitions(step, completed), ...inputProblems(step, inputs));
  }
  return problems;
}

/** K1. */
function fenceProblems({ ruling, workspace, before }: Step): string[] {
  const { proposal, outcome } = ruling;
  if (proposal.kind === 'workspace' || proposal.execution === undefined || outcome === 'rejected') return [];
  const current = workspace.runs.get(rootOf(proposal.run))?.execution;
  // A report may itself be what ends the execution.
  const ends = before?.parent === undefined && proposal.to.type === 'CRASHED' && current === proposal.execution + 1;
  if (proposal.execution === current || ends) return [];
  return [`K1 ${proposal.id} asked for execution ${String(proposal.execution)} while ${String(current)} was current`];
}

/** K2. */
function repetitions({ ruling, before, after }: Step, completed: Set<string>): string[] {
  if (after?.kind !== 'task' || before === undefined || ruling.outcome === 'rejected' || ruling.outcome === 'held')
    return [];
  if (!completed.has(after.id)) {
    if (after.state.type === 'COMPLETED') completed.add(after.id);
    return [];
  }
  const isSame =
    after.state.type === 'COMPLETED' && before.state.type === 'COMPLETED' && resultOf(after) === resultOf(before);
  return isSame ? [] : [`K2 ${after.id} had completed, and became ${after.state.name} with ${String(resultOf(after))}`];
}

const resultOf = ({ state }: NonNullable<Step['after']>): string | undefined =>
  state.type === 'COMPLETED' ? state.result?.digest : undefined;

/** K5. */
function inputProblems({ ruling, workspace }: Step, inputs: Map<string, string | undefined>): string[] {
  const { proposal, outcome } = ruling;
  if (proposal.kind === 'workspace' || proposal.create?.call === undefined || outcome === 'rejected') return [];
  const { call, parent } = proposal.create;
  const round = parent === undefined ? 0 : (workspace.runs.get(parent)?.round ?? 0);
  const place = `${proposal.run} in round ${String(round)}`;
  const known = inputs.get(place);
  if (inputs.has(place) && known !== call.inputs) {
    return [`K5 ${place} was called with ${String(call.inputs)}, before with ${String(known)}`];
  }
  inputs.set(place, call.inputs);
  return [];
}

/** K6. */
export function leftovers(lines: readonly Line[], world: string): string[] {
  const workspace = folded(lines);
  const problems: string[] = [];
  for (const [id, run] of workspace.runs.entries()) {
    if (!isTerminal(run.state)) problems.push(`K6 ${id} is left ${run.state.name}`);
  }
  for (const [id] of workspace.held.entries()) problems.push(`K6 ${id} is left held`);
  for (const [id] of workspace.timers.entries()) problems.push(`K6 the timer ${id} is left`);
  const used = workspace.limits.get(limitName(world))?.used ?? 0;
  if (used !== 0) problems.push(`K6 ${String(used)} slots are left taken`);
  return problems;
}

export async function effectProblems(
  lines: readonly Line[],
  effects: readonly Effect[],
  read: Read,
): Promise<string[]> {
  const problems: string[] = [];
  const grants = new Map<string, number>();
  const completions = new Map<RunId, { grant: string; result: Value | undefined }>();
  const latest = new Map<RunId, string>();
  for (const { ruling, before, after } of steps(lines)) {
    const { proposal, outcome } = ruling;
    if (after?.kind !== 'task' || proposal.kind === 'workspace') continue;
    if (outcome === 'rejected' || outcome === 'held') continue;
    if (after.state.type === 'RUNNING') {
      const grant = grantOf(after.id, after.attempt, sessionOf(proposal.id)?.session ?? '');
      grants.set(grant, 0);
      latest.set(after.id, grant);
    } else if (after.state.type === 'COMPLETED' && before?.state.type === 'RUNNING') {
      completions.set(after.id, { grant: latest.get(after.id) ?? '', result: after.state.result });
    }
  }
  for (const { phase, key, attempt, session } of effects) {
    if (phase !== 'begin') continue;
    const grant = grantOf(key, attempt, session);
    const begun = grants.get(grant);
    if (begun === undefined) problems.push(`K3 a body began without a ruling: ${grant}`);
    else if (begun > 0) problems.push(`K3 a body began twice by one ruling: ${grant}`);
    else grants.set(grant, begun + 1);
  }
  for (const [run, { grant, result }] of completions) {
    const done = effects.filter(
      ({ phase, key, attempt, session }) => phase === 'end' && grantOf(key, attempt, session) === grant,
    );
    const [end] = done;
    if (done.length !== 1) problems.push(`K4 ${run} completed with ${String(done.length)} effects by ${grant}`);
    const recorded = textOf(await read(result));
    if (end !== undefined && end.result !== recorded) {
      problems.push(`K4 ${run} completed with ${recorded}, its body gave ${String(end.result)}`);
    }
  }
  return problems;
}

const grantOf = (run: string, attempt: number, session: string): string => `${run} #${String(attempt)} by ${session}`;
