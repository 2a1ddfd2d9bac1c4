/**
 * The link to the server: whether the connection is up at this moment, and who is told when that changes.
 * Owns: the connection's status events. The client library owns the socket and reconnects by itself.
 *
 * K1 `isUp` is false in every synchronous moment in which a published message would be kept by the client and sent
 *    after a reconnect. It needs two witnesses. The status event comes some microtasks after the socket closed; but
 *    what is published before the client dials again is thrown away by the dial, and from the dial until the new
 *    server's greeting `connection.info` is undefined. The greeting needs the network, so the event was seen by then.
 * K2 A watcher is told once for each change, in order.
 */
import type { NatsConnection } from '@nats-io/transport-node';

export type LinkWatcher = {
  /** The connection broke or was closed; whatever was under way may have arrived or not. */
  down?(reason: string): void;
  /** Connected again; subscriptions are in force, consumers may be gone. */
  up?(): void;
  /** The server complained, for instance that something was published without permission. */
  complaint?(error: Error): void;
};

export type Link = {
  isUp(): boolean;
  /** Returns the function that ends the watch. */
  watch(watcher: LinkWatcher): () => void;
};

const links = new WeakMap<NatsConnection, Link>();

/** The one link of a connection; it lives as long as the connection. */
export function linkOf(connection: NatsConnection): Link {
  const known = links.get(connection);
  if (known !== undefined) return known;
  const link = openLink(connection);
  links.set(connection, link);
  return link;
}

function openLink(connection: NatsConnection): Link {
  const watchers = new Set<LinkWatcher>();
  let broken = connection.info === undefined;

  const down = (reason: string): void => {
    if (broken) return;
    broken = true;
    for (const watcher of [...watchers]) watcher.down?.(reason);
  };

  const listen = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') down('the connection broke');
      if (status.type === 'close') down('the connection was closed');
      if (status.type === 'error') for (const watcher of [...watchers]) watcher.complaint?.(status.error);
      if (status.type === 'reconnect' && !connection.isClosed()) {
        broken = false;
        for (const watcher of [...watchers]) watcher.up?.();
      }
    }
    down('the connection was closed');
  };
  void listen();

  return {
    isUp: () => !broken && connection.info !== undefined,
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}
