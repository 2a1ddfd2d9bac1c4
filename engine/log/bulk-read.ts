/**
 * Reads a stretch of a stream as an async iteration.
 * Owns: the queue between the server, which pushes, and the reader, who pulls. The server's word of flow control takes
 * its place in the queue and is answered when the reader gets there, so that a slow reader holds the server back and
 * the queue stays about as large as the server's window (32 MB at most), however slow the reader.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Sequence } from '../../protocol/ids.ts';
import { startDelivery } from './delivery.ts';
import type { DeliveryParts } from './delivery.ts';
import type { StoredMessage } from './port.ts';

export type Stretch = {
  readonly from: Sequence;
  readonly last: Sequence;
  /** The reading fails when nothing arrives for so long. */
  readonly silenceMs: number;
};

export async function* readStretch(parts: DeliveryParts, stretch: Stretch): AsyncGenerator<StoredMessage> {
  const queue = new Queue();
  const delivery = startDelivery(parts, stretch.from, {
    message: (message) => {
      queue.put(message);
    },
    hold: (goOn) => {
      queue.put(goOn);
    },
    caughtUp: () => {
      queue.end();
    },
  });
  try {
    for (;;) {
      for (const item of queue.take()) {
        if (typeof item === 'function') {
          item();
          continue;
        }
        if (item.seq <= stretch.last) yield item;
        if (item.seq >= stretch.last) return;
      }
      if (!(await queue.more(stretch.silenceMs))) return;
    }
  } catch (error) {
    if (error !== SILENCE) throw error;
    throw new AssentError(
      'LEDGER_UNREACHABLE',
      `Nothing more of ${parts.stream} arrived for ${String(stretch.silenceMs)} ms.`,
    );
  } finally {
    delivery.stop();
  }
}

type Item = StoredMessage | (() => void);

const SILENCE = new Error('silence');

class Queue {
  #items: Item[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  put(item: Item): void {
    this.#items.push(item);
    this.#wake();
  }

  /** What is queued is all there is, and all that will be asked for. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  take(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  /** True when there is something to take, false when nothing is to come; throws SILENCE. */
  async more(silenceMs: number): Promise<boolean> {
    if (this.#items.length === 0 && !this.#ended) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(SILENCE);
        }, silenceMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#items.length > 0;
  }
}
