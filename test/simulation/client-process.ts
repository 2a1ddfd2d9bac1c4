/**
 * A process that speaks the protocol as docs/protocol.md says that a client does: batches, counters, publishing again,
 * receipts, orders, beats. A small model of the SDK, written from the contract and not from its code.
 */
import type { RunId } from '../../protocol/ids.ts';
import type { Answer, AnswerMessage, Order, ProposalDraft } from '../../protocol/messages.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { Process, type Kernel } from '../support/memory-arbiter.ts';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type Wish = DistributiveOmit<ProposalDraft, 'counter' | 'done'>;

/** What a process has of the world besides its own memory. */
export type Network = {
  publish(from: ClientProcess, bytes: Uint8Array): void;
  beat(session: string): void;
  /** A run as it is settled, if it can be asked after now. */
  look(run: RunId): Order | undefined;
  /** Every answer that arrived, for the checkers. */
  heard(from: ClientProcess, answer: Answer, sentMs: number): void;
};

type Pending = {
  readonly wish: Wish;
  readonly settle: (answer: Answer) => void;
  againAtMs: number;
  tries: number;
};

const AGAIN_FIRST_MS = 1000;
const AGAIN_MAX_MS = 30_000;
const BEAT_MS = 1000;
const LOOK_MS = 5000;

export class ClientProcess {
  readonly session: string;
  readonly process: Process;
  /** It was told that its session is closed: nothing that it asks is judged. */
  expired = false;
  readonly #network: Network;
  readonly #pending = new Map<number, Pending>();
  readonly #orders = new Map<RunId, (order: Order) => void>();
  #executing = 0;
  #next = 0;
  /** Something was answered, so the arbiter knows this session. */
  #opened = false;
  #flushing = false;

  constructor(kernel: Kernel, session: string, network: Network) {
    this.session = session;
    this.process = new Process(kernel);
    this.#network = network;
    this.process.every(250, () => {
      this.#flush();
    });
    this.process.every(BEAT_MS, () => {
      if (this.#executing > 0 && !this.expired) network.beat(session);
    });
    this.process.every(LOOK_MS, () => {
      for (const run of [...this.#orders.keys()]) this.#lookAt(run);
    });
  }

  get isUp(): boolean {
    return this.process.alive && !this.expired;
  }

  /** The final answer; never, once the session is closed. */
  ask(wish: Wish): Promise<Answer> {
    return new Promise((settle) => {
      if (this.expired) return;
      this.#pending.set(this.#next, { wish, settle, againAtMs: 0, tries: 0 });
      this.#next += 1;
      this.#flushSoon();
    });
  }

  /** Bytes that are no proposal. */
  publishGarbage(bytes: Uint8Array): void {
    this.#network.publish(this, bytes);
  }

  follow(run: RunId, ordered: (order: Order) => void): void {
    this.#orders.set(run, ordered);
  }

  unfollow(run: RunId): void {
    this.#orders.delete(run);
  }

  beginExecuting(): void {
    this.#executing += 1;
    this.#network.beat(this.session);
  }

  endExecuting(): void {
    this.#executing -= 1;
  }

  receive(message: AnswerMessage, sentMs: number): void {
    if (this.expired) return;
    this.#opened ||= message.answers.length > 0;
    for (const answer of message.answers) this.#answered(answer, sentMs);
    for (const order of message.orders) this.#orders.get(order.run)?.(order);
  }

  #answered(answer: Answer, sentMs: number): void {
    const pending = this.#pending.get(answer.counter);
    if (pending === undefined) return;
    this.#network.heard(this, answer, sentMs);
    if (answer.outcome === 'held') {
      pending.againAtMs = this.process.kernel.nowMs + AGAIN_MAX_MS;
      return;
    }
    this.#pending.delete(answer.counter);
    if (answer.code === 'SESSION_EXPIRED') this.expired = true;
    pending.settle(answer);
  }

  #lookAt(run: RunId): void {
    const seen = this.#network.look(run);
    if (seen !== undefined) this.#orders.get(run)?.(seen);
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.process.after(0, () => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.isUp) return;
    const { nowMs } = this.process.kernel;
    // Until the session is open, nothing may overtake what opens it: it would be refused as another session's.
    const due = [...this.#pending]
      .filter(([counter, { againAtMs }]) => againAtMs <= nowMs && (this.#opened || counter === 0))
      .slice(0, 50);
    if (due.length === 0) return;
    const done = Math.min(this.#next, ...this.#pending.keys());
    const proposals = due.map(([counter, pending]): ProposalDraft => {
      pending.tries += 1;
      pending.againAtMs = nowMs + Math.min(AGAIN_FIRST_MS * 2 ** (pending.tries - 1), AGAIN_MAX_MS);
      return { ...pending.wish, counter, done: Math.min(done, counter) };
    });
    this.#network.publish(this, encodeBatch({ v: 1, proposals }));
  }
}
