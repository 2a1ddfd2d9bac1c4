/**
 * From a proposal to a ruling. Pure: reads the workspace, asks the rules, returns what is to be recorded.
 *
 * D1 It never throws and never changes the workspace: evolve does, from the ruling alone.
 * D2 What is not to be judged at all (expired session, stale epoch, poison, an unknown run) is a rejection with the
 *    arbiter as the rule, so that it stands on the ledger like any other.
 */
import { freeze } from 'immer';
import { LIMITS } from '../../protocol/limits.ts';
import {
  mailboxOf,
  mailboxParts,
  parentId,
  rootOf,
  sessionOf,
  type Proposal,
  type Receives,
  type TransitionProposal,
  type WorkspaceEvent,
} from '../../protocol/proposals.ts';
import type { Position, RejectCode, Ruling, Selection } from '../../protocol/rulings.ts';
import { isTerminal, type State } from '../../protocol/states.ts';
import { judge, type Court, type Verdict } from '../../rules/judge.ts';
import type { RunKind, Transition } from '../../rules/rule.ts';
import { isOver } from '../fold/mailboxes.ts';
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
  { to, report, claim, by, onBehalfOf, reason, force, redoFrom }: TransitionProposal,
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
    ...(redoFrom === undefined ? {} : { redo: true as const }),
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
  const isFull = variableProblem(workspace, proposal.kind === 'workspace' ? proposal.event : proposal.carries);
  if (isFull !== undefined) return isFull;
  if (proposal.kind === 'workspace') {
    if (proposal.event.type === 'UNREADABLE') return { code: 'MALFORMED', why: proposal.event.problem };
    return messageProblem(workspace, proposal.event);
  }
  return (
    familyProblem(workspace, proposal) ??
    deedProblem(workspace, proposal) ??
    redoProblem(workspace, proposal) ??
    carriedProblem(workspace, proposal)
  );
}

/** What a call asks of another run it asks while it is at work, and once: its process may have died before it heard so. */
function deedProblem({ runs }: Workspace, { run, deedOf }: TransitionProposal): Refusal | undefined {
  if (deedOf === undefined) return undefined;
  const call = runs.get(deedOf);
  if (call?.kind !== 'task' || call.parent === undefined || deedOf === run) {
    return { code: 'MALFORMED', why: `${deedOf} is no call of a flow run that could ask for it` };
  }
  if (call.acted === true) return { code: 'DUPLICATE', why: `call ${deedOf} has done so before` };
  return call.state.type === 'RUNNING'
    ? undefined
    : { code: 'FENCED', why: `call ${deedOf} is ${call.state.type}, and asks for nothing` };
}

/** A run that has ended is begun again from one of its calls on. What is out of date, the rules say. */
function redoProblem(
  workspace: Workspace,
  { run: id, to, redoFrom, basedOn }: TransitionProposal,
): Refusal | undefined {
  const run = workspace.runs.get(id);
  if (redoFrom === undefined || run === undefined || (basedOn !== undefined && basedOn !== run.version))
    return undefined;
  if (!isTerminal(run.state) || run.kind !== 'flow' || (to.type !== 'SCHEDULED' && to.type !== 'RUNNING')) {
    return { code: 'MALFORMED', why: 'only a flow run that has ended goes on from one of its calls' };
  }
  const isCall = redoFrom.startsWith(`${id}.`) && workspace.runs.get(redoFrom) !== undefined;
  return isCall ? undefined : { code: 'RUN_UNKNOWN', why: `it has made no call ${redoFrom}` };
}

/** Of a run that has ended, its end is what has to be said. */
function carriedProblem(workspace: Workspace, { carries, run, to }: TransitionProposal): Refusal | undefined {
  if (carries === undefined || isTerminal(workspace.runs.get(run)?.state)) return undefined;
  if (!isTerminal(to)) return { code: 'MALFORMED', why: 'only an end carries something, because it happens once' };
  return messageProblem(workspace, carries);
}

/** Whoever is to get a message is there, and its mailbox has room. */
function messageProblem(workspace: Workspace, event: WorkspaceEvent): Refusal | undefined {
  if (event.type !== 'MESSAGE_SENT') return undefined;
  const { to, name } = event;
  const run = workspace.runs.get(to);
  if (run === undefined) return { code: 'RUN_UNKNOWN', why: `there is no run ${to} to receive it` };
  if (run.kind === 'task') return { code: 'MALFORMED', why: `${to} is a task run, which receives nothing` };
  const over = [run, workspace.runs.get(rootOf(to)) ?? run].find(({ state }) => isOver(state));
  if (over !== undefined) {
    return { code: 'ALREADY_ENDED', why: `the flow run ${over.id} is ${over.state.type}, and receives nothing more` };
  }
  const mail = workspace.mailboxes.get(mailboxOf(to, name));
  if (mail === undefined) {
    const mailboxes = workspace.mailboxesUnder.of(rootOf(to)).size;
    const why = `the run has ${String(mailboxes)} mailboxes that it has not emptied`;
    return mailboxes < LIMITS.mailboxesMax ? undefined : { code: 'MAILBOX_FULL', why };
  }
  const waiting = mail.length;
  if (waiting < LIMITS.mailboxMessagesMax) return undefined;
  return { code: 'MAILBOX_FULL', why: `the run has ${String(waiting)} messages '${name}' that it has not received` };
}

/** They are all in memory, and nobody removes them but who set them. */
function variableProblem({ variables }: Workspace, event: WorkspaceEvent | undefined): Refusal | undefined {
  if (event?.type !== 'VARIABLE_SET' || variables.size < LIMITS.variablesMax) return undefined;
  if (variables.get(event.name) !== undefined) return undefined;
  return { code: 'VARIABLES_FULL', why: `the workspace has ${String(LIMITS.variablesMax)} variables already` };
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
  if (create.receives !== undefined && !mayReceive(create.receives, proposal)) {
    return { code: 'MALFORMED', why: 'only a call of a flow run receives, and only what is sent to that flow run' };
  }
  if (parent === '') return undefined;
  const flow = workspace.runs.get(parent);
  if (flow === undefined) return { code: 'RUN_UNKNOWN', why: `its flow run ${parent} is unknown` };
  // A task's end has no consequences for others: what it called would stay behind for ever.
  return flow.kind === 'flow' ? undefined : { code: 'MALFORMED', why: `${parent} is a task run, which calls nothing` };
}

/** A mailbox goes with the flow run at the top that it belongs to. */
const mayReceive = (receives: Receives, { kind, run }: TransitionProposal): boolean =>
  kind === 'task' &&
  parentId(run) !== '' &&
  (receives.type === 'EVENT' ||
    (mailboxParts(receives.mailbox).kind !== 'event' && rootOf(mailboxParts(receives.mailbox).run) === rootOf(run)));
