/**
 * A run that moves: the part of the fold in which a ruling takes effect on a run and on all that hangs on it.
 */
import { later, type Digest, type EpochMs, type RunId } from '../../protocol/ids.ts';
import {
  ENGINE,
  ownLimitSlots,
  rootOf,
  sessionOf,
  type SlotWish,
  type TransitionProposal,
} from '../../protocol/proposals.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import { DEFAULT_NAMES, isTerminal, type State } from '../../protocol/states.ts';
import { beginsRound, markRedone, noteDeed, noteOwed } from './calls.ts';
import { isStartHeld, noteOvertaken, withdrawHeld } from './evolve-held.ts';
import { oweHook } from './hooks-owed.ts';
import { rememberIdentity } from './identities.ts';
import { slotsKept } from './limits.ts';
import {
  deliverInput,
  followCall,
  followCrash,
  forgetMail,
  hasReceived,
  isOver,
  isWord,
  occasionOf,
  takeMessages,
  wakeIfServed,
} from './mailboxes.ts';
import { limitKey, timerKey, type Run, type Workspace } from './workspace.ts';

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
  const slots = newSlots(workspace, before, state, ruling);
  giveAndTake(workspace, before.slots, slots);
  const moved = advance(workspace, before, move, slots);
  workspace.runs.set(moved.id, moved);
  if (proposal.redoFrom !== undefined && isReopened(was) && !isTerminal(state)) {
    markRedone(workspace, moved.id, proposal.redoFrom);
  }
  noteDeed(workspace, proposal.deedOf, state);
  noteOwed(workspace, moved);
  if (!holdsSlots(state)) workspace.evictions.delete(moved.id);
  takeTimers(workspace, moved, ruling);
  takeMessages(workspace, ruling);
  deliverInput(workspace, before, { state, proposal, occasion: occasionOf(ruling, move.at) });
  // Before what its calls wait for is withdrawn.
  wakeIfServed(workspace, moved, ruling.atMs);
  keepResult(workspace, moved, ruling);
  followFamily(workspace, was, moved);
  followCrash(workspace, moved, ruling.atMs);
  oweHook(workspace, was, moved, move.at);
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
    created: at,
    expectedMs: state.type === 'SCHEDULED' ? state.dueAtMs : ruling.atMs,
    runMs: 0,
    ...(asker === undefined || definition.parent !== undefined ? {} : { creator: asker.session }),
  };
}

const holdsSlots = ({ type }: State): boolean => type === 'PENDING' || type === 'RUNNING' || type === 'CANCELLING';

/** A run keeps its slots while a process may be at work on it. Of a rate limit it holds none: those come back by time. */
function newSlots(workspace: Workspace, before: Run, state: State, ruling: Ruling): readonly SlotWish[] {
  if (state.type === 'CANCELLING') return before.slots;
  if (!holdsSlots(state)) return NO_SLOTS;
  const claimed = ruling.claims?.find((claim) => claim.type === 'SLOTS')?.slots ?? NO_SLOTS;
  const held = claimed.filter((wish) => {
    const limit = workspace.limitOf(wish);
    if (limit?.everyMs !== undefined) takeRate(workspace, wish, limit.everyMs, ruling.atMs);
    // What is not bounded is not counted: it could not be given back.
    return limit !== undefined && limit.everyMs === undefined;
  });
  return held.length === 0 ? NO_SLOTS : held;
}

const NO_SLOTS: readonly SlotWish[] = [];

function takeRate(workspace: Workspace, wish: SlotWish, everyMs: number, atMs: EpochMs): void {
  const key = limitKey(wish);
  const row = workspace.limits.get(key) ?? { used: 0 };
  const emptyAtMs = (Math.max(atMs, row.emptyAtMs ?? 0) + wish.slots * everyMs) as EpochMs;
  workspace.limits.set(key, { ...row, emptyAtMs });
}

function giveAndTake(workspace: Workspace, given: readonly SlotWish[], taken: readonly SlotWish[]): void {
  if (given === taken) return;
  for (const wish of given) changeUsed(workspace, wish, -wish.slots);
  for (const wish of taken) changeUsed(workspace, wish, wish.slots);
}

function changeUsed(workspace: Workspace, wish: SlotWish, by: number): void {
  const name = limitKey(wish);
  const isSet = ownLimitSlots(wish.limit) !== undefined || workspace.limits.get(wish.limit) !== undefined;
  const limit = workspace.limits.get(name) ?? (isSet ? { used: 0 } : undefined);
  if (limit === undefined) return;
  const used = limit.used + by;
  const isNeeded = limit.slotsMax !== undefined || limit.emptyAtMs !== undefined;
  if (used === 0 && !isNeeded) workspace.limits.delete(name);
  else workspace.limits.set(name, { ...limit, used });
  if (by < 0) workspace.touched.limits.add(name);
  else noteOvertaken(workspace, wish, 0);
}

function advance(workspace: Workspace, before: Run, move: Move, slots: readonly SlotWish[]): Run {
  const { ruling, proposal, state, hash, at } = move;
  const wasRunning = before.state.type === 'RUNNING';
  const base: Run = {
    ...before,
    version: ruling.version,
    state,
    sinceMs: ruling.atMs,
    slots,
    line: hash,
    last: at,
    runMs: before.runMs + (wasRunning ? ruling.atMs - before.sinceMs : 0),
  };
  // A reuse: the run stays as it ended, and when it did.
  if (isReuse(before, move)) return { ...base, sinceMs: before.sinceMs };
  if (state.type === 'RUNNING') return entered(workspace, base, before, ruling, proposal);
  if (isTerminal(state)) return { ...ended(base, before, move), ...receivedIn(workspace, before, move) };
  return paused(waiting(base, before, move), before, move);
}

/** A rule answered with the end that the run has. */
const isReuse = (before: Run, { ruling, state, proposal }: Move): boolean =>
  ruling.outcome === 'rewritten' &&
  proposal.to.type === 'RUNNING' &&
  before.endedMs !== undefined &&
  state.type === before.state.type &&
  state.name === before.state.name &&
  !hasReceived(ruling);

/** Of a call that waits and never runs: where it was answered is where it ran. */
function receivedIn(workspace: Workspace, { id, parent }: Run, { ruling }: Move): Pick<Run, 'ran'> {
  const flow = parent === undefined || !hasReceived(ruling) ? undefined : workspace.runs.get(parent);
  const execution = workspace.runs.get(rootOf(id))?.execution ?? 0;
  return flow === undefined ? {} : { ran: { execution, round: flow.round } };
}

function ended(base: Run, before: Run, { ruling, state, proposal, at }: Move): Run {
  const { resuming: _, ...over } = base;
  return {
    ...over,
    ...(beginsRound(state) && isUnderWay(before) ? { round: before.round + 1 } : {}),
    endedMs: hasReceived(ruling) ? ruling.atMs : (before.endedMs ?? ruling.atMs),
    startedMs: before.startedMs ?? ruling.atMs,
    end: at,
    ...(fences(before, proposal, state) ? { execution: before.execution + 1 } : {}),
  };
}

/** It goes on later: after a retry's delay, in another process, or because somebody opened it again. */
function waiting(base: Run, before: Run, { ruling, proposal, state }: Move): Run {
  const again = state.type === 'SCHEDULED' && ruling.outcome === 'rewritten';
  const fenced = fences(before, proposal, state);
  const resumes = again && proposal.to.type === 'CRASHED';
  const retries = again && !resumes && isUnderWay(before);
  const { session, endedMs: _, end: __, pauses, ...open } = base;
  const keepsPauses = pauses !== undefined && !retries && !isTerminal(before.state);
  return {
    ...open,
    ...(session === undefined || fenced ? {} : { session }),
    ...(keepsPauses ? { pauses } : {}),
    ...(isTerminal(before.state) && before.kind === 'task' ? anew(before) : {}),
    ...waitsAnew(before, proposal),
    ...(resumes ? { resumes: before.resumes + 1 } : {}),
    ...(retries ? { retriesUsed: before.retriesUsed + 1, round: before.round + 1 } : {}),
    ...(fenced ? { execution: before.execution + 1 } : {}),
  };
}

/** A call that has ended and is asked to wait again (for a time, for a message) waits for what it now says. */
function waitsAnew(before: Run, { create }: TransitionProposal): Pick<Run, 'receives' | 'parameters'> {
  if (create === undefined || before.kind !== 'task' || before.parent === undefined || !hasOutcome(before)) return {};
  const { receives, parameters } = create;
  return {
    ...(before.receives === undefined || receives === undefined ? {} : { receives }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

/** A task run that goes on after an end has all its retries again. */
const anew = (before: Run): Pick<Run, 'retriesUsed' | 'attemptsBefore' | 'generation'> => ({
  retriesUsed: 0,
  attemptsBefore: before.attempt,
  ...(hasOutcome(before) ? { generation: (before.generation ?? 0) + 1 } : {}),
});

const hasOutcome = ({ state }: Run): boolean => state.type === 'COMPLETED' || state.type === 'FAILED';

function paused(run: Run, before: Run, { state, proposal }: Move): Run {
  if (state.type === 'PAUSED') {
    const { pauses = [] } = run;
    const { key } = state;
    return key === undefined || pauses.includes(key) ? run : { ...run, pauses: [...pauses, key] };
  }
  if (before.state.type !== 'PAUSED' || state.type === 'CANCELLING') return run;
  const pauses = firedPauses(before, proposal);
  return { ...run, ...(pauses === undefined || run.pauses === undefined ? {} : { pauses }), resuming: true };
}

/** Without the word of somebody the pause that it was in is still to come. */
function firedPauses({ state, pauses }: Run, proposal: TransitionProposal): readonly string[] | undefined {
  if (state.type !== 'PAUSED' || isWord(proposal)) return pauses;
  return pauses?.filter((fired) => fired !== state.key);
}

const isUnderWay = ({ state }: Run): boolean => state.type === 'RUNNING' || state.type === 'PAUSED';

/**
 * The run is taken from its process, which may still be at work: it died, as far as is known, the engine ended the run
 * when its grace was over, it was suspended, or opened again. What that process says from now on is void.
 */
const fences = (before: Run, { to, by }: TransitionProposal, state: State): boolean =>
  before.parent === undefined &&
  before.execution > 0 &&
  (to.type === 'CRASHED' ||
    (by === ENGINE && to.type === 'CANCELLED') ||
    (state.type === 'PAUSED' && state.suspended === true) ||
    (isTerminal(before.state) && !isTerminal(state)));

function entered(workspace: Workspace, base: Run, before: Run, ruling: Ruling, proposal: TransitionProposal): Run {
  const { endedMs: _, end: __, resuming, pauses: ___, acted, ...open } = base;
  const pauses = firedPauses(before, proposal);
  const parent = before.parent === undefined ? undefined : workspace.runs.get(before.parent);
  const execution = workspace.runs.get(rootOf(before.id))?.execution ?? 0;
  const asker = sessionOf(proposal.id);
  const wasEnded = isTerminal(before.state);
  const isAnew = wasEnded && before.kind === 'task';
  // A paused flow run goes on with the attempt that it was in; a task that stopped begins anew.
  const isResumed = before.kind === 'flow' && (resuming === true || before.state.type === 'PAUSED');
  return {
    ...open,
    attempt: before.attempt + (isResumed ? 0 : 1),
    ...(isAnew ? anew(before) : {}),
    ...(acted === undefined || hasOutcome(before) ? {} : { acted }),
    ...(pauses === undefined || wasEnded ? {} : { pauses }),
    startedMs: before.startedMs ?? ruling.atMs,
    ...(parent === undefined ? {} : { ran: { execution, round: parent.round } }),
    // What was recorded of it is not used again, and that goes for its inputs: its key may stand for others now.
    ...(before.ran?.redo === true && proposal.create?.call !== undefined ? { call: proposal.create.call } : {}),
    ...(ruling.execution === undefined ? {} : { execution: ruling.execution }),
    ...(ruling.execution === undefined || asker === undefined ? {} : { session: asker.session }),
  };
}

/** What a rule keeps of the result for equal calls. */
function keepResult(workspace: Workspace, run: Run, ruling: Ruling): void {
  for (const claim of ruling.claims ?? []) {
    if (claim.type !== 'CACHE' || run.state.type !== 'COMPLETED') continue;
    const { key, expiresAtMs } = claim;
    const { result } = run.state;
    workspace.cache.set(key, {
      run: run.id,
      atMs: ruling.atMs,
      ...(result === undefined ? {} : { result }),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    });
  }
}

/** A dispatched run that no worker claimed for this long is dispatched again under a new version. */
const CLAIM_WITHIN_MS = 60_000;

/** A scheduled run that has not begun to start so long after it was due is late (Prefect 3 has the same default). */
const LATE_AFTER_MS = 15_000;

function dropTimers(workspace: Workspace, run: Run): void {
  if (run.timeoutMs !== undefined) workspace.timers.delete(timerKey(run.id, 'timeout'));
  if (run.state.type === 'CANCELLING') workspace.timers.delete(timerKey(run.id, 'grace'));
  if (run.state.type === 'PAUSED') {
    for (const timer of ['pause', 'wake']) workspace.timers.delete(timerKey(run.id, timer));
  }
  if (run.work === undefined) return;
  for (const timer of ['start', 'late', 'claim']) workspace.timers.delete(timerKey(run.id, timer));
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
    const { dueAtMs, name } = state;
    if (!isStartHeld(workspace, id))
      workspace.setTimer(timerKey(id, 'start'), { dueAtMs, run: id, timer: 'start', version });
    if (name === DEFAULT_NAMES.SCHEDULED) {
      const lateAtMs = later(dueAtMs, LATE_AFTER_MS);
      workspace.setTimer(timerKey(id, 'late'), { dueAtMs: lateAtMs, run: id, timer: 'late', version });
    }
  }
  if (state.type === 'PENDING') {
    const dueAtMs = later(ruling.atMs, CLAIM_WITHIN_MS);
    workspace.setTimer(timerKey(id, 'claim'), { dueAtMs, run: id, timer: 'claim', version });
  }
}

/** What its flow run, its calls and its held proposals have to do with it. */
function followFamily(workspace: Workspace, was: Run | undefined, now: Run): void {
  const ended = isTerminal(now.state);
  followCall(workspace, now);
  if (now.parent !== undefined) {
    if (ended) workspace.open.remove(now.parent, now.id);
    else workspace.open.add(now.parent, now.id);
    if (workspace.cascades.get(now.parent) !== undefined && workspace.open.of(now.parent).size === 0) {
      workspace.cascades.delete(now.parent);
    }
  }
  if (now.parent === undefined) followSession(workspace, was, now);
  else if (now.kind === 'task') return;
  workspace.touched.flows.add(now.id);
  rememberIdentity(workspace, was, now);
  if (was !== undefined && now.execution > was.execution) releaseUnder(workspace, now.id, now.state);
  if (ended) {
    withdrawHeld(workspace, now.id, ({ run }) => run === now.id || run.startsWith(`${now.id}.`));
    if (isOver(now.state)) forgetMail(workspace, now.id);
    if (workspace.open.of(now.id).size > 0) workspace.cascades.set(now.id, true);
    return;
  }
  if (was !== undefined && now.execution !== was.execution) {
    withdrawHeld(workspace, now.id, ({ run, execution }) => run !== now.id && execution !== now.execution);
  }
  if (now.state.type === 'RUNNING' || isReopened(was)) workspace.cascades.delete(now.id);
}

const isReopened = (was: Run | undefined): boolean => was !== undefined && isTerminal(was.state);

/** What the calls of a fenced execution hold is given back at once; their own ends, or next attempts, follow. */
function releaseUnder(workspace: Workspace, flow: RunId, state: State): void {
  for (const id of workspace.open.of(flow)) {
    const run = workspace.runs.get(id);
    if (run === undefined) continue;
    // What is being cancelled still has to end in its grace.
    if (run.state.type !== 'CANCELLING') dropTimers(workspace, run);
    const kept = slotsKept(run.slots, state);
    if (run.slots.length > kept.length) {
      giveAndTake(workspace, run.slots, kept);
      workspace.runs.set(id, { ...run, slots: kept });
    }
    if (run.kind === 'flow') releaseUnder(workspace, run.id, state);
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
