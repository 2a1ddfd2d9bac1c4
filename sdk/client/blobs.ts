/**
 * Values that are too large to stand in the ledger, in the object store, by digest. Stored before they are proposed, so
 * that whatever the ledger names is there.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Objm, type ObjectStore } from '@nats-io/obj';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { streams } from '../../protocol/subjects.ts';
import type { Connected } from './nats-link.ts';

const TRY_LIMIT_MS = 60_000;
const TRY_AGAIN_MS = 200;
/** A value is stored before it is named, so one that is not there is gone; a replica may be behind for a moment. */
const MISSING_LIMIT_MS = 3000;

export class Blobs {
  readonly #connected: () => Connected;

  constructor(connected: () => Connected) {
    this.#connected = connected;
  }

  put(digest: Digest, text: string): Promise<void> {
    return this.#untilItWorks(`store the value ${digest}`, async ({ store }) => {
      const present = await store.info(digest);
      if (present === null || present.deleted) await store.putBlob({ name: digest }, Buffer.from(text));
    });
  }

  get(digest: Digest): Promise<string> {
    return this.#untilItWorks(`read the value ${digest}`, async (bucket) => {
      const text = (await bytesOf(bucket, digest)).toString('utf8');
      if (sha256(text) !== digest) throw new Error('its contents do not match its digest');
      return text;
    });
  }

  async #untilItWorks<T>(what: string, act: (bucket: Bucket) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + TRY_LIMIT_MS;
    for (;;) {
      try {
        const { connection, target } = this.#connected();
        const name = streams.values(target.workspace);
        return await act({ connection, name, store: await new Objm(connection).open(name, false) });
      } catch (error) {
        if (error instanceof AssentError && performance.now() > untilMs - TRY_LIMIT_MS + MISSING_LIMIT_MS) throw error;
        if (performance.now() > untilMs) {
          const detail = error instanceof Error ? error.message : String(error);
          throw new AssentError('NATS_UNREACHABLE', `Failed to ${what}: ${detail}.`, { cause: error });
        }
      }
      await pause(TRY_AGAIN_MS);
    }
  }
}

type Bucket = { readonly connection: NatsConnection; readonly name: string; readonly store: ObjectStore };

/**
 * Chunk by chunk: the object store's own `get` makes a consumer for each object, which stays on the server for minutes,
 * and waits for ever when another put of the same value replaces the chunks meanwhile.
 */
async function bytesOf({ connection, name, store }: Bucket, digest: Digest): Promise<Buffer> {
  const info = await store.info(digest);
  if (info === null || info.deleted) {
    throw new AssentError('VALUE_MISSING', `The value ${digest} is not in the object store of the workspace.`);
  }
  const { direct } = await jetstreamManager(connection, { checkAPI: false });
  const chunks: Uint8Array[] = [];
  for (let seq = 1; chunks.length < info.chunks;) {
    const chunk = await direct.getMessage(`OBJ_${name}`, { seq, next_by_subj: `$O.${name}.C.${info.nuid}` });
    if (chunk === null) throw new Error('a part of it is missing');
    chunks.push(chunk.data);
    seq = chunk.seq + 1;
  }
  return Buffer.concat(chunks);
}
