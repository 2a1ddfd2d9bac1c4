/**
 * The fold: applies one entry of the ledger to a workspace. It asks no rule: what was ruled is read, never judged again.
 *
 * E1 Deterministic and total on any entry that an arbiter wrote: an entry has happened, so it is never refused.
 * E2 Everything that must change together changes here, with the ruling: state, slots, timers, held proposals, the
 *    asker's record. There is no clean-up elsewhere.
 */
import { sha256, type Segment } from '../../protocol/segment.ts';
import { later, type Digest, type ProposalId, type RunId } from '../../protocol/ids.ts';
import {
  ENGINE,
  mailboxOf,
  proposalId,
  sessionOf,
  type PolicySet,
  type TransitionProposal,
  type VariableSet,
  type WorkspaceEvent,
} from '../../protocol/proposals.ts';
import {
  decidingEntry,
  stateAfter,
  type Entry,
  type EpochEntry,
  type Position,
  type RejectCode,
  type Ruling,
} from '../../protocol/rulings.ts';
import { isTerminal } from '../../protocol/states.ts';
import { noteMade } from './calls.ts';
import { forgetHeld, parkHeld, withdrawSession } from './evolve-held.ts';
import { moveRun } from './evolve-run.ts';
import { forgetOwed } from './hooks-owed.ts';
import { limitsAfter } from './limits.ts';
import { deliver, dropUnclaimed, emit, occasionOf, type Occasion } from './mailboxes.ts';
import { timerKey, type Run, type Session, type Variable, type Workspace } from './workspace.ts';

const EPOCHS_REMEMBERED = 2;

/** Applies a counted segment as it is stored at `seq`. */
export function evolveSegment(workspace: Workspace, segment: Segment, seq: number): void {
  segment.lines.forEach((line, index) => {
    evolve(workspace, JSON.parse(line) as Entry, line, { seq, index });
  });
  sealSegment(workspace, segment.header, { seq, hash: segment.hash });
  // Whoever folds what is stored wakes nobody. A new incarnation looks at everything, so this would only grow.
  workspace.forgetTouched();
}

/** What a segment says of itself, folded after its entries. */
export function sealSegment(
  workspace: Workspace,
  header: Pick<Segment['header'], 'epoch' | 'writer' | 'position' | 'effects'>,
  head: { readonly seq: number; readonly hash: Digest },
): void {
  const { epoch, writer, position, effects } = header;
  workspace.meta = { ...workspace.meta, epoch, writer, position, effects, head };
  forgetOwed(workspace, effects);
}

/** Applies one entry; `line` are its stored bytes, `at` its place. */
export function evolve(workspace: Workspace, entry: Entry, line: string, at: Position): void {
  switch (entry.type) {
    case 'RULING':
      evolveRuling(workspace, entry, line, at);
      break;
    case 'EPOCH':
      evolveEpoch(workspace, entry, at);
      break;
    case 'CLOCK_STEPPED':
      break;
  }
  workspace.meta = { ...workspace.meta, timeMs: entry.atMs };
}

function evolveEpoch(workspace: Workspace, entry: EpochEntry, at: Position): void {
  const { meta } = workspace;
  const { epoch, policy, atMs, set } = entry;
  const endedAt = [entry.endedAt, ...meta.endedAt].slice(0, EPOCHS_REMEMBERED);
  workspace.meta = { ...meta, epoch, endedAt };
  const event: PolicySet = set ?? { type: 'POLICY_SET', policy, core: true };
  if (set !== undefined || !meta.isSet) setPolicy(workspace, event, { by: ENGINE, atMs, at });
}

/** Whatever is ruled after it is ruled by it. */
function setPolicy(workspace: Workspace, { policy, core, from }: PolicySet, { by, atMs, at }: Occasion): void {
  const { meta } = workspace;
  workspace.meta = { ...meta, policy, isSet: core !== true };
  if (policy === meta.policy && meta.isSet === (core !== true)) return;
  workspace.policies.set(`${String(at.seq)}/${String(at.index)}`, {
    policy,
    core: core === true,
    ...(from === undefined ? {} : { from }),
    by,
    atMs,
    at,
  });
}

function evolveRuling(workspace: Workspace, ruling: Ruling, line: string, at: Position): void {
  const { meta } = workspace;
  workspace.meta = { ...meta, rulings: meta.rulings + 1 };
  workspace.dropExpired(ruling.atMs);
  dropUnclaimed(workspace, ruling.atMs);
  rememberAsker(workspace, ruling, at);
  const { proposal } = ruling;
  if (proposal.by === ENGINE) ringOut(workspace, ruling);
  if (proposal.by === ENGINE && proposal.id.startsWith('evict/') && proposal.kind !== 'workspace') {
    workspace.evictions.delete(proposal.run);
  }
  if (ruling.heldAt !== undefined) forgetHeld(workspace, proposal.id);
  if (proposal.kind === 'workspace') {
    if (ruling.outcome !== 'rejected') evolveEvent(workspace, proposal.event, occasionOf(ruling, at));
    return;
  }
  const hash = sha256(line);
  const state = stateAfter(ruling);
  if (state !== undefined) {
    moveRun(workspace, { ruling, proposal, state, hash, at });
    noteMade(workspace, { proposal, trail: ruling.trail });
    const { carries } = proposal;
    // A rule that made something else of it took what it carries with it.
    if (carries !== undefined && ruling.outcome === 'accepted') evolveEvent(workspace, carries, occasionOf(ruling, at));
    return;
  }
  const run = workspace.runs.get(proposal.run);
  if (run !== undefined) workspace.runs.set(run.id, { ...run, line: hash, last: at, ...askedAgain(run, proposal) });
  noteMade(workspace, { proposal, trail: ruling.trail });
  if (ruling.outcome === 'held' && ruling.waits !== undefined) parkHeld(workspace, proposal, ruling, ruling.waits, at);
}

/** Whoever asks for a run of its own that is there already waits for its end. */
function askedAgain(run: Run, { id, create }: TransitionProposal): Partial<Pick<Run, 'askers'>> {
  const session = sessionOf(id)?.session;
  const isNew = create !== undefined && run.parent === undefined && !isTerminal(run.state);
  if (!isNew || session === undefined || session === run.creator || run.askers?.includes(session) === true) return {};
  return { askers: [...(run.askers ?? []), session].slice(-ASKERS_MAX) };
}

const ASKERS_MAX = 8;

/**
 * A timer that rang leaves by the ruling on what the clock proposed; if a rule refused that, it rings again later, for
 * nobody else would ask. Sessions have any name.
 */
function ringOut(workspace: Workspace, { proposal: { id }, outcome, trail, atMs }: Ruling): void {
  if (!id.startsWith('clock/')) return;
  const [, run = '', version, name = ''] = id.split('/');
  const key = timerKey(run as RunId, name);
  const timer = workspace.timers.get(key);
  if (timer?.version !== Number(version)) return;
  const code = outcome === 'rejected' ? decidingEntry(trail)?.code : undefined;
  if (code === undefined || isPast(code)) {
    workspace.timers.delete(key);
    return;
  }
  const tries = (timer.tries ?? 0) + 1;
  const dueAtMs = later(atMs, Math.min(AGAIN_AFTER_MS * 2 ** (tries - 1), AGAIN_AT_MOST_MS));
  workspace.setTimer(key, { ...timer, dueAtMs, tries });
}

/** What the clock asked for is not wanted any more: the run has moved on. Refused otherwise, it is asked for again. */
const isPast = (code: RejectCode): boolean =>
  [
    'STALE',
    'DUPLICATE',
    'ALREADY_ENDED',
    'ALREADY_PENDING',
    'NOT_IN_LIFECYCLE',
    'NOT_SCHEDULED',
    'RESULT_KEPT',
  ].includes(code);

const AGAIN_AFTER_MS = 30_000;
const AGAIN_AT_MOST_MS = 3_600_000;

/** So that the same proposal, should it come again, is answered with this ruling. */
function rememberAsker(workspace: Workspace, { proposal, atMs }: Ruling, at: Position): void {
  const asker = sessionOf(proposal.id);
  if (asker === undefined) {
    return;
  }
  const known = workspace.sessions.get(asker.session);
  if (known === undefined && asker.counter > 0) return; // SESSION_EXPIRED: nothing is kept of it.
  if (known !== undefined && known.user !== proposal.by) return; // It is not this user's session.
  const session = known ?? { user: proposal.by, low: 0, next: 0, lastMs: atMs };
  const low = Math.max(session.low, Math.min(proposal.done ?? 0, asker.counter));
  forgetAnswers(workspace, asker.session, session, low);
  const next = Math.max(session.next, asker.counter + 1);
  workspace.sessions.set(asker.session, { ...session, low, next, lastMs: atMs });
  if (asker.counter >= low) workspace.answered.set(proposal.id, at);
}

/** Those with counters below `until`. Counters are the client's: they may be far apart, so it is not them that are gone through. */
function forgetAnswers(workspace: Workspace, name: string, { low }: Session, until: number): void {
  if (until - low <= workspace.answered.size) {
    for (let counter = low; counter < until; counter += 1) workspace.answered.delete(proposalId(name, counter));
    return;
  }
  for (const [id] of [...workspace.answered.entries()]) {
    const asker = sessionOf(id as ProposalId);
    if (asker?.session === name && asker.counter < until) workspace.answered.delete(id);
  }
}

function evolveEvent(workspace: Workspace, event: WorkspaceEvent, occasion: Occasion): void {
  switch (event.type) {
    case 'LIMIT_SET':
      for (const [key, row] of limitsAfter(workspace.limits, event, occasion.atMs)) {
        if (row === undefined) workspace.limits.delete(key);
        else workspace.limits.set(key, row);
      }
      touchLimit(workspace, event.limit);
      break;
    case 'LIMIT_REMOVED': {
      const used = workspace.limits.get(event.limit)?.used ?? 0;
      if (used === 0) workspace.limits.delete(event.limit);
      else workspace.limits.set(event.limit, { used });
      touchLimit(workspace, event.limit);
      break;
    }
    case 'SESSION_CLOSED':
      closeSession(workspace, event.session);
      break;
    case 'POLICY_SET':
      setPolicy(workspace, event, occasion);
      break;
    case 'MESSAGE_SENT':
      deliver(workspace, mailboxOf(event.to, event.name), event, occasion);
      break;
    case 'EVENT_EMITTED':
      emit(workspace, event, occasion);
      break;
    case 'VARIABLE_SET':
      workspace.variables.set(event.name, variableOf(event, occasion));
      break;
    case 'VARIABLE_REMOVED':
      workspace.variables.delete(event.name);
      break;
    // What people look at afterwards is kept by the views alone.
    case 'ARTIFACT_MADE':
    case 'HOOK_RAN':
    case 'UNREADABLE':
      break;
  }
}

const variableOf = ({ value, tags }: VariableSet, { by, atMs }: Pick<Occasion, 'by' | 'atMs'>): Variable => ({
  value,
  ...(tags === undefined || tags.length === 0 ? {} : { tags }),
  by,
  atMs,
});

/** What changes a limit changes it for all its keys. */
function touchLimit(workspace: Workspace, limit: string): void {
  workspace.touched.limits.add(limit);
  for (const [key] of workspace.queues.entries()) if (key.startsWith(`${limit}[`)) workspace.touched.limits.add(key);
}

function closeSession(workspace: Workspace, name: string): void {
  const session = workspace.sessions.get(name);
  if (session === undefined) return;
  withdrawSession(workspace, name);
  forgetAnswers(workspace, name, session, session.next);
  workspace.sessions.delete(name);
}
