/**
 * A run that moves: the part of the fold in which a ruling takes effect on a run and on all that hangs on it.
 */
import { later, type Digest, type RunId } from '../../protocol/ids.ts';
import { ENGINE, rootOf, sessionOf, type SlotWish, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { withdrawHeld } from './evolve-held.ts';
import type { Run, Workspace } from './workspace.ts';

type Move = {
  readonly ruling: Ruling;
  readonly proposal: TransitionProposal;
  readonly state: State;
  readonly hash: Digest;
  readonly at: Position;
};

export function moveRun(workspace: Workspace, move: Move): void {
  const { proposal, state, ruling } = move;
  const was = workspace.runs.get(proposal.run);
  const before = was ?? created(workspace, move);
  if (before === undefined) return;
  dropTimers(workspace, before);
  const slots = newSlots(before, state, ruling);
  giveAndTake(workspace, before.slots, slots);
  const moved = advance(workspace, before, move, slots);
  workspace.runs.set(moved.id, moved);
  takeTimers(workspace, moved, ruling);
  followFamily(workspace, was, moved);
}

/** The record of a run that the ruling creates, before it enters its first state. */
function created(workspace: Workspace, { proposal, ruling, state, hash, at }: Move): Run | undefined {
  const definition = proposal.create;
  if (definition === undefined) return undefined;
  const asker = sessionOf(proposal.id);
  return {
    ...definition,
    id: proposal.run,
    version: 0,
    state,
    sinceMs: ruling.atMs,
    attempt: 0,
    retriesUsed: 0,
    resumes: 0,
    round: 0,
    execution: 0,
    slots: [],
    line: hash,
    last: at,
    createdMs: ruling.atMs,
    ...(asker === undefined || definition.parent !== undefined ? {} : { creator: asker.session }),
  };
}

/** A run keeps its slots while a process may be at work on it. */
function newSlots(before: Run, state: State, ruling: Ruling): readonly SlotWish[] {
  if (state.type === 'CANCELLING') return before.slots;
  if (state.type !== 'RUNNING') return NO_SLOTS;
  return ruling.claims?.find((claim) => claim.type === 'SLOTS')?.slots ?? NO_SLOTS;
}

const NO_SLOTS: readonly SlotWish[] = [];

function giveAndTake(workspace: Workspace, given: readonly SlotWish[], taken: readonly SlotWish[]): void {
  if (given === taken) return;
  for (const { limit, slots } of given) changeUsed(workspace, limit, -slots);
  for (const { limit, slots } of taken) changeUsed(workspace, limit, slots);
}

function changeUsed(workspace: Workspace, name: string, by: number): void {
  const limit = workspace.limits.get(name);
  if (limit === undefined) return;
  const used = limit.used + by;
  if (used === 0 && limit.slotsMax === undefined) workspace.limits.delete(name);
  else workspace.limits.set(name, { ...limit, used });
  if (by < 0) workspace.touched.limits.add(name);
}

function advance(workspace: Workspace, before: Run, move: Move, slots: readonly SlotWish[]): Run {
  const { ruling, proposal, state, hash, at } = move;
  const base: Run = {
    ...before,
    version: ruling.version,
    state,
    sinceMs: ruling.atMs,
    slots,
    line: hash,
    last: at,
  };
  if (state.type === 'RUNNING') return entered(workspace, base, before, ruling, proposal);
  // A reuse: the run stays as it ended, and when it did.
  if (isTerminal(before.state) && before.endedMs !== undefined) return { ...base, sinceMs: before.sinceMs };
  const again = state.type === 'SCHEDULED' && ruling.outcome === 'rewritten';
  const fenced = fences(before, proposal);
  const resumes = again && fenced;
  const retries = again && !fenced && before.state.type === 'RUNNING';
  const failed = retries || (state.type === 'FAILED' && isUnderWay(before));
  const { session: _, ...unowned } = base;
  return {
    ...(resumes ? unowned : base),
    ...(resumes ? { resumes: before.resumes + 1 } : {}),
    ...(retries ? { retriesUsed: before.retriesUsed + 1 } : {}),
    ...(failed ? { round: before.round + 1 } : {}),
    ...(isTerminal(state) ? { endedMs: ruling.atMs, end: at } : {}),
    ...(fenced ? { execution: before.execution + 1 } : {}),
  };
}

const isUnderWay = ({ state }: Run): boolean => state.type === 'RUNNING' || state.type === 'PAUSED';

/**
 * The run is taken from its process, which may still be at work: it died, as far as is known, or the engine ended the
 * run when its grace was over. What that process says from now on is void.
 */
const fences = (before: Run, { to, by }: TransitionProposal): boolean =>
  before.parent === undefined &&
  before.kind === 'flow' &&
  before.execution > 0 &&
  (to.type === 'CRASHED' || (by === ENGINE && to.type === 'CANCELLED'));

function entered(workspace: Workspace, base: Run, before: Run, ruling: Ruling, proposal: TransitionProposal): Run {
  const { endedMs: _, end: __, ...open } = base;
  const parent = before.parent === undefined ? undefined : workspace.runs.get(before.parent);
  const execution = workspace.runs.get(rootOf(before.id))?.execution ?? 0;
  const asker = sessionOf(proposal.id);
  return {
    ...open,
    attempt: before.attempt + 1,
    startedMs: before.startedMs ?? ruling.atMs,
    ...(parent === undefined ? {} : { ran: { execution, round: parent.round } }),
    ...(ruling.execution === undefined ? {} : { execution: ruling.execution }),
    ...(ruling.execution === undefined || asker === undefined ? {} : { session: asker.session }),
  };
}

export const timerKey = (run: RunId, timer: string): string => `${timer} ${run}`;

/** A dispatched run that no worker claimed for this long is dispatched again under a new version. */
const CLAIM_WITHIN_MS = 60_000;

function dropTimers(workspace: Workspace, run: Run): void {
  if (run.timeoutMs !== undefined) workspace.timers.delete(timerKey(run.id, 'timeout'));
  if (run.state.type === 'CANCELLING') workspace.timers.delete(timerKey(run.id, 'grace'));
  if (run.work === undefined) return;
  workspace.timers.delete(timerKey(run.id, 'start'));
  workspace.timers.delete(timerKey(run.id, 'claim'));
}

function takeTimers(workspace: Workspace, run: Run, ruling: Ruling): void {
  for (const claim of ruling.claims ?? []) {
    if (claim.type !== 'TIMER') continue;
    const { timer, dueAtMs } = claim;
    workspace.setTimer(timerKey(run.id, timer), { dueAtMs, run: run.id, timer, version: run.version });
  }
  if (run.work === undefined) return;
  const { id, version, state } = run;
  if (state.type === 'SCHEDULED' && run.session === undefined) {
    workspace.setTimer(timerKey(id, 'start'), { dueAtMs: state.dueAtMs, run: id, timer: 'start', version });
  }
  if (state.type === 'PENDING') {
    const dueAtMs = later(ruling.atMs, CLAIM_WITHIN_MS);
    workspace.setTimer(timerKey(id, 'claim'), { dueAtMs, run: id, timer: 'claim', version });
  }
}

/** What its flow run, its calls and its held proposals have to do with it. */
function followFamily(workspace: Workspace, was: Run | undefined, now: Run): void {
  const ended = isTerminal(now.state);
  if (now.parent !== undefined) {
    if (ended) workspace.open.remove(now.parent, now.id);
    else workspace.open.add(now.parent, now.id);
    if (workspace.cascades.get(now.parent) !== undefined && workspace.open.of(now.parent).size === 0) {
      workspace.cascades.delete(now.parent);
    }
  }
  if (now.kind !== 'flow') return;
  if (now.parent === undefined) followSession(workspace, was, now);
  workspace.touched.flows.add(now.id);
  rememberIdentity(workspace, was, now);
  if (was !== undefined && now.execution > was.execution) releaseUnder(workspace, now.id);
  if (ended) {
    withdrawHeld(workspace, now.id, ({ run }) => run === now.id || run.startsWith(`${now.id}.`));
    if (workspace.open.of(now.id).size > 0) workspace.cascades.set(now.id, true);
    return;
  }
  if (was !== undefined && now.execution !== was.execution) {
    withdrawHeld(workspace, now.id, ({ run, execution }) => run !== now.id && execution !== now.execution);
  }
  if (now.state.type === 'RUNNING') workspace.cascades.delete(now.id);
}

/** What the calls of a fenced execution hold is given back at once; their own ends, or next attempts, follow. */
function releaseUnder(workspace: Workspace, flow: RunId): void {
  for (const id of workspace.open.of(flow)) {
    const run = workspace.runs.get(id);
    if (run === undefined) continue;
    dropTimers(workspace, run);
    if (run.slots.length > 0) {
      giveAndTake(workspace, run.slots, NO_SLOTS);
      workspace.runs.set(id, { ...run, slots: NO_SLOTS });
    }
    if (run.kind === 'flow') releaseUnder(workspace, run.id);
  }
}

/** Whose silence would be the end of this run. A run that waits for its retry is still in its process's hands. */
function followSession(workspace: Workspace, was: Run | undefined, now: Run): void {
  const before = was === undefined || isTerminal(was.state) ? undefined : was.session;
  const after = isTerminal(now.state) ? undefined : now.session;
  if (before === after) return;
  if (before !== undefined) workspace.executing.remove(before, now.id);
  if (after !== undefined) workspace.executing.add(after, now.id);
}

/** A crashed run can be resumed by whoever starts the same flow again; one that ended otherwise cannot. */
function rememberIdentity(workspace: Workspace, was: Run | undefined, { identity, state, id }: Run): void {
  if (identity === undefined) return;
  const known = workspace.identities.get(identity);
  const unfinished = !isTerminal(state) || state.type === 'CRASHED';
  // The newest one stays: what happens to an older one does not bring it back.
  if (unfinished && (was === undefined || known === undefined)) workspace.identities.set(identity, id);
  else if (!unfinished && known === id) workspace.identities.delete(identity);
}
