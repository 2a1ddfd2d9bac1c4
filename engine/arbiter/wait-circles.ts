/**
 * Whether a proposal that waited for slots would wait for itself: through runs that hold them and have calls that wait in
 * their turn. Pure reading of the workspace.
 *
 * C1 A flow run does not end, and gives nothing back, while one of its calls waits: it is taken to wait for each of them.
 *    A task run that runs waits for nobody.
 * C2 Found is only what nobody else could end: of each limit on the way, the slots that might yet be given back by others are
 *    too few. It is assumed of the asker that it waits for ever; who does so therefore is followed from there. If it is the
 *    asker again, the circle is closed.
 * C3 The search is bounded, and follows one cause at a time: it finds every circle of locks and of limits with one slot. Of
 *    one that needs several circles at once (each of several holders waits for another reason) it finds none, nor of one that
 *    is too large; then the wait is one like any other. Whoever asks under no slots, with nobody behind it, costs nothing.
 */
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { parentId, type SlotWish, type TransitionProposal } from '../../protocol/proposals.ts';
import type { SlotFact, WaitStep } from '../../rules/rule.ts';
import { limitKey, type Workspace } from '../fold/workspace.ts';
import { slotsOf } from './run-slots.ts';

/** Held proposals that one search looks at, unless it is told. */
const LOOKED_MAX = 1000;
const STEPS_MAX = 16;

/** The steps from the asker back to itself, the limit of the first being one of `asked`; undefined if there is no circle. */
export function circleOf(
  workspace: Workspace,
  proposal: TransitionProposal,
  asked: readonly AskedSlots[],
  lookedMax = LOOKED_MAX,
): readonly WaitStep[] | undefined {
  return new Search(workspace, proposal, { asked, lookedMax }).circle();
}

export type AskedSlots = Pick<SlotFact, 'limit' | 'by' | 'wanted' | 'ahead'>;
type Scope = { readonly asked: readonly AskedSlots[]; readonly lookedMax: number };

/** Why somebody waits for ever: for slots that `holder` keeps while `via` waits under it; without one, behind `via`. */
type Cause = { readonly wish: Pick<SlotWish, 'limit' | 'by'>; readonly holder?: RunId; readonly via: ProposalId };

/** Slots of a limit that are not given back, and the last that came to them. */
type Kept = { slots: number; cause: Cause };

class Search {
  readonly #workspace: Workspace;
  readonly #asker: TransitionProposal;
  readonly #asked: ReadonlyMap<string, AskedSlots>;
  readonly #lookedMax: number;
  readonly #causes = new Map<ProposalId, Cause>();
  readonly #kept = new Map<string, Kept>();
  readonly #runs = new Set<string>();
  /** From which place on all in a queue wait for ever. */
  readonly #from = new Map<string, number>();
  readonly #agenda: (() => void)[] = [];
  #looked = 0;
  #found: Cause | undefined;

  constructor(workspace: Workspace, asker: TransitionProposal, { asked, lookedMax }: Scope) {
    this.#workspace = workspace;
    this.#asker = asker;
    this.#lookedMax = lookedMax;
    this.#asked = new Map(asked.map((slot) => [limitKey(slot), slot]));
  }

  circle(): readonly WaitStep[] | undefined {
    if (this.#isEnding(this.#asker.run)) return undefined;
    this.#keepSlots(this.#asker);
    for (const [key, slot] of this.#asked) this.#blockBehind(key, slot, { at: slot.ahead, via: this.#asker.id });
    while (this.#found === undefined && this.#looked < this.#lookedMax) {
      const next = this.#agenda.shift();
      if (next === undefined) return undefined;
      next();
    }
    return this.#found === undefined ? undefined : this.#steps(this.#found);
  }

  /** C1. What the runs hold that do not end before this waits no more. */
  #keepSlots({ id: via, run }: Pick<TransitionProposal, 'id' | 'run'>): void {
    for (let id: string = run; id !== ''; id = parentId(id as RunId)) {
      if (this.#runs.has(id)) continue;
      const holder = this.#workspace.runs.get(id);
      // Somebody asks once more for what runs already: that waits for nobody.
      if (id === run && holder?.state.type === 'RUNNING') continue;
      this.#runs.add(id);
      for (const wish of holder?.slots ?? []) {
        const key = limitKey(wish);
        const slots = (this.#kept.get(key)?.slots ?? 0) + wish.slots;
        const cause: Cause = { wish, holder: id as RunId, via };
        this.#kept.set(key, { slots, cause });
        if (this.#neverFits(key, this.#asker.run, this.#asked.get(key)?.wanted)) this.#found ??= cause;
        this.#agenda.push(() => {
          this.#blockWaiting(key);
        });
      }
    }
  }

  /** Whether so much of the limit is kept that what this run wants of it never fits. */
  #neverFits(key: string, run: RunId, wanted: number | undefined): boolean {
    const kept = this.#kept.get(key);
    if (kept === undefined || wanted === undefined) return false;
    const { slotsMax = 0, everyMs, onFull } = this.#workspace.limitOf(kept.cause.wish) ?? {};
    // What is closed is opened by somebody; a rate comes back by time; whoever runs may be cancelled for who comes.
    if (slotsMax === 0 || everyMs !== undefined || onFull === 'cancel-running') return false;
    const own = this.#runs.has(run) ? this.#workspace.runs.get(run) : undefined;
    const others = kept.slots - (own === undefined ? 0 : slotsOf(own, key));
    return others > 0 && wanted + others > slotsMax;
  }

  /** The first in the queue that never fits; all behind it wait for it. */
  #blockWaiting(key: string): void {
    const queue = this.#workspace.queues.get(key) ?? [];
    const until = Math.min(this.#from.get(key) ?? queue.length, queue.length);
    for (let place = 0; place < until && this.#looked < this.#lookedMax; place += 1) {
      const id = queue[place];
      const cause = this.#kept.get(key)?.cause;
      if (id === undefined || cause === undefined || id === this.#asker.id) continue;
      this.#looked += 1;
      const { run, wanted } = this.#wishOf(id, key);
      if (!this.#neverFits(key, run, wanted)) continue;
      this.#block(id, cause);
      if (this.#causes.has(id)) return;
    }
  }

  #wishOf(id: ProposalId, key: string): { readonly run: RunId; readonly wanted: number } {
    const held = this.#workspace.held.get(id);
    const limits = held?.waits.type === 'SLOTS' ? held.waits.limits : [];
    const wanted = limits.find((wish) => limitKey(wish) === key)?.slots ?? 0;
    return { run: held?.proposal.run ?? this.#asker.run, wanted };
  }

  /** This one waits for ever: with what it and those above it hold, and before all that stand behind it. */
  #block(id: ProposalId, cause: Cause): void {
    const held = this.#workspace.held.get(id);
    if (held?.waits.type !== 'SLOTS' || this.#causes.has(id) || this.#isEnding(held.proposal.run)) return;
    this.#causes.set(id, cause);
    this.#keepSlots(held.proposal);
    for (const wish of held.waits.limits) {
      const key = limitKey(wish);
      const place = this.#workspace.queues.get(key)?.indexOf(id) ?? -1;
      if (place < 0 || place >= (this.#from.get(key) ?? Number.POSITIVE_INFINITY)) continue;
      if (place < (this.#asked.get(key)?.ahead ?? 0)) this.#found ??= { wish, via: id };
      this.#blockBehind(key, wish, { at: place + 1, via: id });
    }
  }

  /** It, or a flow run above it, is being cancelled: its wait is over with the grace at the latest. */
  #isEnding(run: RunId): boolean {
    for (let id: string = run; id !== ''; id = parentId(id as RunId)) {
      if (this.#workspace.runs.get(id)?.state.type === 'CANCELLING') return true;
    }
    return false;
  }

  #blockBehind(key: string, wish: Cause['wish'], { at, via }: { readonly at: number; readonly via: ProposalId }): void {
    const queue = this.#workspace.queues.get(key) ?? [];
    const until = Math.min(this.#from.get(key) ?? queue.length, queue.length);
    this.#from.set(key, Math.min(at, this.#from.get(key) ?? Number.POSITIVE_INFINITY));
    if (at >= until) return;
    this.#agenda.push(() => {
      for (const id of queue.slice(at, until)) {
        if (this.#found !== undefined || this.#looked >= this.#lookedMax) return;
        this.#looked += 1;
        if (id !== this.#asker.id) this.#block(id, { wish, via });
      }
    });
  }

  #steps(found: Cause): readonly WaitStep[] {
    const steps: WaitStep[] = [];
    let run = this.#asker.run;
    let cause: Cause | undefined = found;
    while (cause !== undefined && steps.length < STEPS_MAX) {
      const { wish, holder, via }: Cause = cause;
      const { limit, by } = wish;
      const next = this.#workspace.held.get(via)?.proposal.run ?? this.#asker.run;
      const step = { run, limit, ...(by === undefined ? {} : { by }) };
      steps.push(holder === undefined ? { ...step, behind: next } : { ...step, holder });
      run = next;
      cause = via === this.#asker.id ? undefined : this.#causes.get(via);
    }
    return steps;
  }
}
