/**
 * A TCP proxy on loopback between one process and nats-server. It counts the frames in each direction, and a test, or a
 * plan, says what becomes of each one: it passes, is lost, comes late, or is the last one of its connection.
 *
 * X1 Order is kept: what follows a late frame in its direction waits for it.
 * X2 Only a message may be lost alone, as NATS itself may lose one. A subscription that is lost alone would be a fault of
 *    TCP, which does not exist: then the connection has to end.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { NatsFrames, type NatsFrame } from './nats-frames.ts';

export type Direction = 'TO_SERVER' | 'TO_CLIENT';

export type Frame = NatsFrame & {
  readonly direction: Direction;
  /** Counts the frames of this direction from 1, over all connections of the proxy. */
  readonly number: number;
  /** Counts the connections from 1. */
  readonly connection: number;
};

/**
 * `HALF_CLOSE`: nothing more goes this way, and its receiver is told so; the other way stays open.
 * `SILENCE`: nothing more goes this way, and nobody is told.
 */
export type Fate = 'PASS' | 'DROP' | 'CUT' | 'HALF_CLOSE' | 'SILENCE' | { readonly delayMs: number };

export type TcpProxy = {
  readonly url: string;
  /** Frames that were not passed at once, by what became of them. */
  readonly met: Readonly<Record<Exclude<Fate, object> | 'DELAY', number>>;
  /** Ends every connection at once, on both sides. */
  cut(): void;
  /** Keeps what is sent until `release`; by default what clients send. */
  hold(direction?: Direction): void;
  release(direction?: Direction): void;
  /** From now on every frame that `fateOf` wants lost, late or last is that. */
  follow(fateOf: (frame: Frame) => Fate): void;
  /** From now on a new connection is accepted and hears nothing until `greet`. */
  mute(): void;
  /** Resolves with the next connection that is accepted and hears nothing. */
  muted(): Promise<void>;
  /** Lets those that wait, and later ones, through. */
  greet(): void;
  close(): Promise<void>;
};

/** What all connections of a proxy have in common. */
class Traffic {
  readonly met = { PASS: 0, DROP: 0, CUT: 0, HALF_CLOSE: 0, SILENCE: 0, DELAY: 0 };
  readonly counts = { TO_SERVER: 0, TO_CLIENT: 0 };
  readonly held = new Set<Direction>();
  readonly pipes = new Set<Pipe>();
  connections = 0;
  fateOf: (frame: Frame) => Fate = () => 'PASS';

  decide(direction: Direction, connection: number, frame: NatsFrame): Fate {
    const number = (this.counts[direction] += 1);
    const fate = this.fateOf({ ...frame, direction, number, connection });
    this.met[typeof fate === 'string' ? fate : 'DELAY'] += 1;
    return fate;
  }
}

/** One direction of one connection. */
class Pipe {
  readonly direction: Direction;
  readonly #connection: number;
  readonly #traffic: Traffic;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #frames = new NatsFrames();
  #waiting: NatsFrame[] = [];
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(traffic: Traffic, direction: Direction, [from, to]: readonly [Socket, Socket]) {
    this.#traffic = traffic;
    this.#connection = traffic.connections;
    this.direction = direction;
    this.#from = from;
    this.#to = to;
    traffic.pipes.add(this);
    from.on('data', (chunk: Buffer) => {
      if (this.#over) return;
      this.#waiting.push(...this.#frames.push(chunk));
      this.flow();
    });
    to.on('drain', () => {
      this.flow();
    });
    from.on('close', () => {
      this.#over = true;
      clearTimeout(this.#timer);
      traffic.pipes.delete(this);
    });
  }

  /** Passes on what waits, as far as it may. */
  flow(): void {
    while (this.#waiting.length > 0 && this.#flows()) {
      if (this.#traffic.held.has(this.direction) || this.#to.writableNeedDrain) {
        this.#from.pause();
        return;
      }
      const frame = this.#waiting.shift();
      if (frame !== undefined) this.#meet(frame, this.#traffic.decide(this.direction, this.#connection, frame));
    }
    if (this.#flows()) this.#from.resume();
  }

  #flows(): boolean {
    return this.#timer === undefined && !this.#over;
  }

  #meet(frame: NatsFrame, fate: Fate): void {
    if (typeof fate === 'object') {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (!this.#to.destroyed) this.#to.write(frame.bytes);
        this.flow();
      }, fate.delayMs);
      this.#from.pause();
      return;
    }
    switch (fate) {
      case 'PASS':
        this.#to.write(frame.bytes);
        return;
      case 'DROP':
        return;
      case 'CUT':
        this.#from.destroy();
        this.#to.destroy();
        break;
      case 'HALF_CLOSE':
        this.#to.end();
        break;
      case 'SILENCE':
        break;
    }
    // From here on this direction swallows whatever it gets.
    this.#over = true;
    this.#waiting = [];
    this.#from.resume();
  }
}

export async function startTcpProxy(targetUrl: string, fateOf?: (frame: Frame) => Fate): Promise<TcpProxy> {
  const { hostname, port } = new URL(targetUrl);
  const traffic = new Traffic();
  const sockets = new Set<Socket>();
  const silent: Socket[] = [];
  let mute = false;
  if (fateOf !== undefined) traffic.fateOf = fateOf;

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const join = (client: Socket): void => {
    const upstream = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    track(upstream);
    traffic.connections += 1;
    new Pipe(traffic, 'TO_SERVER', [client, upstream]);
    new Pipe(traffic, 'TO_CLIENT', [upstream, client]);
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
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
    met: traffic.met,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    hold: (direction = 'TO_SERVER') => {
      traffic.held.add(direction);
    },
    release: (direction = 'TO_SERVER') => {
      traffic.held.delete(direction);
      for (const pipe of [...traffic.pipes]) if (pipe.direction === direction) pipe.flow();
    },
    follow: (wanted) => {
      traffic.fateOf = wanted;
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
