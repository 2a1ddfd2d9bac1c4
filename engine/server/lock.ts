/**
 * Owns the lock that keeps a second engine away from a data folder. A lock is a file created with O_EXCL that says who
 * holds it.
 *
 * L1. A lock is taken from nobody who lives. Whether its holder lives is decided by pid and birth where pids are
 *     comparable, and elsewhere (a container that is gone, another machine on a shared disk) by whether it is renewed.
 * L2. A stale lock is removed by one process at a time, and only while it is still the lock that was judged stale.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import { birthOf, lives, placeOfPids } from './processes.ts';

const RENEWED_EVERY_MS = 5_000;
/** A holder that cannot be looked at has ended when its lock was not renewed for so long: six renewals. */
const STALE_AFTER_MS = 30_000;
/** How long a lock may stay without words: between its creation and its first write lie microseconds. */
const WORDLESS_LIMIT_MS = 1_000;
const LOOK_EVERY_MS = 20;

export interface FolderLock {
  readonly file: string;
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly birth?: string | undefined;
  readonly place: string;
  readonly host: string;
  readonly nonce: string;
}

/** Makes the folder if need be, and locks it; FOLDER_LOCKED if somebody else holds it, FOLDER_READ_ONLY if it cannot be written. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = join(folder, 'lock');
  const me = await describeMe();
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // In a project, git is not to see secrets and data; whoever wants otherwise may change it.
    const own = [folder, dirname(folder)].find((one) => basename(one) === '.assent');
    if (own !== undefined) await writeFile(join(own, '.gitignore'), '*\n', { flag: 'wx' }).catch(() => undefined);
    await acquire(file, me);
  } catch (error) {
    throw folderError(error, folder);
  }
  const renewal = setInterval(() => {
    const now = new Date();
    // A lock that cannot be renewed (a full or vanished disk) is a matter for whoever writes to the folder.
    utimes(file, now, now).catch(() => undefined);
  }, RENEWED_EVERY_MS);
  renewal.unref();
  return {
    file,
    async release() {
      clearInterval(renewal);
      if ((await read(file))?.nonce === me.nonce) await unlink(file).catch(() => undefined);
    },
  };
}

/** Waits for whoever holds the folder's lock, for so long; returns how to release it. */
export async function waitForLock(folder: string, limitMs: number): Promise<() => Promise<void>> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    try {
      const lock = await lockFolder(folder);
      return () => lock.release();
    } catch (error) {
      const held = error instanceof AssentError && error.kind === 'FOLDER_LOCKED';
      if (!held || performance.now() > deadlineMs) throw error;
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** What the file system's refusal of a data folder means to its user; other errors are returned as they are. */
export function folderError(error: unknown, folder: string): unknown {
  if (error instanceof AssentError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC'].includes(code)) return error;
  const detail = code === 'EEXIST' ? 'it is a file' : (error as Error).message;
  return new AssentError('FOLDER_READ_ONLY', `The data folder ${folder} cannot be written: ${detail}.`, {
    cause: error,
  });
}

async function describeMe(): Promise<Holder> {
  return {
    pid: process.pid,
    birth: await birthOf(process.pid),
    place: await placeOfPids(),
    host: hostname(),
    nonce: randomUUID(),
  };
}

async function acquire(file: string, me: Holder): Promise<void> {
  for (;;) {
    if (await create(file, me)) return;
    const holder = await read(file);
    if (holder === undefined) continue;
    if (await holds(holder, file, me)) throw locked(file, holder);
    // L2: the guard is a lock like this one, so that a process that dies while it clears a stale lock blocks nobody.
    const guard = `${file}.clearing`;
    await acquire(guard, me);
    try {
      if ((await read(file))?.nonce === holder.nonce) await unlink(file);
    } finally {
      await unlink(guard);
    }
  }
}

async function create(file: string, me: Holder): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(`${JSON.stringify(me)}\n`);
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Who holds the lock; `undefined` if nobody does. A lock that stays without words was left by a crash. */
async function read(file: string): Promise<Holder | undefined> {
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const holder = parse(text);
    if (holder !== undefined) return holder;
    if (waitedMs >= WORDLESS_LIMIT_MS) return { pid: -1, place: 'nowhere', host: 'unknown', nonce: `wordless ${text}` };
    await pause(LOOK_EVERY_MS);
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    const { pid, birth, place, host, nonce } = holder ?? {};
    if (typeof pid !== 'number' || typeof place !== 'string' || typeof host !== 'string') return undefined;
    return typeof nonce === 'string' ? { pid, birth, place, host, nonce } : undefined;
  } catch {
    return undefined;
  }
}

/** L1. */
async function holds(holder: Holder, file: string, me: Holder): Promise<boolean> {
  if (holder.pid === -1) return false;
  if (holder.place === me.place) return lives(holder.pid, holder.birth);
  const renewedAtMs = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  return Date.now() - renewedAtMs < STALE_AFTER_MS;
}

function locked(file: string, holder: Holder): AssentError {
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
  return new AssentError('FOLDER_LOCKED', `Process ${String(holder.pid)}${where} holds ${file}.`);
}
