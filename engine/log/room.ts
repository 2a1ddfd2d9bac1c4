/** Frees what a stream with a limit of bytes holds and nobody needs any more, before it has to refuse what is new. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Sequence } from '../../protocol/ids.ts';

/**
 * Forgets what stands before a sequence if the stream is half full; or if nothing came since it was asked last, for then
 * it costs nobody anything, and a server that is full as a whole refuses what is new without a word: to a ledger that has
 * grown, what is kept here for nobody would be the room that it lacks.
 */
export function roomMaker(connection: NatsConnection, stream: string): (before: Sequence) => Promise<void> {
  let lastSeen = -1;
  return async (before) => {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { config, state } = await manager.streams.info(stream);
    const isIdle = state.last_seq === lastSeen;
    lastSeen = state.last_seq;
    const isFilling = config.max_bytes > 0 && state.bytes >= config.max_bytes / 2;
    if (before > state.first_seq && (isIdle || isFilling)) await manager.streams.purge(stream, { seq: before });
  };
}
