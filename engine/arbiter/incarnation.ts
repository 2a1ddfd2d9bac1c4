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
import type { ProposalId, RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Answer, Order } from '../../protocol/messages.ts';
import { ENGINE, rootOf, sessionOf, type Proposal } from '../../protocol/proposals.ts';
import { decodeEntry, decodeSegment } from '../../protocol/segment.ts';
import type { Position } from '../../protocol/rulings.ts';
import type { Court } from '../../rules/judge.ts';
import type { Workspace } from '../fold/workspace.ts';
import type { AppendOutcome, Follower, Log, StoredMessage } from '../log/port.ts';
import { decide, type Context } from './decide.ts';
import { Docket, type Matter } from './docket.ts';
import { readBatch } from './door.ts';
import { effectsOf, recordedAnswerOf, type Effect } from './effects.ts';
import type { LedgerClock } from './ledger-clock.ts';
import type { Liveness } from './liveness.ts';
import type { Counters } from './counters.ts';
import type { Chance, Outbox } from './ports.ts';
import type { Scheduler } from './scheduler.ts';
import { Scribe, type Settled } from './scribe.ts';
import { SessionWatch } from './sessions.ts';
import { TimerWatch } from './timers.ts';

export type IncarnationOptions = {
  readonly workspace: Workspace;
  readonly ledger: Log;
  readonly proposals: Log;
  readonly outbox: Outbox;
  readonly court: Court;
  /** The first 16 digits of the policy's digest. */
  readonly policy: string;
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
  readonly judging: (at: Position | undefined) => void;
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
  /** Dispatches that are not stored yet, by the sequence of their ruling. */
  readonly #dispatching = new Map<number, number>();
  #follower: Follower | undefined;
  /** Where the reading of PROPOSALS stopped, while too many wait to be heard. */
  #full: number | undefined;
  #ticking = false;
  #cancelAlarm: (() => void) | undefined;
  #over = false;
  readonly #poison: Position | undefined;
  readonly #sessions = new SessionWatch();

  constructor(options: IncarnationOptions) {
    this.#options = options;
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
    this.#poison = poisoned(workspace.meta.endedAt);
    this.#timers.reset(workspace);
  }

  get settledSeq(): number {
    return this.#settledSeq;
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
      if (from !== undefined && !this.#isPoison(matter)) this.#options.judging({ seq: from.seq, index: from.index });
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
    const ruling = decide(workspace, proposal, this.#context(), {
      ...(heldAt === undefined ? {} : { heldAt }),
      ...(this.#isPoison(matter) ? { refuse: POISON } : {}),
    });
    const at = this.#scribe.write(ruling);
    counters.count(ruling);
    this.#scribe.then(effectsOf(workspace, before, ruling, at));
    if (ruling.outcome === 'rejected' && proposal.id.startsWith('cascade/') && proposal.kind !== 'workspace') {
      this.#docket.refuseEnd(proposal.run);
    }
    this.#docket.notice();
  }

  #isPoison({ from }: Matter): boolean {
    return from !== undefined && from.seq === this.#poison?.seq && from.index === this.#poison.index;
  }

  #context(): Context {
    const { clock, chance, court, policy, epoch, graceMs } = this.#options;
    return { nowMs: clock.nowMs(), chance: () => chance.unit(), court, policy, epoch, graceMs };
  }

  #publish(): void {
    this.#scribe.publish(this.#position, this.#effectsDone());
  }

  /** Effects are done up to just before the oldest dispatch that is not stored yet. */
  #effectsDone(): number {
    const oldest = Math.min(...this.#dispatching.keys());
    return Number.isFinite(oldest) ? oldest - 1 : this.#settledSeq;
  }

  #settled(segment: Settled<Effect>): void {
    this.#settledSeq = segment.seq;
    this.#settledPosition = segment.position;
    this.#options.settled(segment);
    this.#carryOut(segment);
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
      else this.#dispatch(effect, seq);
    }
    for (const [session, message] of told) outbox.answer(session, { v: 1, epoch, ...message });
    entries.forEach((entry, index) => {
      if (entry.type === 'RULING') outbox.ruled(entry, lines[index] ?? '', { seq, index });
    });
  }

  #dispatch({ dispatch }: Extract<Effect, { type: 'DISPATCH' }>, seq: number): void {
    this.#dispatching.set(seq, (this.#dispatching.get(seq) ?? 0) + 1);
    void this.#options.outbox.dispatch(dispatch).then(
      () => {
        const left = (this.#dispatching.get(seq) ?? 1) - 1;
        if (left === 0) this.#dispatching.delete(seq);
        else this.#dispatching.set(seq, left);
      },
      () => undefined, // It stays above `effects`; the claim timer dispatches the run again.
    );
  }

  #failed(outcome: AppendOutcome): void {
    const detail = outcome.type === 'UNKNOWN' ? outcome.detail : 'another writer was there first';
    if (outcome.type === 'UNKNOWN') this.#options.counters.unknownFates += 1;
    this.end(`an append to the ledger is ${outcome.type}: ${detail}`);
  }

  /** Looks at who is silent; called every `liveness.intervalMs`. */
  lookAtLiveness(): void {
    const { workspace, liveness, monotonicMs, gone } = this.#options;
    const nowMs = monotonicMs();
    const sessions = [...workspace.executing.keys()];
    const dead = new Set(liveness.dead(sessions, nowMs));
    for (const session of sessions) {
      const beat = liveness.of(session, nowMs);
      const ended = (beat?.silentMs ?? SILENT_MS) < SILENT_MS ? undefined : gone?.(session);
      if (ended === undefined && !dead.has(session)) continue;
      const message = ended === undefined ? silence(beat) : `its ${ended} has ended`;
      for (const id of workspace.executing.of(session)) this.#crash(id as RunId, message);
    }
    this.#wake();
  }

  #crash(id: RunId, message: string): void {
    const run = this.#options.workspace.runs.get(id);
    if (run === undefined) return;
    this.#docket.addOwn({
      id: `liveness/${id}/${String(run.version)}` as ProposalId,
      kind: 'flow',
      run: id,
      by: ENGINE,
      onBehalfOf: 'liveness',
      epoch: this.#options.epoch,
      basedOn: run.version,
      to: { type: 'CRASHED', name: 'Crashed', message },
    });
  }

  /** Closes sessions that were silent for longer than PROPOSALS keeps a proposal. */
  closeSilentSessions(silentMs: number): void {
    const { workspace, clock, epoch } = this.#options;
    const at = { nowMs: clock.nowMs(), silentMs, epoch };
    for (const closing of this.#sessions.closings(workspace, at)) this.#docket.addOwn(closing);
    this.#wake();
  }
}

/** Whose last beat is younger is asked no further. */
const SILENT_MS = 2000;

function silence(beat: ReturnType<Liveness['of']>): string {
  if (beat === undefined) return 'its process was not heard since this engine began';
  const { pid, host } = beat.heartbeat;
  return `its process ${String(pid)} on ${host} is silent for ${String(Math.round(beat.silentMs))} ms`;
}

const POISON = { code: 'POISON', why: 'two arbiters in a row ended while they judged it' } as const;

function poisoned([last, before]: readonly (Position | undefined)[]): Position | undefined {
  return last !== undefined && last.seq === before?.seq && last.index === before.index ? last : undefined;
}
