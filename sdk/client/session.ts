/**
 * One client process's conversation with the arbiter: proposals out, in batches; answers and orders in.
 *
 * N1 Counters start at 0 and have no gaps; a proposal keeps its counter however often it is published.
 * N2 A proposal is published again until it is answered: after 1 s, with backoff to 30 s, and whenever the link was down.
 *    `held` is a receipt: the answer is still to come, so it is asked for again, after 2 s at first. When another arbiter
 *    answers, all is published again: the last one may have ruled and not lived to say so.
 * N3 Proposals leave in the order in which they were made, those of one tick in one batch. The arbiter rules on them in
 *    that order: when one was lost, it ignores the later ones until that one has come.
 * N4 Until the arbiter has answered for the first time, only the first batch is on its way: counter 0 opens the session,
 *    and a later one that came without it would be told that its session has expired.
 * N5 Each proposal is settled exactly once; what is said to an answered one is ignored.
 * N6 A session that was left answers each proposal itself, as one of an execution that is over.
 */
import { randomBytes } from 'node:crypto';
import { idFrom, type RunId, type SessionId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Answer, AnswerMessage, Order, ProposalDraft } from '../../protocol/messages.ts';
import { isBefore } from '../../protocol/rulings.ts';
import { housekeep } from './housekeeping.ts';
import { scrubbedWish } from './scrubbed-wish.ts';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A proposal before it has a counter. */
export type Wish = DistributiveOmit<ProposalDraft, 'counter' | 'done'>;

/** Where the batches go. */
export interface Outlet {
  readonly up: boolean;
  propose(session: SessionId, batch: Uint8Array): void;
}

export interface SessionEvents {
  /** What the arbiter says about a run though nobody asked; also to whoever follows that run. */
  ordered(order: Order): void;
  /** Another incarnation of the arbiter answers: orders of the last one may never have been sent. */
  epochChanged(): void;
  /** The arbiter has closed this session; nothing that it asks is judged any more. */
  expired(): void;
  /** Nothing has been answered for so long, though something is asked and the link is up. */
  silent(forMs: number): void;
}

/** Whoever asked; when it does not care any more, its held proposals are dropped without an answer. */
export interface Asker {
  readonly mute: boolean;
}

type Pending = {
  readonly counter: number;
  readonly asker: Asker | undefined;
  /** The proposal as JSON, but for its counter. */
  readonly body: string;
  readonly bytes: number;
  readonly settle: (answer: Answer) => void;
  readonly held: (() => void) | undefined;
  state: 'queued' | 'sent' | 'held';
  /** When to publish it again, by this process's clock. */
  againAtMs: number;
  /** Times that it was published. */
  tries: number;
  /** Times that it was said to be held. */
  receipts: number;
};

/** Why nothing that this process executes is its own any more. */
export const DISCONNECTED = 'this process has disconnected';

/** Hears of a run. Must not throw. */
export type Ordered = (order: Order) => void;
const NOBODY: readonly Ordered[] = [];

const LEFT: Answer = {
  counter: 0,
  outcome: 'rejected',
  code: 'FENCED',
  why: DISCONNECTED,
  version: 0,
  seq: 0,
  index: 0,
};

const AGAIN_FIRST_MS = 1000;
const AGAIN_MAX_MS = 30_000;
const HELD_FIRST_MS = 2000;
const SWEEP_MS = 250;
/** After so long without any answer somebody should be told; and again after twice as long, and so on. */
const SILENCE_MS = 10_000;

export class Session {
  readonly id: SessionId;
  readonly #outlet: Outlet;
  readonly #events: SessionEvents;
  readonly #pending = new Map<number, Pending>();
  readonly #held = new Set<Pending>();
  readonly #orders = new Map<RunId, readonly Ordered[]>();
  #queue: Pending[] = [];
  #next = 0;
  /** The smallest counter without an answer, and the last one that the arbiter was told. */
  #done = 0;
  #doneSent = 0;
  /** Proposals on their way. */
  #inFlight = 0;
  #flushing = false;
  #sweep: NodeJS.Timeout | undefined;
  #epoch: number | undefined;
  /** The arbiter has answered. */
  #open = false;
  #closed = false;
  #left = false;
  #onDrained: () => void = () => undefined;
  #republished = 0;
  /** When something was heard, or the first was asked after all was answered. */
  #heardMs = 0;
  #patienceMs = SILENCE_MS;
  #proposedAtMs = performance.now();

  constructor(outlet: Outlet, events: SessionEvents) {
    this.id = idFrom(randomBytes(16)) as SessionId;
    this.#outlet = outlet;
    this.#events = events;
  }

  /** How long nothing was proposed; 0 while something is unanswered. */
  get quietMs(): number {
    return this.#pending.size > 0 ? 0 : performance.now() - this.#proposedAtMs;
  }

  /** Times that a proposal was published again; for tests that must know what they met. */
  get republished(): number {
    return this.#republished;
  }

  /**
   * `settle` hears the final answer; it must not throw. It is called in the order of the answers. `held` hears of each
   * receipt before it: the wish waits for something.
   */
  propose(wish: Wish, settle: (answer: Answer) => void, asker?: Asker, held?: () => void): void {
    if (this.#left) {
      queueMicrotask(() => {
        settle(LEFT);
      });
      return;
    }
    // Before it has a number: one that is never sent would hold up all that come after it.
    const body = JSON.stringify(scrubbedWish(wish));
    const counter = this.#next;
    this.#next += 1;
    const bytes = Buffer.byteLength(body) + 40;
    const pending: Pending = {
      counter,
      asker,
      body,
      bytes,
      settle,
      held,
      state: 'queued',
      againAtMs: 0,
      tries: 0,
      receipts: 0,
    };
    if (this.#inFlight === 0 && this.#queue.length === 0) this.#heardMs = performance.now();
    this.#pending.set(counter, pending);
    this.#queue.push(pending);
    this.#flushSoon();
  }

  /** The final answer to a proposal. */
  ask(wish: Wish, asker?: Asker): Promise<Answer> {
    return new Promise((resolve) => {
      this.propose(wish, resolve, asker);
    });
  }

  /** Whether something that `asker` has proposed is neither answered nor held. */
  isAsked(asker: Asker): boolean {
    for (const pending of this.#pending.values()) if (pending.asker === asker && pending.state !== 'held') return true;
    return false;
  }

  /**
   * Drops the held proposals of whoever does not care any more. The arbiter has withdrawn them too, in silence: their
   * flow run ended, or another execution began.
   */
  dropMute(): void {
    for (const pending of this.#held) {
      if (pending.asker?.mute === true) this.#forget(pending);
    }
  }

  /**
   * `ordered` hears what the arbiter says about this run though nobody asked. There may be several: an execution that is
   * over and does not know it yet, and the next one.
   */
  follow(run: RunId, ordered: Ordered): void {
    this.#orders.set(run, [...(this.#orders.get(run) ?? NOBODY), ordered]);
  }

  unfollow(run: RunId, ordered: Ordered): void {
    const others = (this.#orders.get(run) ?? NOBODY).filter((other) => other !== ordered);
    if (others.length === 0) this.#orders.delete(run);
    else this.#orders.set(run, others);
  }

  /** Also what this session itself has asked for, about a run that it executes: it is answered, not ordered. */
  order(order: Order): void {
    for (const ordered of this.#orders.get(order.run) ?? NOBODY) ordered(order);
    this.#events.ordered(order);
  }

  receive(bytes: Uint8Array): void {
    this.#heardMs = performance.now();
    this.#patienceMs = SILENCE_MS;
    const message = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    ) as AnswerMessage;
    // In the order of the ledger: which of several ends was first may be what the flow decides by.
    const { answers, orders } = message;
    for (let a = 0, o = 0; a < answers.length || o < orders.length;) {
      const answer = answers[a];
      const order = orders[o];
      if (order === undefined || (answer !== undefined && isBefore(answer, order))) {
        a += 1;
        if (answer !== undefined) this.#answered(answer);
      } else {
        o += 1;
        this.order(order);
      }
    }
    this.heardEpoch(message.epoch);
    if (this.#queue.length > 0) this.#flushSoon();
  }

  /** The arbiter of this epoch answers. */
  heardEpoch(epoch: number): void {
    const before = this.#epoch ?? epoch;
    this.#epoch = Math.max(before, epoch);
    if (epoch <= before) return;
    this.restored();
    this.#events.epochChanged();
  }

  /** The link was down, or another arbiter answers: what was published may be lost, and so may the answers. */
  restored(): void {
    for (const pending of this.#pending.values()) pending.state = 'queued';
    this.#queue = [...this.#pending.values()];
    this.#inFlight = 0;
    this.#doneSent = 0;
    this.#flushSoon();
  }

  /** Nothing is published any more; what is unanswered stays so. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** Resolves when all that was proposed is answered, or held. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#noticeDrained();
    });
  }

  /** The process lets go of all that it does here: whoever waits for an answer is told so (N6). */
  leave(): void {
    this.close();
    this.#left = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#held.clear();
    this.#queue = [];
    for (const { settle } of pending) settle(LEFT);
  }

  #answered(answer: Answer): void {
    this.#open = true;
    const pending = this.#pending.get(answer.counter);
    if (pending === undefined) return;
    if (answer.outcome === 'held' && pending.asker?.mute !== true) {
      this.#park(pending);
      pending.held?.();
      return;
    }
    this.#forget(pending);
    if (answer.outcome === 'held') return;
    if (answer.code === 'SESSION_EXPIRED') this.#events.expired();
    pending.settle(answer);
  }

  #park(pending: Pending): void {
    this.#leave(pending);
    pending.state = 'held';
    pending.againAtMs = performance.now() + Math.min(HELD_FIRST_MS * 2 ** pending.receipts, AGAIN_MAX_MS);
    pending.receipts += 1;
    this.#held.add(pending);
    this.#noticeDrained();
  }

  #noticeDrained(): void {
    if (this.#pending.size === this.#held.size) this.#onDrained();
  }

  #forget(pending: Pending): void {
    this.#leave(pending);
    this.#held.delete(pending);
    this.#pending.delete(pending.counter);
    while (this.#done < this.#next && !this.#pending.has(this.#done)) this.#done += 1;
    this.#noticeDrained();
  }

  /** It is neither on its way nor waits to be. */
  #leave(pending: Pending): void {
    if (pending.state === 'sent') this.#inFlight -= 1;
    if (pending.state === 'queued') this.#queue = this.#queue.filter((other) => other !== pending);
  }

  #flushSoon(): void {
    if (this.#flushing || this.#closed) return;
    this.#flushing = true;
    // At the end of the tick, so that whatever it proposes leaves together.
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed || this.#queue.length === 0) return;
    this.#sweep ??= housekeep(() => {
      this.#sweepOver(performance.now());
    }, SWEEP_MS);
    if (!this.#outlet.up) return;
    const nowMs = performance.now();
    const most = this.#open ? LIMITS.sessionInFlightMax : 1;
    let sent = 0;
    while (sent < this.#queue.length && this.#inFlight < most) sent += this.#sendBatch(sent, nowMs);
    this.#queue = sent === this.#queue.length ? [] : this.#queue.slice(sent);
  }

  /** One batch from the queue's place `from` on; says how many are in it. */
  #sendBatch(from: number, nowMs: number): number {
    const proposals: string[] = [];
    const room = Math.min(LIMITS.batchProposalsMax, LIMITS.sessionInFlightMax - this.#inFlight);
    let bytes = 0;
    for (let at = from; at < this.#queue.length && proposals.length < room; at += 1) {
      const pending = this.#queue[at];
      if (pending === undefined || (bytes > 0 && bytes + pending.bytes > LIMITS.batchBytesMax)) break;
      bytes += pending.bytes;
      pending.state = 'sent';
      if (pending.tries > 0) this.#republished += 1;
      pending.tries += 1;
      pending.againAtMs = nowMs + Math.min(AGAIN_FIRST_MS * 2 ** (pending.tries - 1), AGAIN_MAX_MS);
      proposals.push(this.#proposal(pending));
    }
    this.#inFlight += proposals.length;
    this.#proposedAtMs = nowMs;
    // The text that protocol/wire.ts's encodeBatch would make, from parts that were made once.
    this.#outlet.propose(this.id, Buffer.from(`{"v":1,"proposals":[${proposals.join(',')}]}`));
    return proposals.length;
  }

  #proposal({ counter, body }: Pending): string {
    const rest = body.slice(1);
    if (this.#done === this.#doneSent) return `{"counter":${String(counter)},${rest}`;
    this.#doneSent = this.#done;
    return `{"counter":${String(counter)},"done":${String(this.#done)},${rest}`;
  }

  #sweepOver(nowMs: number): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#sweep);
      this.#sweep = undefined;
      return;
    }
    if (!this.#outlet.up) return;
    let lost = false;
    for (const pending of this.#pending.values()) {
      if (pending.state === 'queued') continue;
      const isDue = pending.againAtMs <= nowMs;
      lost ||= isDue && pending.state === 'sent';
      // With one that was lost go all that were sent after it (N3).
      if (!isDue && !(lost && pending.state === 'sent')) continue;
      if (pending.state === 'sent') this.#inFlight -= 1;
      pending.state = 'queued';
      this.#queue.push(pending);
    }
    this.#queue.sort((one, other) => one.counter - other.counter);
    this.#flushSoon();
    if (lost) this.#noticeSilence(nowMs - this.#heardMs);
  }

  #noticeSilence(forMs: number): void {
    if (forMs < this.#patienceMs) return;
    this.#patienceMs = 2 * forMs;
    this.#events.silent(forMs);
  }
}
