/** Connections of the engine's own parts to NATS. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { AssentError } from '../protocol/errors.ts';

export type Address = {
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly inboxPrefix?: string;
};

export type Connected = {
  readonly connection: NatsConnection;
  /** Calls back each time that a lost connection is back; what was in flight is in doubt then. */
  readonly whenReconnected: (run: () => void) => void;
};

const RECONNECT_WAIT_MS = 50;
const CONNECT_TIMEOUT_MS = 5000;
const PING_MS = 5000;

/** Reconnects for ever. Throws NATS_UNREACHABLE when the first attempt fails. */
export async function connectTo(address: Address, name: string): Promise<Connected> {
  const { url, user, password, inboxPrefix } = address;
  try {
    const connection = await connect({
      servers: url,
      name,
      // The default keeps a stack for every request: half of the throughput.
      noAsyncTraces: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      timeout: CONNECT_TIMEOUT_MS,
      // A half-open socket is noticed after two of these; by default it would take four minutes.
      pingInterval: PING_MS,
      maxPingOut: 2,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
    });
    return { connection, whenReconnected: reconnects(connection) };
  } catch (error) {
    throw new AssentError('NATS_UNREACHABLE', `no connection to ${withoutSecrets(url)}: ${String(error)}`, {
      cause: error,
    });
  }
}

function reconnects(connection: NatsConnection): (run: () => void) => void {
  const runs: (() => void)[] = [];
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === 'reconnect') for (const run of runs) run();
    }
  })();
  return (run) => runs.push(run);
}

/** A URL as it may be shown: without user and password. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

/** The address of `ASSENT_URL`: user and password may stand in it. */
export function addressOf(url: string): Address {
  const parsed = new URL(url.includes('://') ? url : `nats://${url}`);
  return {
    url: `${parsed.protocol}//${parsed.host}`,
    ...(parsed.username === '' ? {} : { user: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
}
