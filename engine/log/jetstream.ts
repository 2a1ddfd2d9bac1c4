/**
 * The log on NATS JetStream: one subject of one stream. Works with nats-server 2.10 and newer.
 * Owns: reading by sequence, and the wiring of appender.ts (append), delivery.ts (follow) and bulk-read.ts (read).
 *
 * J1 `get` says "none" only when the stream's leader says so: a direct get may be answered by a replica that lags.
 * J2 `bounds` of a stream without messages has `first = last + 1`.
 * J3 Message bytes are a view of what the socket read: whoever keeps a few of many for long copies them.
 * J4 `follow` rejects if the stream cannot be asked; once it has resolved, whatever breaks is mended (delivery.ts).
 * J5 If a follower throws, its delivery ends and the error is thrown where it stops the process (`fatal`).
 *
 * Permissions needed on `$JS.API`: `STREAM.INFO.<stream>`, `DIRECT.GET.<stream>`, `STREAM.MSG.GET.<stream>`,
 * `CONSUMER.CREATE.<stream>.>`, `CONSUMER.DELETE.<stream>.>`; publish on `$JS.FC.<stream>.>`; subscribe on the inbox.
 */
import { jetstream } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { createInbox } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { AssentError } from '../../protocol/errors.ts';
import type { Sequence } from '../../protocol/ids.ts';
import { openAppender } from './appender.ts';
import { readStretch } from './bulk-read.ts';
import { startDelivery } from './delivery.ts';
import type { DeliveryParts } from './delivery.ts';
import { linkOf } from './link.ts';
import type { Log, StoredMessage } from './port.ts';

export type JetStreamLogOptions = {
  /** After this an append without an answer is UNKNOWN, and a question to the server has failed. */
  readonly timeoutMs?: number;
  /** How often a follower compares what it got with what the stream holds. */
  readonly watchdogMs?: number;
  /** Gets what a follower's call back throws. By default it is thrown outside any call back, which ends the process. */
  readonly fatal?: (error: unknown) => void;
};

export type JetStreamLog = Log & {
  /** Gives up the acknowledgement inbox; appends in flight become UNKNOWN. Followers are stopped by their owners. */
  close(): void;
};

export function jetstreamLog(
  connection: NatsConnection,
  where: { readonly stream: string; readonly subject: string },
  options: JetStreamLogOptions = {},
): JetStreamLog {
  const { timeoutMs = 5_000, watchdogMs = 1_000, fatal = throwOutside } = options;
  const { stream, subject } = where;
  const link = linkOf(connection);
  const client = jetstream(connection, { timeout: timeoutMs });
  const asked = client.jetstreamManager(false);
  // The client library fills this in from the connection's own prefix, which a role's permissions may narrow.
  const newInbox = (): string => createInbox(client.getOptions().watcherPrefix);
  const appender = openAppender({ connection, link, stream, subject, inbox: newInbox(), timeoutMs });

  const ask = async <T>(question: (manager: JetStreamManager) => Promise<T>): Promise<T> => {
    if (!link.isUp()) throw new AssentError('LEDGER_UNREACHABLE', `The connection to ${stream} is down.`);
    try {
      return await question(await asked);
    } catch (error) {
      if (error instanceof AssentError) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      throw new AssentError('LEDGER_UNREACHABLE', `The stream ${stream} cannot be asked: ${detail}.`, { cause: error });
    }
  };
  const bounds: Log['bounds'] = () =>
    ask(async (manager) => {
      const { state } = await manager.streams.info(stream);
      return { first: Math.max(1, state.first_seq), last: state.last_seq };
    });
  const deliveryBy = (manager: JetStreamManager): DeliveryParts => ({
    connection,
    link,
    manager,
    stream,
    inbox: newInbox(),
    watchdogMs,
    fatal,
  });

  return {
    append: (bytes, expectedLast) => appender.append(bytes, expectedLast),
    get: (seq) => (seq < 1 ? Promise.resolve(undefined) : ask((manager) => find(manager, stream, seq))),
    bounds,
    async follow(from, each) {
      await bounds(); // Rejects if there is nothing to follow; from here on delivery heals itself.
      return startDelivery(deliveryBy(await asked), from, { message: each });
    },
    async *read(from) {
      const { first, last } = await bounds();
      if (Math.max(from, first) > last) return;
      yield* readStretch(deliveryBy(await asked), { from, last, silenceMs: 2 * timeoutMs });
    },
    close: () => {
      appender.close();
    },
  };
}

async function find(manager: JetStreamManager, stream: string, seq: Sequence): Promise<StoredMessage | undefined> {
  // Without direct access, or without anybody to answer it, the leader is asked all the same.
  const direct = await manager.direct.getMessage(stream, { seq }).catch(() => null);
  const found = direct ?? (await manager.streams.getMessage(stream, { seq }));
  return found === null ? undefined : { seq: found.seq, subject: found.subject, bytes: found.data };
}

function throwOutside(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
