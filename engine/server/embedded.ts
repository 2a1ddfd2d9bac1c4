/**
 * Owns the embedded nats-server of a data folder, in the folder `nats` below it. Whoever starts it keeps it by stopping
 * it; `launch.ts` knows how one server process lives, this file knows what happens between two of them.
 *
 * E1. One store, one server: the folder is locked, and the server of a killed engine is gone before the next one starts.
 * E2. From the start to `stop()` there is a server: one that ends unasked is started again, on the same port, with the
 *     same secrets, so that clients come back by themselves.
 * E3. Files that hold secrets are for this user only (0600), and so is the folder (0700).
 */
import { access, chmod, constants, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isWorkspaceName } from '../../protocol/subjects.ts';
import { AssentError } from '../../protocol/errors.ts';
import { defaultCacheDir, obtainNatsServer } from './binary.ts';
import { newCredentials, serverConfig, serverFiles } from './config.ts';
import type { Credentials } from './config.ts';
import { fileStoreLimit } from './disk.ts';
import { freePort } from './free-port.ts';
import { keepServer } from './keeper.ts';
import type { Keeper, UnexpectedExit } from './keeper.ts';
import { endFormerServer, launch } from './launch.ts';
import type { ServerProcess } from './launch.ts';
import { folderError, lockFolder } from './lock.ts';
import type { FolderLock } from './lock.ts';

export interface EmbeddedServerOptions {
  readonly dataDir: string;
  readonly workspace?: string;
  readonly durability?: 'power' | 'process';
  /** Left out: a free one. */
  readonly port?: number;
  /** Left out: 75 % of the free disk, at most 64 GB, at least 1 GB. */
  readonly maxFileStoreBytes?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly say?: (line: string) => void;
  /** The server ended unasked; it is being started again. */
  readonly onExit?: (exit: UnexpectedExit) => void;
}

export interface EmbeddedServer {
  readonly url: string;
  /** Of nats-server itself; a new one after every restart. */
  readonly pid: number;
  readonly version: string;
  readonly binary: string;
  readonly credentials: Credentials;
  readonly maxFileStoreBytes: number;
  /** Ends the server and starts it again; for a server that no longer answers. Resolves when it greets clients. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const workspace = options.workspace ?? 'default';
  if (!isWorkspaceName(workspace))
    throw new AssentError('USAGE', `${JSON.stringify(workspace)} is no workspace's name.`);
  const env = options.env ?? process.env;
  const say = options.say ?? ((): void => undefined);
  // The server runs in whatever folder we run in, but its files must not depend on that.
  const dataDir = resolve(options.dataDir);
  const dir = join(dataDir, 'nats');
  const lock = await lockFolder(dir);
  try {
    // E3: also for a folder that was there already.
    await chmod(dir, 0o700);
    const { path: binary, version } = await obtainNatsServer({ cacheDir: await cacheDirFor(dataDir, env), env, say });
    await endFormerServer(dir);
    const settings = {
      workspace,
      dir,
      durability: options.durability ?? 'power',
      maxFileStoreBytes: options.maxFileStoreBytes ?? (await fileStoreLimit(serverFiles(dir).store, dir)),
      credentials: newCredentials(),
    };
    const { server, port } = await launchOnPort(options.port, async (candidate) => {
      await writeSecretFile(serverFiles(dir).config, serverConfig({ ...settings, port: candidate }));
      return launch({ binary, dir, port: candidate, env });
    });
    const keeper = keepServer(server, {
      launch: (signal) => launch({ binary, dir, port, env, signal }),
      say,
      onExit: options.onExit ?? ((): void => undefined),
    });
    return describe(keeper, { port, version, binary, lock, ...settings });
  } catch (error) {
    await lock.release();
    throw folderError(error, dir);
  }
}

function describe(
  keeper: Keeper,
  facts: Pick<EmbeddedServer, 'version' | 'binary' | 'credentials' | 'maxFileStoreBytes'> & {
    readonly port: number;
    readonly lock: FolderLock;
  },
): EmbeddedServer {
  const { port, lock, version, binary, credentials, maxFileStoreBytes } = facts;
  return {
    url: `nats://127.0.0.1:${String(port)}`,
    get pid() {
      return keeper.pid();
    },
    version,
    binary,
    credentials,
    maxFileStoreBytes,
    restart: () => keeper.restart(),
    async stop() {
      await keeper.stop();
      await lock.release();
    },
  };
}

/** The user's cache, which all projects share; below the data folder where there is no writable home. */
async function cacheDirFor(dataDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const shared = defaultCacheDir(env);
  try {
    await mkdir(shared, { recursive: true });
    await access(shared, constants.W_OK);
    return shared;
  } catch {
    return join(dataDir, 'cache');
  }
}

async function writeSecretFile(file: string, text: string): Promise<void> {
  // The mode is for new files only.
  await rm(file, { force: true });
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
}

/** A free port may be taken between its choice and the server's start; then another one is as good. */
async function launchOnPort(
  wanted: number | undefined,
  launchOn: (port: number) => Promise<ServerProcess>,
): Promise<{ server: ServerProcess; port: number }> {
  for (let tried = 1; ; tried += 1) {
    const port = wanted ?? (await freePort());
    try {
      return { server: await launchOn(port), port };
    } catch (error) {
      const another = wanted === undefined && tried < 5;
      if (!another || !(error instanceof AssentError) || error.kind !== 'PORT_IN_USE') throw error;
    }
  }
}
