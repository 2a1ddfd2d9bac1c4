/** Collects what a follower is given, and says when a number of messages is reached. */
import type { StoredMessage } from '../../engine/log/port.ts';

export type Collector = {
  readonly each: (message: StoredMessage) => void;
  readonly messages: readonly StoredMessage[];
  /** The messages so far, as soon as there are `count` of them. */
  readonly reached: (count: number) => Promise<readonly StoredMessage[]>;
};

export function collector(): Collector {
  const messages: StoredMessage[] = [];
  const waiting: { readonly count: number; readonly resolve: (messages: readonly StoredMessage[]) => void }[] = [];
  return {
    messages,
    each: (message) => {
      messages.push(message);
      for (const { count, resolve } of waiting) if (messages.length === count) resolve([...messages]);
    },
    reached: (count) =>
      new Promise((resolve) => {
        if (messages.length >= count) resolve([...messages]);
        else waiting.push({ count, resolve });
      }),
  };
}
