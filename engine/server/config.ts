/**
 * Owns the text of the embedded server's configuration: loopback only, one user per role, and a disk limit. Pure; who
 * writes it to a file sees to the file's mode, for it holds the secrets.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { permissionsOf, ROLES } from './permissions.ts';
import type { Role } from './permissions.ts';

export interface Credential {
  readonly user: string;
  readonly password: string;
}
export type Credentials = Readonly<Record<Role, Credential>>;

export interface ServerConfig {
  readonly workspace: string;
  /** The server's own folder. */
  readonly dir: string;
  readonly port: number;
  readonly durability: 'power' | 'process';
  readonly maxFileStoreBytes: number;
  readonly credentials: Credentials;
}

/**
 * Twice the largest thing that Assent sends (a batch of proposals, 1 MB), so that headers always fit; not more, for the
 * server buffers what a client sends before anybody looks at it.
 */
const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;
/** Nothing of Assent's is stored in memory but the state of passing consumers. */
const MAX_MEMORY_STORE_BYTES = 256 * 1024 * 1024;

export const serverFiles = (dir: string) =>
  ({
    config: join(dir, 'server.conf'),
    log: join(dir, 'nats-server.log'),
    /** What goes to standard error: complaints about the configuration, and a crash's last words. */
    errors: join(dir, 'nats-server.err'),
    pid: join(dir, 'nats-server.pid'),
    /** Which process runs on this store, in our words: (pid, birth). */
    process: join(dir, 'process.json'),
    ports: join(dir, 'ports'),
    store: join(dir, 'jetstream'),
  }) as const;

/** A user per role, with 32 bytes of chance each. */
export function newCredentials(): Credentials {
  const credential = (role: Role): Credential => ({ user: role, password: randomBytes(32).toString('base64url') });
  return { engine: credential('engine'), sdk: credential('sdk'), cli: credential('cli') };
}

export function serverConfig(config: ServerConfig): string {
  const files = serverFiles(config.dir);
  return `# Written anew at each start.
host: "127.0.0.1"
port: ${String(config.port)}
server_name: ${quote(`assent-${config.workspace}`)}
pid_file: ${quote(files.pid)}
ports_file_dir: ${quote(files.ports)}
log_file: ${quote(files.log)}
logfile_size_limit: ${String(16 * 1024 * 1024)}
logfile_max_num: 4
max_payload: ${String(MAX_PAYLOAD_BYTES)}
jetstream {
  store_dir: ${quote(files.store)}
  max_file_store: ${String(config.maxFileStoreBytes)}
  max_memory_store: ${String(MAX_MEMORY_STORE_BYTES)}
${config.durability === 'power' ? '  sync_interval: always\n' : ''}}
accounts {
  ASSENT {
    jetstream: enabled
    users: [
${ROLES.map((role) => userText(role, config)).join('\n')}
    ]
  }
}
`;
}

function userText(role: Role, config: ServerConfig): string {
  const { user, password } = config.credentials[role];
  const permissions = permissionsOf(role, config.workspace);
  const lists =
    permissions === undefined
      ? ''
      : `, permissions: {
        publish: { allow: ${listText(permissions.publish)} }
        subscribe: { allow: ${listText(permissions.subscribe)} }
      }`;
  return `      { user: ${quote(user)}, password: ${quote(password)}${lists} }`;
}

const listText = (subjects: readonly string[]): string =>
  `[\n${subjects.map((subject) => `          ${quote(subject)}`).join('\n')}\n        ]`;

/** The server's quoted strings know JSON's escapes but `\uXXXX`, which JSON needs only for control characters. */
const quote = (text: string): string => JSON.stringify(text);
