/**
 * What is to be heard next, and up to where PROPOSALS has been.
 *
 * Order: what was set free (a slot, a moved flow run), what is due, what follows from an end, then what clients ask, in
 * the order of the stream. The engine's own come first because they are few and others wait for them.
 */
import type { ProposalId } from '../../protocol/ids.ts';
import { ENGINE, type Proposal, type TransitionProposal } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import type { Run, Timer, Workspace } from '../fold/workspace.ts';
import type { BatchRead } from './door.ts';
import { clockProposal, type TimerWatch } from './timers.ts';
import { touchAll, wakeable } from './wake.ts';
import type { EpochMs } from '../../protocol/ids.ts';
import type { Position } from '../../protocol/rulings.ts';

export type Matter = {
  readonly proposal: Proposal;
  readonly heldAt?: Position;
  /** Of a client's proposal: its place in PROPOSALS. */
  readonly from?: { readonly seq: number; readonly index: number; readonly id: string; readonly isLast: boolean };
};

export class Docket {
  readonly #workspace: Workspace;
  readonly #timers: TimerWatch;
  readonly #epoch: number;
  /** Client proposals: consumed from the front by an index, so that a long queue costs no shifting. */
  #queue: Matter[] = [];
  #next = 0;
  #own: Proposal[] = [];
  #woken: ProposalId[] = [];
  /** Ends that the rules refused; asked once in an incarnation. */
  readonly #refusedEnds = new Set<string>();

  constructor(workspace: Workspace, timers: TimerWatch, epoch: number) {
    this.#workspace = workspace;
    this.#timers = timers;
    this.#epoch = epoch;
    touchAll(workspace);
  }

  get waiting(): number {
    return this.#queue.length - this.#next;
  }

  add(batch: BatchRead): void {
    const { seq, id, proposals } = batch;
    proposals.forEach((proposal, index) => {
      this.#queue.push({ proposal, from: { seq, index, id, isLast: index === proposals.length - 1 } });
    });
  }

  addOwn(proposal: Proposal): void {
    this.#own.push(proposal);
  }

  /** What waits for a time or a slot may not have to wait under another policy, or for something else. */
  hearHeldAgain(): void {
    touchAll(this.#workspace);
    for (const [id] of this.#workspace.held.entries()) this.#woken.push(id as ProposalId);
  }

  /** Takes in what the last ruling set free and which timers it set. */
  notice(): void {
    this.#timers.notice(this.#workspace);
    const { limits, overtaken, flows, mailboxes } = this.#workspace.touched;
    if (limits.size + overtaken.size + flows.size + mailboxes.size > 0) this.#woken.push(...wakeable(this.#workspace));
  }

  next(nowMs: EpochMs): Matter | undefined {
    return (
      this.#nextWoken() ??
      this.#nextDue(nowMs) ??
      this.#nextEnd() ??
      this.#nextEviction() ??
      this.#nextOwn() ??
      this.#nextAsked()
    );
  }

  hasMore(nowMs: EpochMs): boolean {
    const due = this.#timers.nextMs();
    return (
      this.#woken.length > 0 ||
      this.#own.length > 0 ||
      this.waiting > 0 ||
      (due !== undefined && due <= nowMs) ||
      this.#openEnds().next().done === false ||
      this.#workspace.evictions.size > 0
    );
  }

  refuseEnd(run: string): void {
    this.#refusedEnds.add(run);
  }

  #nextWoken(): Matter | undefined {
    for (let id = this.#woken.shift(); id !== undefined; id = this.#woken.shift()) {
      const matter = this.#heldMatter(id);
      if (matter !== undefined) return matter;
    }
    return undefined;
  }

  #heldMatter(id: ProposalId): Matter | undefined {
    const held = this.#workspace.held.get(id);
    return held === undefined ? undefined : { proposal: held.proposal, heldAt: held.at };
  }

  #nextDue(nowMs: EpochMs): Matter | undefined {
    for (;;) {
      const timer = this.#timers.due(this.#workspace, nowMs);
      if (timer === undefined) return undefined;
      const matter = this.#timerMatter(timer);
      if (matter !== undefined) return matter;
    }
  }

  #timerMatter(timer: Timer): Matter | undefined {
    if (timer.proposal !== undefined) return this.#heldMatter(timer.proposal);
    const proposal = clockProposal(timer, this.#epoch, this.#workspace);
    return proposal === undefined ? undefined : { proposal };
  }

  #nextEnd(): Matter | undefined {
    const found = this.#openEnds().next();
    return found.done === true ? undefined : { proposal: found.value };
  }

  /** The calls of ended flow runs that have not ended, one proposal each. */
  *#openEnds(): Generator<TransitionProposal, undefined> {
    for (const [flow] of this.#workspace.cascades.entries()) {
      const parent = this.#workspace.runs.get(flow);
      if (parent === undefined) continue;
      for (const id of this.#workspace.open.of(flow)) {
        const run = this.#workspace.runs.get(id);
        if (run === undefined || this.#refusedEnds.has(id)) continue;
        // What waits is heard again when its wait is over.
        if (this.#workspace.held.get(endId(run)) !== undefined) continue;
        yield {
          id: endId(run),
          kind: run.kind,
          run: run.id,
          by: ENGINE,
          onBehalfOf: 'cascade',
          epoch: this.#epoch,
          basedOn: run.version,
          to: endOf(parent.state),
        };
      }
    }
    return undefined;
  }

  #nextEviction(): Matter | undefined {
    for (const [id] of this.#workspace.evictions.entries()) {
      const run = this.#workspace.runs.get(id);
      if (run === undefined) continue;
      const proposal: TransitionProposal = {
        id: `evict/${id}/${String(run.version)}` as ProposalId,
        kind: run.kind,
        run: run.id,
        by: ENGINE,
        onBehalfOf: 'limit',
        epoch: this.#epoch,
        basedOn: run.version,
        to: EVICTED,
      };
      return { proposal };
    }
    return undefined;
  }

  #nextOwn(): Matter | undefined {
    const proposal = this.#own.shift();
    return proposal === undefined ? undefined : { proposal };
  }

  #nextAsked(): Matter | undefined {
    const matter = this.#queue[this.#next];
    if (matter === undefined) return undefined;
    this.#next += 1;
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
    return matter;
  }
}

/** What is said to a run whose slots others need. */
const EVICTED: State = { type: 'CANCELLING', name: 'Cancelling', message: 'others need its slots' };

const endId = ({ id, version }: Run): ProposalId => `cascade/${id}/${String(version)}` as ProposalId;

/** How a call ends whose flow run ended before it. */
function endOf(parent: State): State {
  const message = `its flow run ended as ${parent.name} before it`;
  return parent.type === 'CRASHED'
    ? { type: 'CRASHED', name: 'Crashed', message }
    : { type: 'CANCELLED', name: 'Cancelled', message };
}
