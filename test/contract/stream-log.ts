/** A log on a stream of its own, for the contract and for what only JetStream has to show. */
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import type { LogUnderTest } from './log.contract.ts';

export type StreamLog = LogUnderTest & { readonly stream: string; readonly subject: string };

let streams = 0;

/** The stream is rewound by making it again with what it held up to there. */
export async function streamLog(connection: NatsConnection, manager: JetStreamManager): Promise<StreamLog> {
  const stream = `LOG${String((streams += 1))}`;
  const subject = `log.${String(streams)}`;
  const config = { name: stream, subjects: [subject], allow_direct: true };
  await manager.streams.add(config);
  const log = jetstreamLog(connection, { stream, subject });
  const other = jetstreamLog(connection, { stream, subject });
  const storeForeign = async (bytes: Uint8Array): Promise<number> => {
    const outcome = await other.append(bytes, (await other.bounds()).last);
    if (outcome.type !== 'OK') throw new Error(outcome.type);
    return outcome.seq;
  };
  return {
    stream,
    subject,
    log,
    storeForeign,
    purgeBelow: async (seq) => {
      await manager.streams.purge(stream, { seq });
    },
    rewindTo: async (seq) => {
      const kept: Uint8Array[] = [];
      for await (const message of log.read(1)) if (message.seq <= seq) kept.push(message.bytes);
      await manager.streams.delete(stream);
      await manager.streams.add(config);
      for (const bytes of kept) await storeForeign(bytes);
    },
  };
}
