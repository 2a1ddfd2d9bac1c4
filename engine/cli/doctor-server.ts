/** What can be known of this machine without an engine: which nats-server it would start, and who has the data folder. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultCacheDir } from '../server/binary.ts';
import { onPath, run } from '../server/command.ts';
import { lives } from '../server/processes.ts';

export type LocalServer = { readonly path: string; readonly source: string; readonly version: string | undefined };

const VERSION_LIMIT_MS = 10_000;

/** The nats-server that an engine would start here, in the order in which it looks; nothing is fetched. */
export async function localServer(env: NodeJS.ProcessEnv = process.env): Promise<LocalServer | undefined> {
  const named = env['ASSENT_NATS_SERVER'];
  if (named !== undefined && named !== '') return described(named, 'ASSENT_NATS_SERVER');
  const found = await onPath('nats-server', env);
  if (found !== undefined) return described(found, 'PATH');
  const cache = join(defaultCacheDir(env), 'nats-server');
  const versions = (await readdir(cache).catch(() => [])).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const version of versions) {
    const server = await described(join(cache, version, 'nats-server'), 'the cache');
    if (server.version !== undefined) return server;
  }
  return undefined;
}

async function described(path: string, source: string): Promise<LocalServer> {
  const ran = await run(path, ['--version'], { timeoutMs: VERSION_LIMIT_MS });
  return { path, source, version: ran.ok ? /v(\d+\.\d+\.\d+\S*)/.exec(ran.stdout)?.[1] : undefined };
}

export type LockHolder = { readonly pid: number; readonly host: string; readonly isAlive: boolean };

/** Who says that the folder is theirs. */
export async function lockHolder(dataDir: string): Promise<LockHolder | undefined> {
  try {
    const lock = JSON.parse(await readFile(join(dataDir, 'nats', 'lock'), 'utf8')) as Partial<LockHolder> & {
      readonly birth?: string;
    };
    const { pid = -1, host = 'unknown', birth } = lock;
    return { pid, host, isAlive: await lives(pid, birth) };
  } catch {
    return undefined;
  }
}
