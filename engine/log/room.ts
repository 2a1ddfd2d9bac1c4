/** Frees what a stream with a limit of bytes holds and nobody needs any more, before it has to refuse what is new. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Sequence } from '../../protocol/ids.ts';

/** Forgets what stands before `before` if the stream is half full. */
export async function makeRoom(connection: NatsConnection, stream: string, before: Sequence): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { config, state } = await manager.streams.info(stream);
  if (config.max_bytes <= 0 || state.bytes < config.max_bytes / 2 || before <= state.first_seq) return;
  await manager.streams.purge(stream, { seq: before });
}
