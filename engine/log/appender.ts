/**
 * Appends to one subject of a stream, many in flight.
 * Owns: the acknowledgement inbox and the fate of each append. A bare publish with a reply subject costs a third to a
 * sixth of the client library's own JetStream publish.
 *
 * P1 Messages go out on one connection in the order of the calls, each with the last sequence that it expects.
 * P2 An append is answered exactly once: by its own reply, by the loss of the connection (at once), or by its time-out.
 * P3 An append that is answered UNKNOWN because the connection is down was not given to the client library, so nothing
 *    sends it later (link.ts, K1). What remains: bytes that an earlier socket had already taken may reach the log even
 *    after the answer UNKNOWN, for instance when the server was stopped for a while and reads its sockets when it goes
 *    on. Such a late message is stored only if its expected sequence is then the last; a segment names the hash of its
 *    predecessor and is void if another one was counted in the meantime.
 */
import { PubHeaders } from '@nats-io/jetstream';
import { headers, PermissionViolationError } from '@nats-io/transport-node';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Sequence } from '../../protocol/ids.ts';
import type { Link } from './link.ts';
import type { AppendOutcome } from './port.ts';

export type Appender = {
  append(bytes: Uint8Array, expectedLast: Sequence): Promise<AppendOutcome>;
  close(): void;
};

export type AppenderParts = {
  readonly connection: NatsConnection;
  readonly link: Link;
  readonly stream: string;
  readonly subject: string;
  /** Replies come to `<inbox>.<number of the append>`. */
  readonly inbox: string;
  readonly timeoutMs: number;
};

/** 10071: JSStreamWrongLastSequenceErrF in nats-server. */
const WRONG_LAST_SEQUENCE = 10071;

export function openAppender(parts: AppenderParts): Appender {
  const { connection, link, stream, subject, inbox, timeoutMs } = parts;
  const inFlight = new InFlight(timeoutMs);
  let appends = 0;
  let closed = false;

  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      // An exception here would end the connection's read loop; outcomeOf never throws, nor does settling a promise.
      if (error !== null) inFlight.giveUp(`acknowledgements cannot be received: ${error.message}`);
      else inFlight.settle(Number(message.subject.slice(inbox.length + 1)), outcomeOf(message, stream));
    },
  });
  const unwatch = link.watch({
    down: (reason) => {
      inFlight.giveUp(reason);
    },
    complaint: (error) => {
      if (error instanceof PermissionViolationError && error.subject === subject) inFlight.giveUp(error.message);
    },
  });

  return {
    append(bytes, expectedLast) {
      if (closed) return Promise.resolve(unknown('not sent: the log was closed'));
      if (!link.isUp()) return Promise.resolve(unknown('not sent: the connection is down'));
      const number = (appends += 1);
      const expectation = headers();
      expectation.set(PubHeaders.ExpectedLastSeqHdr, String(expectedLast));
      try {
        connection.publish(subject, bytes, { reply: `${inbox}.${String(number)}`, headers: expectation });
      } catch (error) {
        return Promise.resolve(unknown(`not sent: ${error instanceof Error ? error.message : String(error)}`));
      }
      return inFlight.add(number);
    },
    close() {
      closed = true;
      unwatch();
      inFlight.giveUp('the log was closed');
      if (!connection.isClosed()) subscription.unsubscribe();
    },
  };
}

/** The appends that wait for their fate, by number. */
class InFlight {
  readonly #timeoutMs: number;
  readonly #waiting = new Map<
    number,
    { readonly answer: (outcome: AppendOutcome) => void; readonly deadlineMs: number }
  >();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(number: number): Promise<AppendOutcome> {
    return new Promise((answer) => {
      this.#waiting.set(number, { answer, deadlineMs: performance.now() + this.#timeoutMs });
      this.#arm();
    });
  }

  settle(number: number, outcome: AppendOutcome): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return; // Answered already, by a time-out or a lost connection.
    this.#waiting.delete(number);
    waiting.answer(outcome);
  }

  giveUp(detail: string): void {
    for (const number of [...this.#waiting.keys()]) this.settle(number, unknown(detail));
  }

  /** The map is in the order of the calls, so its first entry has the earliest deadline and one timer is enough. */
  #arm(): void {
    const first = this.#waiting.values().next().value;
    if (this.#timer !== undefined || first === undefined) return;
    // After a pause of this process timers fire before the sockets are read: the answer may be waiting there.
    const look = (): void => {
      setImmediate(() => {
        this.#expire();
      });
    };
    this.#timer = setTimeout(look, Math.max(0, first.deadlineMs - performance.now()));
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [number, { deadlineMs }] of this.#waiting) {
      if (deadlineMs > nowMs) break;
      this.settle(number, unknown(`no answer within ${String(this.#timeoutMs)} ms`));
    }
    this.#arm();
  }
}

const unknown = (detail: string): AppendOutcome => ({ type: 'UNKNOWN', detail });

type Acknowledgement = {
  readonly stream?: unknown;
  readonly seq?: unknown;
  readonly error?: { readonly err_code?: unknown; readonly description?: unknown };
};

function outcomeOf(message: Msg, stream: string): AppendOutcome {
  if (message.data.length === 0) return unknown('no stream answers on this subject');
  try {
    return outcomeOfReply(message.json<Acknowledgement>(), stream);
  } catch {
    return unknown('an acknowledgement that is not a JSON object');
  }
}

function outcomeOfReply({ stream, seq, error }: Acknowledgement, expectedStream: string): AppendOutcome {
  if (error?.err_code === WRONG_LAST_SEQUENCE) return { type: 'CONFLICT' };
  if (error !== undefined) {
    return { type: 'UNKNOWN', detail: `${String(error.description)} (${String(error.err_code)})`, refused: true };
  }
  if (stream !== expectedStream) return unknown(`stored in another stream: ${String(stream)}`);
  if (typeof seq !== 'number' || seq < 1) return unknown('an acknowledgement without a sequence');
  return { type: 'OK', seq };
}
