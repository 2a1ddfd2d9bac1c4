/**
 * Finds a nats-server binary, or fetches one into the user's cache. Sources, in order: ASSENT_NATS_SERVER, PATH, the
 * cache, the official release (`release.ts`), the system's package archive (`archive.ts`).
 *
 * B1. What is in the cache has been run once, at least to say its version; it appears there whole or not at all.
 * B2. The system is not touched: everything that is fetched lies in the cache folder, and needs no rights but to it.
 * B3. What the user named (ASSENT_NATS_SERVER) is used or refused, never passed over in silence.
 */
import { randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AssentError } from '../../protocol/errors.ts';
import { fetchFromArchive } from './archive.ts';
import { onPath, run } from './command.ts';
import { waitForLock } from './lock.ts';
import { fetchRelease, platformName } from './release.ts';
import type { Fetched } from './release.ts';

export type Wish = 'newest' | '2.10';

export interface NatsServerBinary {
  readonly path: string;
  readonly version: string;
  /** Where it came from, for people. */
  readonly source: string;
}

export interface ObtainOptions {
  readonly cacheDir?: string;
  /** `newest` takes anything from 2.10 on; `2.10` wants exactly that line, for tests against old servers. */
  readonly version?: Wish;
  readonly env?: NodeJS.ProcessEnv;
  readonly say?: (line: string) => void;
  /** Another place with the layout of the official releases. */
  readonly releaseBase?: string;
}

/** The official releases that we ask for. */
const PINNED = { newest: '2.15.1', '2.10': '2.10.27' } as const satisfies Record<Wish, string>;
const RELEASE_BASE = 'https://github.com/nats-io/nats-server/releases/download';
/** Suites of Debian that carry a new enough nats-server, newest first. */
const SUITES = { newest: ['sid', 'trixie'], '2.10': ['trixie'] } as const satisfies Record<Wish, readonly string[]>;
/** How long to wait for another process that is fetching into the same cache. */
const FETCHING_LIMIT_MS = 180_000;
const FETCHING = '.fetching-';

export async function obtainNatsServer(options: ObtainOptions = {}): Promise<NatsServerBinary> {
  const wish = options.version ?? 'newest';
  const env = options.env ?? process.env;
  const say = options.say ?? ((): void => undefined);
  const cacheDir = resolve(options.cacheDir ?? defaultCacheDir(env));
  const named = env['ASSENT_NATS_SERVER'];
  if (wish === 'newest' && named !== undefined && named !== '') return useNamed(named);

  const tried: string[] = [];
  const local = await findLocally({ wish, env, cacheDir, tried });
  if (local !== undefined) return local;
  // Processes that start together (test workers, say) fetch once: the others wait, and find it in the cache.
  const release = await waitForLock(join(cacheDir, 'nats-server'), FETCHING_LIMIT_MS).catch((error: unknown) => {
    throw missing([...tried, `the cache: ${(error as Error).message}`]);
  });
  try {
    return (
      (await findCached(wish, cacheDir)) ??
      (await fetchInto({ wish, env, cacheDir, say, tried, releaseBase: options.releaseBase ?? RELEASE_BASE }))
    );
  } finally {
    await release();
  }
}

/** Shared by all projects of the user: a clone finds what another one has fetched. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['XDG_CACHE_HOME'];
  if (named !== undefined && named !== '') return join(named, 'assent');
  const home = env['HOME'] ?? homedir();
  return process.platform === 'darwin' ? join(home, 'Library', 'Caches', 'assent') : join(home, '.cache', 'assent');
}

/** B3. */
async function useNamed(path: string): Promise<NatsServerBinary> {
  const asked = await versionOf(path);
  if (!asked.ok) throw missing([`ASSENT_NATS_SERVER=${path}: ${asked.why}`]);
  if (!fits(asked.version, 'newest')) {
    throw new AssentError('NATS_SERVER_TOO_OLD', `ASSENT_NATS_SERVER=${path} is version ${asked.version}.`);
  }
  return { path: resolve(path), version: asked.version, source: 'ASSENT_NATS_SERVER' };
}

async function findLocally(search: {
  wish: Wish;
  env: NodeJS.ProcessEnv;
  cacheDir: string;
  tried: string[];
}): Promise<NatsServerBinary | undefined> {
  const { wish, env, cacheDir, tried } = search;
  tried.push('ASSENT_NATS_SERVER: not set');
  const path = await onPath('nats-server', env);
  const asked = path === undefined ? undefined : await versionOf(path);
  if (path === undefined || asked === undefined) tried.push('PATH: no nats-server');
  else if (!asked.ok) tried.push(`PATH: ${path}: ${asked.why}`);
  else if (!fits(asked.version, wish)) tried.push(`PATH: ${path} is version ${asked.version}`);
  else return { path, version: asked.version, source: 'PATH' };

  const cached = await findCached(wish, cacheDir);
  if (cached === undefined) tried.push(`the cache: nothing in ${cachedFile(wish, cacheDir)}`);
  return cached;
}

async function findCached(wish: Wish, cacheDir: string): Promise<NatsServerBinary | undefined> {
  const path = cachedFile(wish, cacheDir);
  const asked = await versionOf(path);
  return asked.ok && fits(asked.version, wish) ? { path, version: asked.version, source: 'the cache' } : undefined;
}

/** Named after what was wished for: an older server that had to do is not asked for again, until we wish for more. */
const cachedFile = (wish: Wish, cacheDir: string): string =>
  join(cacheDir, 'nats-server', `${PINNED[wish]}-${platformName()}`, 'nats-server');

async function fetchInto(search: {
  wish: Wish;
  env: NodeJS.ProcessEnv;
  cacheDir: string;
  say: (line: string) => void;
  tried: string[];
  releaseBase: string;
}): Promise<NatsServerBinary> {
  const { wish, env, cacheDir, say, tried, releaseBase } = search;
  const version = PINNED[wish];
  await removeLeftovers(join(cacheDir, 'nats-server'));
  const sources: { name: string; fetch: (folder: string) => Promise<Fetched> }[] = [
    { name: 'the official release', fetch: (folder) => fetchRelease({ version, base: releaseBase, folder, env, say }) },
    ...SUITES[wish].map((suite) => ({
      name: `the package archive (${suite})`,
      fetch: (folder: string) => fetchFromArchive({ suite, folder, env, say }),
    })),
  ];
  for (const { name, fetch } of sources) {
    const installed = await install(wish, cacheDir, fetch);
    if (installed.ok) {
      say(`nats-server ${installed.version} came from ${name}`);
      return { path: cachedFile(wish, cacheDir), version: installed.version, source: name };
    }
    tried.push(`${name}: ${installed.why}`);
  }
  throw missing(tried);
}

/** What a process left that was killed while it fetched. We hold the lock, so nobody is fetching. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(FETCHING));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

type Asked = { readonly ok: true; readonly version: string } | { readonly ok: false; readonly why: string };

/** B1: fetched and unpacked beside its place, run once, and put in its place by one rename. */
async function install(wish: Wish, cacheDir: string, fetch: (folder: string) => Promise<Fetched>): Promise<Asked> {
  const target = join(cachedFile(wish, cacheDir), '..');
  const work = join(cacheDir, 'nats-server', `${FETCHING}${randomUUID()}`);
  try {
    await mkdir(join(work, 'new'), { recursive: true });
    const fetched = await fetch(work);
    if (!fetched.ok) return fetched;
    const file = join(work, 'new', 'nats-server');
    await copyFile(fetched.file, file);
    await chmod(file, 0o755);
    const asked = await versionOf(file);
    if (!asked.ok) return asked;
    if (!fits(asked.version, wish)) return { ok: false, why: `it has version ${asked.version}` };
    // Whatever is in its place already does not run, or we would not be here.
    await rename(target, join(work, 'former')).catch(() => undefined);
    await rename(join(work, 'new'), target);
    return asked;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function versionOf(path: string): Promise<Asked> {
  const ran = await run(path, ['--version'], { timeoutMs: 10_000 });
  if (!ran.ok) return { ok: false, why: `it does not run: ${ran.why}` };
  const version = /v(\d+\.\d+\.\d+\S*)/.exec(ran.stdout)?.[1];
  return version === undefined ? { ok: false, why: 'it does not say its version' } : { ok: true, version };
}

function fits(version: string, wish: Wish): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return wish === '2.10' ? major === 2 && minor === 10 : major > 2 || (major === 2 && minor >= 10);
}

const missing = (tried: readonly string[]): AssentError =>
  new AssentError(
    'NATS_SERVER_MISSING',
    `No nats-server was found. Tried:\n${tried.map((line) => `  - ${line}`).join('\n')}\n`,
  );
