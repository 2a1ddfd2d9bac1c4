/**
 * The arbiter of one workspace over its whole life: catching up with the ledger, standing by, taking over, and beginning
 * again after every doubt. While it is active, incarnation.ts does the work.
 *
 * B1 It writes only after it has folded the ledger to its end, and only while its head still stands there.
 * B2 It takes over only when no other arbiter is heard; whether it may, the chain decides.
 * B3 After any doubt (an append that did not land as expected, a reconnect) it answers nobody until it has read again.
 */
import { AssentError } from '../../protocol/errors.ts';
import { idFrom } from '../../protocol/ids.ts';
import type { Heartbeat } from '../../protocol/messages.ts';
import type { PolicySet } from '../../protocol/proposals.ts';
import type { EpochEntry, Position } from '../../protocol/rulings.ts';
import { chainOver, stillStands, type Chain } from '../fold/chain.ts';
import { evolve, evolveSegment, sealSegment } from '../fold/evolve.ts';
import type { Journal } from '../fold/table.ts';
import { Workspace } from '../fold/workspace.ts';
import type { Log, StoredMessage } from '../log/port.ts';
import { Counters } from './counters.ts';
import { readBatch } from './door.ts';
import { undone } from './effects.ts';
import { epochOf, notTaken } from './epoch.ts';
import { Incarnation } from './incarnation.ts';
import { LedgerClock } from './ledger-clock.ts';
import { Liveness } from './liveness.ts';
import type { ArbiterParts } from './parts.ts';
import { PolicyInForce } from './policy-in-force.ts';
import { every } from './scheduler.ts';

export type ArbiterRole = 'STARTING' | 'STANDBY' | 'ACTIVE' | 'BROKEN' | 'STOPPED';

const BEAT_MS = 250;
const FLUSH_MS = 1000;
/** Each waits for its time-out of seconds. */
const UNANSWERED_MAX = 3;
const CLOSE_SESSIONS_MS = 60_000;
const MAKE_ROOM_MS = 2000;
const DEAF_MS = 4 * BEAT_MS;

export class Arbiter {
  readonly workspace: Workspace;
  readonly counters = new Counters();
  readonly liveness: Liveness;
  readonly #parts: ArbiterParts;
  #chain: Chain;
  #role: ArbiterRole = 'STARTING';
  #incarnation: Incarnation | undefined;
  readonly policy: PolicyInForce;
  #endedAt: Position | undefined;
  #isHeir: boolean;
  #rewound: EpochEntry['rewound'];
  #writer = '';
  #interrupt: (() => void) | undefined;
  #onRole: (role: ArbiterRole) => void = () => undefined;
  #done: Promise<void> | undefined;
  #flushedAtMs = 0;
  #unanswered = 0;
  #ledgerClock: LedgerClock | undefined;
  /** Reconnects so far: what was read before one is read again. */
  #doubts = 0;
  /** When a segment of another arbiter was last read: who writes lives, even if it has not beaten yet. */
  #rivalMs = -Infinity;

  constructor(parts: ArbiterParts) {
    this.#parts = parts;
    this.#endedAt = parts.endedAt;
    this.#isHeir = parts.isHeir === true;
    this.policy = PolicyInForce.of(parts);
    const { store, ledger, clock, settings } = parts;
    this.workspace = new Workspace(store === undefined ? undefined : (id) => store.fetchRun(id));
    store?.load(this.workspace);
    this.#chain = chainOver(ledger, this.workspace.meta.head);
    this.liveness = new Liveness(settings.heartbeatLimitMs, clock.monotonicMs());
  }

  get role(): ArbiterRole {
    return this.#role;
  }

  get incarnation(): Incarnation | undefined {
    return this.#incarnation;
  }

  /** Runs until it is stopped or the ledger is broken; `onRole` hears of every change. */
  start(onRole: (role: ArbiterRole) => void = () => undefined): void {
    this.#onRole = onRole;
    this.#done = this.#live();
  }

  async stop(): Promise<void> {
    this.#become('STOPPED');
    this.#incarnation?.end('the arbiter is stopped');
    this.#interrupt?.();
    await this.#done;
    this.#parts.store?.flush(this.#chain.head.seq);
  }

  /** Puts a policy in force that is at hand, now or when this arbiter is active. */
  putInForce(event: PolicySet, by: string): void {
    this.policy.want(event, by);
    this.#proposePolicy(this.#incarnation);
  }

  #proposePolicy(incarnation: Incarnation | undefined): void {
    const due = incarnation === undefined ? undefined : this.policy.due(this.workspace.meta);
    if (due !== undefined) incarnation?.proposePolicy(due.event, due.by);
  }

  /** The connection was lost and is back, or the server is another: whatever was in flight is in doubt. */
  reconnected(): void {
    this.#doubts += 1;
    this.liveness.beginAnew(this.#parts.clock.monotonicMs());
    this.#incarnation?.end('the connection was lost');
    this.#interrupt?.();
  }

  beat(session: string, heartbeat: Heartbeat): void {
    this.liveness.beat(session, heartbeat, this.#parts.clock.monotonicMs());
  }

  async #live(): Promise<void> {
    let failures = 0;
    while (this.#isLiving()) {
      try {
        const doubts = this.#doubts;
        await this.#catchUp();
        if (this.#mayLead()) await this.#lead(doubts);
        else await this.#standBy(doubts);
        failures = 0;
      } catch (error) {
        if (error instanceof AssentError && error.kind === 'LEDGER_BROKEN') {
          this.#parts.say(error.message);
          this.#become('BROKEN');
          return;
        }
        failures += 1;
        if (error instanceof AssentError && error.kind === 'POLICY_MISSING') this.#parts.stuck?.(error);
        this.#parts.say(`the ledger cannot be read or written: ${String(error)}`);
        await this.#pause(Math.min(50 * 2 ** failures, 2000));
      }
    }
  }

  readonly #isLiving = (): boolean => this.#role !== 'STOPPED' && this.#role !== 'BROKEN';

  #become(role: ArbiterRole): void {
    if (this.#role === role || this.#role === 'STOPPED') return;
    this.#role = role;
    this.#onRole(role);
  }

  /** Waits, unless something happens that is worth looking at earlier: then the answer is 'INTERRUPTED'. */
  #pause(ms: number): Promise<'OVER' | 'INTERRUPTED'> {
    return new Promise((resolve) => {
      const cancel = this.#parts.scheduler.after(ms, () => {
        resolve('OVER');
      });
      this.#interrupt = () => {
        cancel();
        resolve('INTERRUPTED');
      };
    });
  }

  /** Folds everything that is stored; finds out first whether the head still stands. */
  async #catchUp(): Promise<void> {
    const { ledger } = this.#parts;
    const { last } = await ledger.bounds();
    const { head } = this.workspace.meta;
    if (!(await stillStands(ledger, head))) this.#startAnew(last);
    else if (!(await stillStands(ledger, this.#chain.tail))) this.#chain = chainOver(ledger, head);
    for await (const message of ledger.read(this.#chain.last + 1)) await this.#fold(message);
  }

  /** LEDGER_REWOUND: the ledger is not the one that was folded. What was lost is recorded by the next epoch. */
  #startAnew(lastFound: number): void {
    const { head } = this.workspace.meta;
    const { say, store, ledger } = this.#parts;
    say(`LEDGER_REWOUND: the ledger ends at ${String(lastFound)}, it had a segment ${String(head.seq)} before`);
    this.counters.rewinds += 1;
    if (head.hash !== '') this.#rewound = { seq: head.seq, hash: head.hash, lastFound };
    this.workspace.clear();
    store?.clear();
    this.#chain = chainOver(ledger, this.workspace.meta.head);
  }

  async #fold(message: StoredMessage): Promise<void> {
    const link = await this.#chain.take(message);
    if (link.type === 'VOID') {
      this.counters.voidSegments += 1;
      return;
    }
    if (link.segment.header.writer === this.#writer) this.counters.unknownFatesStored += 1;
    // Else two that lost to each other would take over from each other again and again. What is read at first is old.
    else if (this.#role !== 'STARTING') this.#rivalMs = this.#parts.clock.monotonicMs();
    this.#settle((journal) => {
      this.workspace.recorder.journal = journal;
      evolveSegment(this.workspace, link.segment, message.seq);
      this.workspace.recorder.journal = undefined;
    });
  }

  /** What a settled change means for the store and for whoever watches. */
  #settle(change: (journal: Journal) => void): void {
    const journal: Journal = [];
    change(journal);
    this.counters.settledSeq = this.workspace.meta.head.seq;
    this.#parts.store?.record(journal);
    this.#flushNowAndThen();
    this.#parts.folded?.(this.workspace);
  }

  #flushNowAndThen(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - this.#flushedAtMs < FLUSH_MS) return;
    this.#flushedAtMs = nowMs;
    this.#parts.store?.flush(this.#incarnation?.settledSeq ?? this.#chain.head.seq);
  }

  #mayLead(): boolean {
    if (!this.#isLiving()) return false;
    const { leases, settings } = this.#parts;
    if (this.#rivalSilentMs() <= settings.leaseLimitMs) return false;
    const heard = leases.last(this.#writer);
    if (heard === undefined) return settings.alone || this.#isHeir || this.#role === 'STANDBY';
    return heard.agoMs > settings.leaseLimitMs;
  }

  readonly #rivalSilentMs = (): number => this.#parts.clock.monotonicMs() - this.#rivalMs;

  /** Folds what the active arbiter writes, until it is silent. */
  async #standBy(doubts: number): Promise<void> {
    if (!this.#isLiving()) return;
    const { ledger, settings, clock, leases } = this.#parts;
    this.#become('STANDBY');
    const sinceMs = clock.monotonicMs();
    const arrived: StoredMessage[] = [];
    const follower = await ledger.follow(this.#chain.last + 1, (message) => {
      arrived.push(message);
    });
    try {
      for (;;) {
        for (let next = arrived.shift(); next !== undefined; next = arrived.shift()) {
          if (next.seq > this.#chain.last) await this.#fold(next);
        }
        const unheardMs = leases.last(this.#writer)?.agoMs ?? clock.monotonicMs() - sinceMs;
        const silentMs = Math.min(unheardMs, this.#rivalSilentMs());
        if (!this.#isLiving() || this.#doubts !== doubts || silentMs > settings.leaseLimitMs) return;
        if ((await this.#pause(Math.min(100, settings.leaseLimitMs / 4))) === 'INTERRUPTED') return;
      }
    } finally {
      follower.stop();
    }
  }

  /** Writes the epoch segment; if it stands, is active until the first doubt. */
  async #lead(doubts: number): Promise<void> {
    const { ledger, proposals, clock } = this.#parts;
    // One clock for all incarnations: a wall clock that was set in between must not make timers ring early.
    const ledgerClock = (this.#ledgerClock ??= new LedgerClock(clock, this.workspace.meta.timeMs));
    ledgerClock.notBefore(this.workspace.meta.timeMs);
    const epoch = this.workspace.meta.epoch + 1;
    this.#writer = idFrom(Uint8Array.from({ length: 16 }, () => this.#parts.chance.unit() * 256));
    const from = await this.#whereToRead(proposals);
    const set = await this.policy.seat(this.workspace.meta);
    const begun = epochOf(this.workspace.meta, {
      epoch,
      writer: this.#writer,
      atMs: ledgerClock.nowMs(),
      policy: this.policy.now.digest,
      set,
      endedAt: this.#endedAt,
      rewound: this.#rewound,
    });
    const seq = this.#chain.last + 1;
    const outcome = await ledger.append(begun.bytes, this.#chain.last);
    this.#countUnanswered(outcome.type === 'UNKNOWN');
    if (outcome.type === 'UNKNOWN') throw notTaken(outcome);
    if (outcome.type !== 'OK' || outcome.seq !== seq || !this.#isLiving() || this.#doubts !== doubts) return;
    this.#chain.remember(seq, { hash: begun.hash, writer: this.#writer }, true);
    this.#settle((journal) => {
      this.workspace.recorder.journal = journal;
      evolve(this.workspace, begun.entry, begun.line, { seq, index: 0 });
      sealSegment(this.workspace, begun.header, { seq, hash: begun.hash });
      this.workspace.recorder.journal = undefined;
    });
    this.#endedAt = undefined;
    this.#isHeir = false;
    this.#rewound = undefined;
    if (epoch > 1) this.counters.takeovers += 1;
    await this.#beActive({ ledgerClock, epoch, seq, from });
  }

  #countUnanswered(unanswered: boolean): void {
    this.#unanswered = unanswered ? this.#unanswered + 1 : 0;
    if (this.#unanswered % UNANSWERED_MAX === 0 && unanswered) this.#parts.unanswered?.();
  }

  /** After the recorded position, if what stands there is what was ruled on; else from the first message. */
  async #whereToRead(proposals: Log): Promise<number> {
    const { seq, id } = this.workspace.meta.position;
    if (seq === 0) return 1;
    const stored = await proposals.get(seq);
    if (stored !== undefined && readBatch(stored).id === id) return seq + 1;
    const { first } = await proposals.bounds();
    return Math.max(first, 1);
  }

  async #beActive(begin: { ledgerClock: LedgerClock; epoch: number; seq: number; from: number }): Promise<void> {
    const { clock, settings, scheduler, outbox } = this.#parts;
    const { epoch } = begin;
    this.liveness.beginAnew(clock.monotonicMs());
    let ended: (reason: string) => void = () => undefined;
    const over = new Promise<string>((resolve) => (ended = resolve));
    const incarnation = this.#embody(begin, (reason) => {
      ended(reason);
    });
    this.#incarnation = incarnation;
    // Effects above the recorded mark may not have happened: hints to workers are given again.
    for (const [seq, dispatch] of [...undone(this.workspace, begin.seq)]) incarnation.dispatch(dispatch, seq);
    const stopBeats = every(scheduler, BEAT_MS, () => {
      outbox.beat({ epoch, writer: this.#writer });
      this.#listen(epoch);
      this.#flushNowAndThen();
    });
    const stopLooking = every(scheduler, this.liveness.intervalMs, () => {
      if (this.#isDeaf()) this.liveness.beginAnew(clock.monotonicMs());
      incarnation.lookAtLiveness();
    });
    const stopClosing = every(scheduler, CLOSE_SESSIONS_MS, () => {
      incarnation.closeSilentSessions(settings.sessionLimitMs);
    });
    const stopMaking = every(scheduler, MAKE_ROOM_MS, () => this.#parts.makeRoom?.(incarnation.settledPosition));
    this.#proposePolicy(incarnation);
    try {
      await incarnation.start(begin.from);
      incarnation.ruleDead(); // Who died with the last engine is dead already.
      this.#become('ACTIVE');
      const reason = await over;
      this.#parts.say(`epoch ${String(epoch)} has ended: ${reason}`);
    } finally {
      incarnation.end('it could not start');
      stopBeats();
      stopLooking();
      stopClosing();
      stopMaking();
      this.#incarnation = undefined;
      if (this.#isLiving()) this.#become('STARTING');
    }
  }

  #embody(
    { ledgerClock, epoch, seq }: { ledgerClock: LedgerClock; epoch: number; seq: number },
    ended: (reason: string) => void,
  ): Incarnation {
    const { ledger, proposals, outbox, chance, scheduler, settings, clock, endless } = this.#parts;
    return new Incarnation({
      workspace: this.workspace,
      ledger,
      proposals,
      outbox,
      policy: this.policy,
      ...(endless === undefined ? {} : { endless }),
      clock: ledgerClock,
      monotonicMs: () => clock.monotonicMs(),
      chance,
      scheduler,
      liveness: this.liveness,
      ...(this.#parts.gone === undefined ? {} : { gone: this.#parts.gone }),
      counters: this.counters,
      graceMs: settings.graceMs,
      epoch,
      writer: this.#writer,
      last: seq,
      ...(settings.inFlightMax === undefined ? {} : { inFlightMax: settings.inFlightMax }),
      judging: this.#parts.judging ?? (() => undefined),
      settled: ({ journal, seq: settledSeq, hash }) => {
        this.#chain.remember(settledSeq, { hash, writer: this.#writer }, true);
        this.counters.settledSeq = settledSeq;
        this.#parts.store?.record(journal);
        if (this.#incarnation?.isQuiet === true) this.#parts.folded?.(this.workspace);
      },
      ended,
    });
  }

  /** Its own beats come back late or not at all, because the server or the network has stopped: so would anybody's. */
  #isDeaf(): boolean {
    const { leases, settings } = this.#parts;
    return (leases.echoMs?.(this.#writer) ?? 0) > Math.min(DEAF_MS, settings.heartbeatLimitMs / 2);
  }

  /** Another arbiter with a higher epoch is heard: the chain has decided, this one only does not know yet. */
  #listen(epoch: number): void {
    const heard = this.#parts.leases.last(this.#writer);
    if (heard !== undefined && heard.epoch > epoch && heard.agoMs < this.#parts.settings.leaseLimitMs) {
      this.#incarnation?.end(`epoch ${String(heard.epoch)} is heard`);
    }
  }
}
