/** Connections to an embedded server in one of its roles, as the SDK and the command line make them. */
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Credentials } from '../../engine/server/config.ts';
import { inboxPrefixOf } from '../../engine/server/permissions.ts';
import type { Role } from '../../engine/server/permissions.ts';

export function connectAs(
  server: { readonly url: string; readonly credentials: Credentials },
  role: Role,
): Promise<NatsConnection> {
  const { user, password } = server.credentials[role];
  return connect({
    servers: server.url,
    user,
    pass: password,
    inboxPrefix: inboxPrefixOf(role),
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  });
}

/** Resolves when this connection has come back after a loss. */
export async function reconnected(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === 'reconnect') return;
  }
}
