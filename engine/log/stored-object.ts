/** Reading one object of the object store of a workspace. */
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { streams } from '../../protocol/subjects.ts';

/**
 * Its bytes; undefined if it is not there. Chunk by chunk: the object store's own `get` leaves a consumer on the server
 * for each object, for minutes.
 */
export async function storedObject(
  connection: NatsConnection,
  workspace: string,
  object: string,
): Promise<Buffer | undefined> {
  const name = streams.values(workspace);
  const info = await (await new Objm(connection).open(name, false)).info(object);
  if (info === null || info.deleted) return undefined;
  const { direct } = await jetstreamManager(connection, { checkAPI: false });
  const chunks: Uint8Array[] = [];
  for (let seq = 1; chunks.length < info.chunks;) {
    const chunk = await direct.getMessage(`OBJ_${name}`, { seq, next_by_subj: `$O.${name}.C.${info.nuid}` });
    if (chunk === null) return undefined;
    chunks.push(chunk.data);
    seq = chunk.seq + 1;
  }
  return Buffer.concat(chunks);
}
