/**
 * An active arbiter, from its epoch segment to the first doubt about the ledger. Owns the loop of the tick: hear, write,
 * settle, answer. arbiter.ts owns what comes before and after.
 *
 * A1 Nothing is answered, and no effect happens, before the ruling is settled.
 * A2 The position moves only over batches of which every proposal is ruled on (or was, before).
 * A3 A proposal that was ruled on is answered from the record, never judged again.
 * A4 What a session asks is ruled on in the order of its counters. One that comes while an earlier one is missing is
 *    passed over: its asker publishes both again, in order. So nothing rests on what was lost on its way.
 */
import type { ProposalId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Answer, Order } from '../../protocol/messages.ts';
import { ENGINE, rootOf, sessionOf, type PolicySet, type Proposal } from '../../protocol/proposals.ts';
import { decodeEntry, decodeSegment } from '../../protocol/segment.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Workspace } from '../fold/workspace.ts';
import type { PolicyInForce } from './policy-in-force.ts';
import type { AppendOutcome, Follower, Log, StoredMessage } from '../log/port.ts';
import { decide, type Context } from './decide.ts';
import { crashesOf, crashesWith } from './deaths.ts';
import { Dispatches } from './dispatches.ts';
import { Docket, type Matter } from './docket.ts';
import { readBatch } from './door.ts';
import { effectsOf, recordedAnswerOf, type Dispatch, type Effect } from './effects.ts';
import type { LedgerClock } from './ledger-clock.ts';
import type { Liveness } from './liveness.ts';
import type { Counters } from './counters.ts';
import type { Chance, Outbox } from './ports.ts';
import type { Scheduler } from './scheduler.ts';
import { Scribe, type Settled } from './scribe.ts';
import { SessionWatch } from './sessions.ts';
import { TimerWatch } from './timers.ts';
import { Unjudged, type Endless } from './unjudged.ts';

export type IncarnationOptions = {
  readonly workspace: Workspace;
  readonly ledger: Log;
  readonly proposals: Log;
  readonly outbox: Outbox;
  readonly policy: PolicyInForce;
  readonly clock: LedgerClock;
  readonly monotonicMs: () => number;
  readonly chance: Chance;
  readonly scheduler: Scheduler;
  readonly liveness: Liveness;
  /** Names the process of a session that is known to have ended. */
  readonly gone?: (session: string) => string | undefined;
  readonly counters: Counters;
  readonly graceMs: number;
  readonly epoch: number;
  readonly writer: string;
  /** The ledger's last sequence: the epoch segment's own. */
  readonly last: number;
  readonly inFlightMax?: number;
  /** Notes which proposal is being judged, for the case that this process does not survive it. */
  readonly judging: (at: Position | undefined, proposal?: string) => void;
  /** What a predecessor in this place was asking when it was ended. */
  readonly endless?: Endless;
  readonly settled: (segment: Settled<Effect>) => void;
  readonly ended: (reason: string) => void;
};

export class Incarnation {
  readonly #options: IncarnationOptions;
  readonly #scribe: Scribe<Effect>;
  readonly #timers = new TimerWatch();
  readonly #docket: Docket;
  #position: { readonly seq: number; readonly id: string };
  #settledSeq: number;
  #settledPosition: number;
  readonly #dispatches: Dispatches;
  #follower: Follower | undefined;
  /** Where the reading of PROPOSALS stopped, while too many wait to be heard. */
  #full: number | undefined;
  #ticking = false;
  #cancelAlarm: (() => void) | undefined;
  #over = false;
  /** When this segment is settled, another epoch begins. */
  #renewAt: number | undefined;
  #policiesProposed = 0;
  readonly #unjudged: Unjudged;
  readonly #sessions = new SessionWatch();

  constructor(options: IncarnationOptions) {
    this.#options = options;
    this.#dispatches = new Dispatches(options.outbox);
    const { workspace, ledger, epoch, writer, last } = options;
    this.#scribe = new Scribe<Effect>({
      workspace,
      ledger,
      epoch,
      writer,
      last,
      ...(options.inFlightMax === undefined ? {} : { inFlightMax: options.inFlightMax }),
      settled: (segment) => {
        this.#settled(segment);
      },
      failed: (outcome) => {
        this.#failed(outcome);
      },
    });
    this.#docket = new Docket(workspace, this.#timers, epoch);
    this.#position = workspace.meta.position;
    this.#settledSeq = last;
    this.#settledPosition = this.#position.seq;
    this.#unjudged = new Unjudged(workspace.meta.endedAt, options.endless, options.policy);
    this.#timers.reset(workspace);
  }

  get settledSeq(): number {
    return this.#settledSeq;
  }

  /** The last sequence that the server has. */
  async ledgerEnd(): Promise<number> {
    return (await this.#options.ledger.bounds()).last;
  }

  /** Of what stands in PROPOSALS before it, nothing is needed any more. */
  get settledPosition(): number {
    return this.#settledPosition;
  }

  get position(): { readonly seq: number; readonly id: string } {
    return this.#position;
  }

  /** Everything that was ruled is settled: the workspace is the settled state. */
  get isQuiet(): boolean {
    return this.#scribe.inFlight === 0 && !this.#scribe.hasEntries;
  }

  async start(from: number): Promise<void> {
    this.#docket.notice();
    await this.#read(from);
    this.#wake();
  }

  async #read(from: number): Promise<void> {
    const follower = await this.#options.proposals.follow(from, (message) => {
      this.#take(message);
    });
    if (this.#over) follower.stop();
    else this.#follower = follower;
  }

  /** Ends it from outside; what is not settled is undone. */
  end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#follower?.stop();
    this.#cancelAlarm?.();
    this.#options.counters.abandoned.push(this.#scribe.abandon());
    this.#options.workspace.touched.timers.clear();
    this.#options.ended(reason);
  }

  #take(message: StoredMessage): void {
    if (this.#over || this.#full !== undefined) return;
    this.#docket.add(readBatch(message));
    this.#wake();
    if (this.#docket.waiting < LIMITS.arbiterQueueMax) return;
    this.#full = message.seq;
    this.#follower?.stop();
  }

  /** Goes on reading where it stopped because too much was waiting. */
  #readOn(): void {
    if (this.#full === undefined || this.#docket.waiting > LIMITS.arbiterQueueMax / 2) return;
    const from = this.#full + 1;
    this.#full = undefined;
    void this.#read(from).catch((error: unknown) => {
      this.end(`PROPOSALS cannot be read: ${String(error)}`);
    });
  }

  /** One tick after the events that are waiting now, so that all of them share a segment. */
  #wake(): void {
    if (this.#ticking || this.#over) return;
    this.#ticking = true;
    this.#options.scheduler.soon(() => {
      this.#ticking = false;
      if (!this.#over) this.#tick();
    });
  }

  #tick(): void {
    const { clock } = this.#options;
    this.#noticeStep();
    while (this.#scribe.hasRoom) {
      const matter = this.#docket.next(clock.nowMs());
      if (matter === undefined) break;
      this.#hear(matter);
      if (this.#scribe.isFull) this.#publish();
    }
    this.#options.judging(undefined);
    this.#readOn();
    if (this.#scribe.hasRoom) this.#publish();
    this.#arm();
  }

  #noticeStep(): void {
    const wallMs = this.#options.clock.stepped();
    if (wallMs === undefined) return;
    this.#scribe.write({ type: 'CLOCK_STEPPED', atMs: this.#options.clock.nowMs(), wallMs });
  }

  /** Goes on when there is more to do, or wakes for the next timer. */
  #arm(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = undefined;
    if (!this.#scribe.hasRoom) return; // A settled segment wakes the loop.
    const nowMs = this.#options.clock.nowMs();
    if (this.#docket.hasMore(nowMs)) {
      this.#wake();
      return;
    }
    const dueMs = this.#timers.nextMs();
    if (dueMs === undefined) return;
    this.#cancelAlarm = this.#options.scheduler.after(Math.max(0, dueMs - nowMs), () => {
      this.#wake();
    });
  }

  #hear(matter: Matter): void {
    const { proposal, from, heldAt } = matter;
    if (from !== undefined) this.#sessions.hear(proposal, this.#options.clock.nowMs());
    if (from === undefined || !(this.#isKnown(proposal) || this.#isEarly(proposal))) {
      if (!this.#unjudged.isKnown(matter)) {
        this.#options.judging(from === undefined ? undefined : { seq: from.seq, index: from.index }, proposal.id);
      }
      this.#rule(matter, heldAt);
    }
    if (from?.isLast === true) this.#position = { seq: from.seq, id: from.id };
  }

  /** Ruled on before: settled answers come from the record, the others are on their way. */
  #isKnown({ id, by }: Proposal): boolean {
    const { workspace, counters } = this.#options;
    const asker = sessionOf(id);
    if (asker === undefined) return false;
    const session = workspace.sessions.get(asker.session);
    if (session?.user !== by) return false;
    if (asker.counter < session.low) return true;
    const at = workspace.answered.get(id);
    if (at === undefined) return false;
    counters.answeredFromRecord += 1;
    if (at.seq <= this.#settledSeq) void this.#answerFromRecord(asker.session, at);
    return true;
  }

  /** A4. A session that is not open yet is told so instead. */
  #isEarly({ id, by }: Proposal): boolean {
    const asker = sessionOf(id);
    if (asker === undefined) return false;
    const session = this.#options.workspace.sessions.get(asker.session);
    // After a restored backup, what a session has the answers to may be missing here: nobody will ask it again.
    return session?.user === by && asker.counter > Math.max(session.next, this.#sessions.doneOf(asker.session));
  }

  async #answerFromRecord(session: string, at: Position): Promise<void> {
    const { ledger, workspace, outbox, epoch } = this.#options;
    const stored = await ledger.get(at.seq).catch(() => undefined);
    if (stored === undefined || this.#over) return;
    const decoded = decodeSegment(stored.bytes);
    const line = decoded.ok ? decoded.segment.lines[at.index] : undefined;
    if (line === undefined) return;
    const entry = decodeEntry(line);
    if (entry.type !== 'RULING') return;
    // The answer tells the run as it now is (A1): if that is not settled yet, the asker will ask again.
    const about = entry.proposal.kind === 'workspace' ? [] : [entry.proposal.run, rootOf(entry.proposal.run)];
    if (about.some((id) => (workspace.runs.get(id)?.last.seq ?? 0) > this.#settledSeq)) return;
    outbox.answer(session, { v: 1, epoch, answers: [recordedAnswerOf(workspace, entry, at)], orders: [] });
  }

  #rule(matter: Matter, heldAt: Position | undefined): void {
    const { workspace, counters } = this.#options;
    const { proposal } = matter;
    const before = proposal.kind === 'workspace' ? undefined : workspace.runs.get(proposal.run);
    const special = {
      ...(heldAt === undefined ? {} : { heldAt }),
      ...this.#unjudged.of(matter),
    };
    const ruling = counters.times.of(() => decide(workspace, proposal, this.#context(proposal), special));
    const at = this.#scribe.write(ruling);
    counters.count(ruling);
    this.#scribe.then(effectsOf(workspace, before, ruling, at));
    if (ruling.outcome === 'rejected' && proposal.id.startsWith('cascade/') && proposal.kind !== 'workspace') {
      this.#docket.refuseEnd(proposal.run);
    }
    for (const crash of crashesWith(workspace, before, ruling, this.#options.epoch)) this.#docket.addOwn(crash);
    this.#docket.notice();
    if (proposal.kind === 'workspace' && proposal.event.type === 'POLICY_SET' && ruling.outcome === 'accepted') {
      this.#putInForce(proposal.event, at);
    }
  }

  /** From here on. Where values are used before they are ruled on, everybody is to hear of it: by a new epoch. */
  #putInForce(event: PolicySet, at: Position): void {
    const { policy } = this.#options;
    const { completesEarly } = policy.now;
    const next = policy.of(event);
    if (next === undefined || next === policy.now) return;
    policy.put(next);
    if (next.completesEarly !== completesEarly) this.#renewAt = at.seq;
    this.#docket.hearHeldAgain();
  }

  #context(proposal: Proposal): Context {
    const { clock, chance, epoch, graceMs, workspace } = this.#options;
    const { court, policy, selection } = this.#options.policy.judging(workspace, proposal);
    const timed = this.#options.counters.times.watch(court);
    return { nowMs: clock.nowMs(), chance: () => chance.unit(), court: timed, policy, selection, epoch, graceMs };
  }

  #publish(): void {
    this.#scribe.publish(this.#position, this.#dispatches.doneUntil(this.#settledSeq));
  }

  #settled(segment: Settled<Effect>): void {
    this.#settledSeq = segment.seq;
    this.#settledPosition = segment.position;
    this.#options.settled(segment);
    this.#carryOut(segment);
    if (this.#renewAt !== undefined && segment.seq >= this.#renewAt) {
      this.end('the policy in force changes what may be used before it is ruled on');
    }
    this.#wake();
  }

  #carryOut({ effects, entries, lines, seq }: Settled<Effect>): void {
    const { outbox, epoch } = this.#options;
    const told = new Map<string, { answers: Answer[]; orders: Order[] }>();
    const of = (session: string): { answers: Answer[]; orders: Order[] } => {
      let message = told.get(session);
      if (message === undefined) told.set(session, (message = { answers: [], orders: [] }));
      return message;
    };
    for (const effect of effects) {
      if (effect.type === 'ANSWER') of(effect.session).answers.push(effect.answer);
      else if (effect.type === 'ORDER') of(effect.session).orders.push(effect.order);
      else this.dispatch(effect.dispatch, seq);
    }
    for (const [session, message] of told) outbox.answer(session, { v: 1, epoch, ...message });
    entries.forEach((entry, index) => {
      if (entry.type === 'RULING') outbox.ruled(entry, lines[index] ?? '', { seq, index });
    });
  }

  /** `seq` is the segment of the ruling that it follows from. */
  dispatch(dispatch: Dispatch, seq: number): void {
    this.#dispatches.add(dispatch, seq);
  }

  #failed(outcome: AppendOutcome): void {
    const detail = outcome.type === 'UNKNOWN' ? outcome.detail : 'another writer was there first';
    if (outcome.type === 'UNKNOWN') this.#options.counters.unknownFates += 1;
    this.end(`an append to the ledger is ${outcome.type}: ${detail}`);
  }

  /** Looks at who is silent, and gives again what was not taken; called every `liveness.intervalMs`. */
  lookAtLiveness(): void {
    this.ruleDead();
    this.#dispatches.giveAgain();
  }

  ruleDead(): void {
    const { workspace, liveness, monotonicMs, gone, epoch } = this.#options;
    for (const crash of crashesOf(workspace, liveness, { nowMs: monotonicMs(), epoch, gone }))
      this.#docket.addOwn(crash);
    this.#wake();
  }

  /** Proposes, in the name of whoever runs this engine, that a policy be put in force. */
  proposePolicy(event: PolicySet, onBehalfOf: string): void {
    const { epoch } = this.#options;
    const id = `policy/${event.policy}/${String(epoch)}/${String(this.#policiesProposed)}` as ProposalId;
    this.#policiesProposed += 1;
    this.#docket.addOwn({ kind: 'workspace', id, by: ENGINE, onBehalfOf, epoch, event });
    this.#wake();
  }

  /** Closes sessions that were silent for longer than PROPOSALS keeps a proposal. */
  closeSilentSessions(silentMs: number): void {
    const { workspace, clock, epoch } = this.#options;
    const at = { nowMs: clock.nowMs(), silentMs, epoch };
    for (const closing of this.#sessions.closings(workspace, at)) this.#docket.addOwn(closing);
    this.#wake();
  }
}
