/**
 * Values that are too large to stand in the ledger, in the object store, by digest. Stored before they are proposed, so
 * that whatever the ledger names is there.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Objm, type ObjectStore } from '@nats-io/obj';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import { sha256 } from '../../protocol/segment.ts';
import { streams } from '../../protocol/subjects.ts';
import type { Connected } from './nats-link.ts';

const TRY_LIMIT_MS = 60_000;
const TRY_AGAIN_MS = 200;

export class Blobs {
  readonly #connected: () => Connected;

  constructor(connected: () => Connected) {
    this.#connected = connected;
  }

  put(digest: Digest, text: string): Promise<void> {
    return this.#untilItWorks(`store the value ${digest}`, async (store) => {
      const present = await store.info(digest);
      if (present === null || present.deleted) await store.putBlob({ name: digest }, Buffer.from(text));
    });
  }

  get(digest: Digest): Promise<string> {
    return this.#untilItWorks(`read the value ${digest}`, async (store) => {
      const bytes = await store.getBlob(digest);
      if (bytes === null) throw new Error('it is not in the object store');
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
      if (sha256(text) !== digest) throw new Error('its contents do not match its digest');
      return text;
    });
  }

  async #untilItWorks<T>(what: string, act: (store: ObjectStore) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + TRY_LIMIT_MS;
    for (;;) {
      try {
        const { connection, target } = this.#connected();
        return await act(await new Objm(connection).open(streams.values(target.workspace), false));
      } catch (error) {
        if (performance.now() > untilMs) {
          const detail = error instanceof Error ? error.message : String(error);
          throw new AssentError('NATS_UNREACHABLE', `Failed to ${what}: ${detail}.`, { cause: error });
        }
      }
      await pause(TRY_AGAIN_MS);
    }
  }
}
