/**
 * A real nats-server for tests: on loopback, without users, in a folder of its own, with the pid in hand so that a test
 * may kill it. A server that is started again has the same port and the same folder, so clients reconnect to it.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { obtainNatsServer } from '../../engine/server/binary.ts';
import { serverFiles } from '../../engine/server/config.ts';
import { freePort } from '../../engine/server/free-port.ts';
import { launch } from '../../engine/server/launch.ts';
import type { ServerProcess } from '../../engine/server/launch.ts';

export type NatsVersion = 'newest' | '2.10';

export interface TestServer {
  readonly url: string;
  readonly dir: string;
  /** The pid of nats-server itself; a new one after every start. */
  readonly pid: number;
  /** A connection that comes back by itself. `name` shows in the server's log. */
  connect(name?: string): Promise<NatsConnection>;
  /** As `kill -9` does; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Again, on the same port and folder; with another `maxFileStore` if one is given. */
  start(maxFileStore?: string): Promise<void>;
  /** Closes every connection made by `connect`, ends the server and removes its folder. */
  stop(): Promise<void>;
}

const found = new Map<NatsVersion, Promise<string>>();

/**
 * The path of a nats-server of that version: the one that ASSENT_NATS_SERVER (newest) or ASSENT_NATS_SERVER_210 names, or
 * else one that is fetched once into the user's cache.
 */
export function natsBinary(version: NatsVersion = 'newest'): Promise<string> {
  const known = found.get(version) ?? findBinary(version);
  found.set(version, known);
  return known;
}

async function findBinary(version: NatsVersion): Promise<string> {
  const named = version === '2.10' ? process.env['ASSENT_NATS_SERVER_210'] : undefined;
  if (named !== undefined && named !== '') return named;
  return (await obtainNatsServer({ version })).path;
}

export async function startNats(
  options: {
    version?: NatsVersion;
    durability?: 'power' | 'process';
    dir?: string;
    port?: number;
    /** As nats-server writes it: `'8GB'`, which is the default here. */
    maxFileStore?: string;
  } = {},
): Promise<TestServer> {
  const binary = await natsBinary(options.version);
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'assent-nats-')));
  await mkdir(dir, { recursive: true });
  const port = options.port ?? (await freePort());
  const configure = (maxFileStore: string): Promise<void> =>
    writeFile(
      serverFiles(dir).config,
      configText({ dir, port, durability: options.durability ?? 'process', maxFileStore }),
    );
  await configure(options.maxFileStore ?? '8GB');
  // The engine's own way to start a server: a test run that is killed leaves none behind.
  const start = (): Promise<ServerProcess> => launch({ binary, dir, port, env: process.env });
  const connections: NatsConnection[] = [];
  const url = `nats://127.0.0.1:${String(port)}`;
  let server = await start();
  return {
    url,
    dir,
    get pid() {
      return server.pid;
    },
    async connect(name = 'test') {
      const connection = await connect({
        servers: url,
        name,
        noAsyncTraces: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
      });
      connections.push(connection);
      return connection;
    },
    async kill() {
      if (!server.hasEnded()) process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async start(maxFileStore) {
      await server.end();
      if (maxFileStore !== undefined) await configure(maxFileStore);
      server = await start();
    },
    async stop() {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.end();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function configText(options: {
  dir: string;
  port: number;
  durability: 'power' | 'process';
  maxFileStore: string;
}): string {
  const files = serverFiles(options.dir);
  return `
host: "127.0.0.1"
port: ${String(options.port)}
server_name: test
ports_file_dir: ${JSON.stringify(files.ports)}
log_file: ${JSON.stringify(files.log)}
max_payload: 2MB
jetstream {
  store_dir: ${JSON.stringify(files.store)}
  max_file_store: ${options.maxFileStore}
  max_memory_store: 64MB
${options.durability === 'power' ? '  sync_interval: always\n' : ''}}
`;
}
