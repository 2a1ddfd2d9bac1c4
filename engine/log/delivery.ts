/**
 * Delivers a stream in order by a push consumer of its own, and heals itself.
 * Owns: the consumer, its inbox, and the next sequence that is due. jetstream.ts decides what is done with a message.
 *
 * D1 Each message is given once, in order of sequence: one below the next due is dropped, a hole in the numbers of the
 *    deliveries opens a new consumer from the next due. A hole in the sequences alone is a gap of the log and is given
 *    as one.
 * D2 A new consumer is opened at every reconnect, whatever became of the present one (it lives in the memory of one
 *    server), and when the stream holds messages that are due while nothing arrives: looked at every `watchdogMs`. In
 *    a cluster no consumer resumes by itself while its node is down.
 * D3 If the stream went back below what was given, nothing is given until the log has grown past it or `restart`.
 * D4 After `stop` or `restart` returned, no message of the former consumer is given.
 * D5 If the receiver throws, delivery ends there (nothing may follow a message that was not taken) and the error goes
 *    to `fatal`. Inside the subscription's callback it would end the connection's read loop.
 */
import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream';
import type { ConsumerConfig, JetStreamManager } from '@nats-io/jetstream';
import { nanos, nuid } from '@nats-io/transport-node';
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sequence } from '../../protocol/ids.ts';
import type { Link } from './link.ts';
import type { Follower, StoredMessage } from './port.ts';

export type Receiver = {
  message(message: StoredMessage): void;
  /** Nothing that is due was stored when the last message was sent, or when the consumer was opened. */
  caughtUp?(): void;
  /** The server sends no more until `goOn` is called; without this it is called at once. */
  hold?(goOn: () => void): void;
};

export type DeliveryParts = {
  readonly connection: NatsConnection;
  readonly link: Link;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Messages come to `<inbox>.<number of the consumer>`. */
  readonly inbox: string;
  readonly watchdogMs: number;
  readonly fatal: (error: unknown) => void;
};

/** One consumer and its subscription; whatever reaches another than the present one is stale. */
type Session = {
  readonly name: string;
  readonly subject: string;
  subscription: Subscription | undefined;
  /** The number of the last delivery, counted by the server from 1 for each consumer. */
  delivered: number;
};

const HEARTBEAT_MS = 5_000;
/** A consumer that nobody listens to is dropped by the server after this. */
const INACTIVE_MS = 30_000;
const RETRY_FIRST_MS = 25;
const RETRY_MOST_MS = 1_000;

/** Begins at once, but never gives a message before the caller had its turn: the consumer takes a round trip to open. */
export function startDelivery(parts: DeliveryParts, from: Sequence, receiver: Receiver): Follower {
  const delivery = new Delivery(parts, receiver);
  delivery.restart(from);
  return delivery;
}

class Delivery implements Follower {
  readonly #parts: DeliveryParts;
  readonly #receiver: Receiver;
  readonly #prefix = `assent_${nuid.next()}`;
  readonly #watchdog: NodeJS.Timeout;
  readonly #unwatch: () => void;
  #next: Sequence = 1;
  #session: Session | undefined;
  #consumers = 0;
  #reopenings = 0;
  #held = 0;
  #stopped = false;
  /** The next due when the watchdog looked last. */
  #lookedAt: Sequence = 0;
  /** The stream's last sequence, if it was not below the next due when the watchdog looked last. */
  #behind: Sequence | undefined;
  /** A last sequence for which a new consumer found nothing due: those messages are gone, there is no use in another. */
  #vain: Sequence = 0;

  constructor(parts: DeliveryParts, receiver: Receiver) {
    this.#parts = parts;
    this.#receiver = receiver;
    this.#unwatch = parts.link.watch({
      up: () => {
        void this.#reopen();
      },
    });
    this.#watchdog = setInterval(() => void this.#look(), parts.watchdogMs);
    this.#watchdog.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#watchdog);
    this.#unwatch();
    this.#retire();
  }

  restart(from: Sequence): void {
    this.#next = Math.max(1, from);
    this.#retire();
    void this.#reopen();
  }

  /** Puts a new consumer, from the next due on, in the place of the present one. */
  async #open(): Promise<void> {
    const { connection, manager, stream, inbox } = this.#parts;
    this.#retire();
    const number = String((this.#consumers += 1));
    const session: Session = {
      name: `${this.#prefix}_${number}`,
      subject: `${inbox}.${number}`,
      subscription: undefined,
      delivered: 0,
    };
    this.#session = session;
    this.#held = 0;
    session.subscription = connection.subscribe(session.subject, {
      callback: (error, message) => {
        if (error === null) this.#guarded(session, message);
      },
    });
    const behind = this.#behind;
    this.#behind = undefined;
    const info = await manager.consumers.add(stream, consumerConfig(session, this.#next));
    if (session !== this.#session || info.num_pending > 0 || session.delivered > 0) return;
    this.#vain = behind ?? this.#vain;
    this.#receiver.caughtUp?.();
  }

  /** Opens until it is open; a later call takes over from an earlier one, and so does the next reconnect. */
  async #reopen(): Promise<void> {
    const reopening = (this.#reopenings += 1);
    for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(2 * waitMs, RETRY_MOST_MS)) {
      if (this.#stopped || reopening !== this.#reopenings || !this.#parts.link.isUp()) return;
      try {
        await this.#open();
        return;
      } catch {
        // Just after a start the server does not know its streams yet; in an election nobody answers.
        await pause(waitMs, undefined, { ref: false });
      }
    }
  }

  /** Ends the present consumer. Its deletion is a courtesy: the server drops it by itself. */
  #retire(): void {
    const { connection, link, manager, stream } = this.#parts;
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    if (connection.isClosed()) return;
    session.subscription?.unsubscribe();
    if (link.isUp()) manager.consumers.delete(stream, session.name).catch(() => undefined);
  }

  #guarded(session: Session, message: Msg): void {
    if (session !== this.#session) return;
    try {
      if (message.subject === session.subject) this.#obey(session, message);
      else this.#deliver(session, message);
    } catch (error) {
      this.stop();
      this.#parts.fatal(error);
    }
  }

  #deliver(session: Session, message: Msg): void {
    const { seq, delivered, pending } = numbersOf(message.reply ?? '');
    if (delivered !== session.delivered + 1) {
      void this.#reopen();
      return;
    }
    session.delivered = delivered;
    if (seq >= this.#next) {
      this.#next = seq + 1;
      this.#receiver.message({ seq, subject: message.subject, bytes: message.data });
    }
    if (pending === 0 && session === this.#session) this.#receiver.caughtUp?.();
  }

  /** A word of the server about the consumer itself: flow control, a heartbeat, or its end. */
  #obey(session: Session, message: Msg): void {
    const status = message.headers;
    if (status?.code !== 100) {
      void this.#reopen();
      return;
    }
    if (message.reply !== undefined && message.reply !== '') {
      this.#holdOrGoOn(session, () => message.respond());
      return;
    }
    const last = status.get('Nats-Last-Consumer');
    if (last !== '' && Number(last) > session.delivered) void this.#reopen();
    // The server waits for an answer to flow control that it did not get.
    const stalled = status.get('Nats-Consumer-Stalled');
    const { connection } = this.#parts;
    if (stalled !== '' && this.#held === 0 && !connection.isDraining()) connection.publish(stalled);
  }

  #holdOrGoOn(session: Session, respond: () => void): void {
    if (this.#receiver.hold === undefined) {
      respond();
      return;
    }
    this.#held += 1;
    this.#receiver.hold(() => {
      if (session !== this.#session) return;
      this.#held -= 1;
      respond();
    });
  }

  /** The watchdog: opens a new consumer if it was behind at the last look and nothing has come since. */
  async #look(): Promise<void> {
    const { link, manager, stream } = this.#parts;
    if (!link.isUp() || this.#held > 0) return;
    const next = this.#next;
    if (next !== this.#lookedAt) {
      this.#lookedAt = next;
      this.#behind = undefined;
      return;
    }
    if (this.#behind !== undefined) {
      await this.#reopen();
      return;
    }
    try {
      const { messages, last_seq: last } = (await manager.streams.info(stream)).state;
      if (messages > 0 && last >= next && last !== this.#vain && next === this.#next) this.#behind = last;
    } catch {
      // Not to be asked just now; the next look asks again.
    }
  }
}

const consumerConfig = (session: Session, from: Sequence): Partial<ConsumerConfig> => ({
  name: session.name,
  deliver_subject: session.subject,
  deliver_policy: DeliverPolicy.StartSequence,
  opt_start_seq: from,
  ack_policy: AckPolicy.None,
  replay_policy: ReplayPolicy.Instant,
  max_deliver: 1,
  flow_control: true,
  idle_heartbeat: nanos(HEARTBEAT_MS),
  inactive_threshold: nanos(INACTIVE_MS),
  num_replicas: 1,
  // Nothing of it is worth a write: what is due is known here.
  mem_storage: true,
});

/**
 * The numbers in a delivery's reply subject:
 * `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<tries>.<sequence>.<delivery>.<time>.<pending>[.<token>]`.
 */
function numbersOf(reply: string): { readonly seq: Sequence; readonly delivered: number; readonly pending: number } {
  const tokens = reply.split('.');
  const at = tokens.length < 11 ? 5 : 7;
  const seq = Number(tokens[at]);
  const delivered = Number(tokens[at + 1]);
  const pending = Number(tokens[at + 3]);
  assert(seq > 0 && delivered > 0 && pending >= 0, `a delivery without numbers: ${reply}`);
  return { seq, delivered, pending };
}
