/** A TCP proxy on loopback whose connections a test can cut or hold up, and which can leave new ones without a word. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

export type TcpProxy = {
  readonly url: string;
  /** Ends every connection at once, on both sides. */
  cut(): void;
  /** Keeps what clients send until `release`. */
  hold(): void;
  release(): void;
  /** From now on a new connection is accepted and hears nothing until `greet`. */
  mute(): void;
  /** Resolves with the next connection that is accepted and hears nothing. */
  muted(): Promise<void>;
  /** Lets those that wait, and later ones, through. */
  greet(): void;
  close(): Promise<void>;
};

export async function startTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(targetUrl);
  const sockets = new Set<Socket>();
  const pairs = new Map<Socket, Socket>();
  const silent: Socket[] = [];
  let mute = false;

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const join = (client: Socket): void => {
    const upstream = connect(Number(port), hostname);
    track(upstream);
    pairs.set(client, upstream);
    client.pipe(upstream).pipe(client);
    client.on('close', () => {
      pairs.delete(client);
      upstream.destroy();
    });
    upstream.on('close', () => client.destroy());
  };
  const server = createServer((client) => {
    track(client);
    if (!mute) {
      join(client);
      return;
    }
    silent.push(client);
    server.emit('muted');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `nats://127.0.0.1:${String(address.port)}`,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    hold: () => {
      for (const [client, upstream] of pairs) client.unpipe(upstream);
    },
    release: () => {
      for (const [client, upstream] of pairs) client.pipe(upstream);
    },
    mute: () => {
      mute = true;
    },
    muted: async () => {
      await once(server, 'muted');
    },
    greet: () => {
      mute = false;
      for (const client of silent.splice(0)) join(client);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
