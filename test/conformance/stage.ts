/**
 * The history that a case begins with: written as rulings and folded by the fold that the engine folds with, so that all
 * that hangs on a run (its process, its slots, its timers, its record of proposals) is as if it had happened.
 *
 * Owns the ledger of one case. What rules would have said of its beginnings is nobody's business here; from the case's
 * own proposal on, `judge` asks them.
 */
import { decide, type Context } from '../../engine/arbiter/decide.ts';
import { wakeable } from '../../engine/arbiter/wake.ts';
import { evolve } from '../../engine/fold/evolve.ts';
import { Workspace, type Run } from '../../engine/fold/workspace.ts';
import type { EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import { proposalId, type Proposal, type SlotWish, type TransitionProposal } from '../../protocol/proposals.ts';
import type { Claim, Position, Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Court } from '../../rules/judge.ts';
import { NOW } from './translate-state.ts';

/** The one user of all cases; sessions of his are the process, the worker and the operator. */
export const USER = 'user';

/** The process that a run is, or was, in the hands of. */
export const PROCESS = 'process';

const CHANCE = 0;
const GRACE_MS = 30_000;

/** How a run comes to be in a state, before the case begins. */
export type Entry = {
  readonly proposal: Omit<TransitionProposal, 'id' | 'by'> & { readonly id?: ProposalId };
  readonly atMs: EpochMs;
  /** A rule made this of what was asked for. */
  readonly rewritten?: State;
  readonly slots?: readonly SlotWish[];
  readonly claims?: readonly Claim[];
};

export class Stage {
  readonly workspace = new Workspace();
  #seq = 0;
  readonly #counters = new Map<string, number>();

  /** The next proposal id of a session; its first opens the session. */
  nextId(session: string): ProposalId {
    const counter = this.#counters.get(session) ?? 0;
    this.#counters.set(session, counter + 1);
    return proposalId(session, counter);
  }

  /** Something that happened before the case begins. */
  enter({ proposal, atMs, rewritten, slots = [], claims = [] }: Entry): void {
    const before = this.workspace.runs.get(proposal.run);
    const to = rewritten ?? proposal.to;
    const all: readonly Claim[] = slots.length === 0 ? claims : [...claims, { type: 'SLOTS', slots }];
    this.#record({
      type: 'RULING',
      outcome: rewritten === undefined ? 'accepted' : 'rewritten',
      atMs,
      proposal: { id: proposal.id ?? this.nextId(PROCESS), by: USER, ...proposal },
      policy: '',
      trail: [],
      facts: {},
      version: (before?.version ?? 0) + 1,
      ...(rewritten === undefined ? {} : { state: rewritten }),
      ...(all.length === 0 ? {} : { claims: all }),
      ...(to.type === 'RUNNING' && proposal.claim === true ? { execution: (before?.execution ?? 0) + 1 } : {}),
    });
  }

  /** A limit that an operator has set. */
  setLimit(limit: string, slotsMax: number, onFull: 'enqueue' | 'cancel-new'): void {
    this.#recordEvent({ type: 'LIMIT_SET', limit, slotsMax, onFull });
  }

  /** Counts and times that a case gives, and that no short history has. */
  amend(run: RunId, change: (row: Run) => Run): void {
    const row = this.workspace.runs.get(run);
    if (row !== undefined) this.workspace.runs.set(run, change(row));
  }

  /** Removes a run: with us, one that is in no state does not exist. */
  forget(run: RunId): void {
    this.workspace.runs.place(run, undefined);
  }

  /** Answered from the record, as the arbiter does with a proposal that it has ruled on (its rule A3). */
  isAnswered({ id }: Proposal): boolean {
    return this.workspace.answered.get(id) !== undefined;
  }

  /** Rules on a proposal and folds the ruling; then judges again whatever that set free. */
  judge(proposal: TransitionProposal, court: Court, nowMs: EpochMs = NOW): Ruling {
    const ruling = decide(this.workspace, proposal, this.#context(court, nowMs));
    this.#record(ruling);
    this.#judgeWoken(court, nowMs);
    return ruling;
  }

  /** A process that went away; nobody waits for its held proposals any more. */
  close(session: string): void {
    this.#recordEvent({ type: 'SESSION_CLOSED', session, silentSinceMs: NOW });
    this.#counters.delete(session);
  }

  #judgeWoken(court: Court, nowMs: EpochMs): void {
    for (const id of wakeable(this.workspace)) {
      const held = this.workspace.held.get(id);
      if (held === undefined) continue;
      this.#record(decide(this.workspace, held.proposal, this.#context(court, nowMs), { heldAt: held.at }));
    }
  }

  #context(court: Court, nowMs: EpochMs): Context {
    return { court, nowMs, chance: () => CHANCE, graceMs: GRACE_MS, policy: '', epoch: this.workspace.meta.epoch };
  }

  #recordEvent(event: Extract<Proposal, { kind: 'workspace' }>['event']): void {
    const proposal: Proposal = { id: this.nextId('operator'), kind: 'workspace', by: USER, event };
    this.#record({
      type: 'RULING',
      outcome: 'accepted',
      atMs: NOW,
      proposal,
      policy: '',
      trail: [],
      facts: {},
      version: 0,
    });
  }

  #record(ruling: Ruling): void {
    this.#seq += 1;
    const at: Position = { seq: this.#seq, index: 0 };
    evolve(this.workspace, ruling, JSON.stringify(ruling), at);
  }
}
