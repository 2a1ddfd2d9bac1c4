/**
 * From a proposal to a ruling. Pure: reads the workspace, asks the rules, returns what is to be recorded.
 *
 * D1 It never throws and never changes the workspace: evolve does, from the ruling alone.
 * D2 What is not to be judged at all (expired session, stale epoch, poison, an unknown run) is a rejection with the
 *    arbiter as the rule, so that it stands on the ledger like any other.
 */
import { freeze } from 'immer';
import { parentId, sessionOf, type Proposal, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Position, RejectCode, Ruling, Selection } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { judge, type Court, type Verdict } from '../../rules/judge.ts';
import type { RunKind, Transition } from '../../rules/rule.ts';
import type { Run, Workspace } from '../fold/workspace.ts';
import { gather, type Circumstances } from './facts.ts';

export type Context = Circumstances & {
  readonly court: Court;
  /** The first 16 digits of the policy's digest. */
  readonly policy: string;
  /** The part of the policy that the court is of. */
  readonly selection?: Selection | undefined;
  readonly epoch: number;
};

export type Special = {
  /** The ruling that held it, when it is judged again. */
  readonly heldAt?: Position;
  /** Why it is not to be judged. */
  readonly refuse?: {
    readonly code: RejectCode;
    readonly why: string;
    /** The rule on whose account it is not judged again, and what is to be said of it. */
    readonly rule?: { readonly name: string; readonly why: string };
  };
};

export function decide(workspace: Workspace, proposal: Proposal, context: Context, special: Special = {}): Ruling {
  const refusal = special.refuse ?? refusalOf(workspace, proposal, context, special.heldAt !== undefined);
  if (refusal !== undefined) return refused(workspace, proposal, context, refusal, special);
  if (proposal.kind === 'workspace') return { ...base(proposal, context, special), outcome: 'accepted' };
  return judged(workspace, proposal, context, special);
}

function judged(workspace: Workspace, proposal: TransitionProposal, context: Context, special: Special): Ruling {
  const run = workspace.runs.get(proposal.run);
  const kind = kindOf(run ?? proposal.create);
  let drawn: number | undefined;
  const circumstances: Circumstances = { ...context, chance: () => (drawn ??= context.chance()) };
  const facts: Record<string, unknown> = {};
  // Frozen: a rule that changes what it is given throws, and harms neither the fold nor the rules after it.
  const verdict = judge(context.court, freeze(transitionOf(proposal, run?.state, kind), true), (needs) =>
    freeze(gather({ workspace, proposal, run, circumstances }, needs, facts), true),
  );
  const isRoot = kind === 'flow' || kind === 'background';
  const moves = verdict.outcome === 'accepted' || verdict.outcome === 'rewritten';
  const mints = moves && verdict.to.type === 'RUNNING' && proposal.claim === true && isRoot;
  return {
    ...base(proposal, context, special),
    ...(context.selection === undefined ? {} : { selection: context.selection }),
    ...ruledBy(verdict),
    facts,
    version: (run?.version ?? 0) + (moves ? 1 : 0),
    ...(mints ? { execution: (run?.execution ?? 0) + 1 } : {}),
    ...(run === undefined ? {} : { prev: run.line }),
  };
}

/** What the rules are asked about. */
export function transitionOf(
  { to, report, claim, by, onBehalfOf, reason, force }: TransitionProposal,
  from: State | undefined,
  kind: RunKind,
): Transition {
  return {
    kind,
    from,
    to,
    report: report === true,
    claim: claim === true,
    by,
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(reason === undefined ? {} : { reason }),
    ...(force === undefined ? {} : { forced: force }),
  };
}

/** The part of a ruling that is the rules'. */
export function ruledBy({
  outcome,
  trail,
  to,
  waits,
  claims,
  shadow,
  overrides,
}: Verdict): Pick<Ruling, 'outcome' | 'trail' | 'state' | 'waits' | 'claims' | 'shadow' | 'overrides'> {
  return {
    outcome,
    trail,
    ...(outcome === 'rewritten' ? { state: to } : {}),
    ...(waits === undefined ? {} : { waits }),
    ...(claims.length === 0 ? {} : { claims }),
    ...(shadow === undefined ? {} : { shadow }),
    ...(overrides === undefined ? {} : { overrides }),
  };
}

/** An unknown run is what the proposal says that it is. */
export function kindOf(run: Pick<Run, 'kind' | 'parent'> | undefined): RunKind {
  if (run === undefined) return 'task';
  if (run.kind === 'task') return run.parent === undefined ? 'background' : 'task';
  return run.parent === undefined ? 'flow' : 'subflow';
}

function base(proposal: Proposal, context: Context, special: Special): Omit<Ruling, 'outcome'> {
  return {
    type: 'RULING',
    atMs: context.nowMs,
    proposal,
    policy: context.policy,
    trail: [],
    facts: {},
    version: 0,
    ...(special.heldAt === undefined ? {} : { heldAt: special.heldAt }),
  };
}

type Refusal = NonNullable<Special['refuse']>;

function refused(
  workspace: Workspace,
  proposal: Proposal,
  context: Context,
  { code, why, rule }: Refusal,
  special: Special,
): Ruling {
  const run = proposal.kind === 'workspace' ? undefined : workspace.runs.get(proposal.run);
  return {
    ...base(proposal, context, special),
    outcome: 'rejected',
    trail: [
      { rule: 'arbiter', opinion: 'reject', why, code },
      ...(rule === undefined ? [] : [{ rule: rule.name, opinion: 'error', why: rule.why, code } as const]),
    ],
    version: run?.version ?? 0,
    ...(run === undefined ? {} : { prev: run.line }),
  };
}

/** What the engine itself asked for and was held outlives the epoch in which it was asked. */
function refusalOf(workspace: Workspace, proposal: Proposal, { epoch }: Context, isHeld: boolean): Refusal | undefined {
  if (proposal.epoch !== undefined && proposal.epoch !== epoch && !isHeld) {
    return {
      code: 'STALE_EPOCH',
      why: `it was made in epoch ${String(proposal.epoch)}, epoch ${String(epoch)} is current`,
    };
  }
  const asker = sessionOf(proposal.id);
  const session = asker === undefined ? undefined : workspace.sessions.get(asker.session);
  if (asker !== undefined && asker.counter > 0 && session === undefined) {
    return { code: 'SESSION_EXPIRED', why: 'its session is closed or unknown' };
  }
  if (session !== undefined && session.user !== proposal.by) {
    return { code: 'MALFORMED', why: `its session belongs to ${session.user}` };
  }
  if (proposal.kind === 'workspace') {
    return proposal.event.type === 'UNREADABLE' ? { code: 'MALFORMED', why: proposal.event.problem } : undefined;
  }
  return familyProblem(workspace, proposal);
}

/** A run must be known, or the proposal must say what it is, in words that agree with its id. */
function familyProblem(workspace: Workspace, proposal: TransitionProposal): Refusal | undefined {
  if (workspace.runs.get(proposal.run) !== undefined) return undefined;
  const { create, run, kind } = proposal;
  if (create === undefined)
    return { code: 'RUN_UNKNOWN', why: 'no such run, and the proposal does not say what it is' };
  const parent: string = parentId(run);
  const named: string = create.parent ?? '';
  if (create.kind !== kind || named !== parent) {
    return { code: 'MALFORMED', why: 'the definition of the run does not agree with its id and kind' };
  }
  if (kind === 'task' && parent === '' && create.work === undefined) {
    return { code: 'MALFORMED', why: 'a task run of its own is found by workers: it needs a pool and a queue' };
  }
  if (parent === '') return undefined;
  const flow = workspace.runs.get(parent);
  if (flow === undefined) return { code: 'RUN_UNKNOWN', why: `its flow run ${parent} is unknown` };
  // A task's end has no consequences for others: what it called would stay behind for ever.
  return flow.kind === 'flow' ? undefined : { code: 'MALFORMED', why: `${parent} is a task run, which calls nothing` };
}
