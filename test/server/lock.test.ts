import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { lockFolder } from '../../engine/server/lock.ts';
import { birthOf, lives } from '../../engine/server/processes.ts';

const root = await mkdtemp(join(tmpdir(), 'assent-lock-'));
afterAll(() => rm(root, { recursive: true, force: true }));
const newFolder = (): Promise<string> => mkdtemp(join(root, 'data-'));

/** What a process that held the lock and was killed leaves behind, with some of it changed. */
async function leftLock(folder: string, change: object): Promise<string> {
  const lock = await lockFolder(folder);
  const words = JSON.parse(await readFile(lock.file, 'utf8')) as object;
  await lock.release();
  await writeFile(lock.file, JSON.stringify({ ...words, ...change }));
  return lock.file;
}

async function pidOfEnded(): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'exit 0']);
  await once(child, 'exit');
  return child.pid ?? -1;
}

describe('the lock of a data folder', () => {
  test('a project’s own folder is none of git’s business, unless somebody has said otherwise', async () => {
    const own = join(await newFolder(), '.assent');
    // The engine locks a folder below it.
    await (await lockFolder(join(own, 'nats'))).release();
    expect(await readFile(join(own, '.gitignore'), 'utf8')).toBe('*\n');
    await writeFile(join(own, '.gitignore'), 'nats\n');
    await (await lockFolder(join(own, 'nats'))).release();
    expect(await readFile(join(own, '.gitignore'), 'utf8')).toBe('nats\n');
  });

  test('a second engine is refused, and told the pid of the first', async () => {
    const folder = await newFolder();
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({
      kind: 'FOLDER_LOCKED',
      message: expect.stringContaining(`Process ${String(process.pid)} `) as string,
    });
    await lock.release();
    const next = await lockFolder(folder);
    await next.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test('the folder and its lock are for this user only', async () => {
    const folder = join(await newFolder(), 'made', 'here');
    const lock = await lockFolder(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(lock.file)).mode & 0o777).toBe(0o600);
    await lock.release();
  });

  test('the lock of a process that has ended is taken', async () => {
    const folder = await newFolder();
    await leftLock(folder, { pid: await pidOfEnded() });
    const lock = await lockFolder(folder);
    expect(await readdir(folder)).toEqual(['lock']);
    await lock.release();
  });

  test('the lock of a process whose pid another one has now is taken', async () => {
    const folder = await newFolder();
    await leftLock(folder, { birth: '1' });
    await (await lockFolder(folder)).release();
  });

  test('of many that find a stale lock at once, one takes it', async () => {
    const pid = await pidOfEnded();
    for (let round = 0; round < 50; round += 1) {
      const folder = await newFolder();
      await leftLock(folder, { pid });
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
      const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(taken).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'FOLDER_LOCKED' });
      }
      await taken[0]?.value.release();
      expect(await readdir(folder)).toEqual([]);
    }
  });

  test('a lock from elsewhere, where pids mean nothing here, holds while it is renewed and no longer', async () => {
    const folder = await newFolder();
    const file = await leftLock(folder, { place: 'another container', host: 'elsewhere' });
    await expect(lockFolder(folder)).rejects.toMatchObject({
      kind: 'FOLDER_LOCKED',
      message: expect.stringContaining('on elsewhere') as string,
    });
    const aMinuteAgo = new Date(Date.now() - 60_000);
    await utimes(file, aMinuteAgo, aMinuteAgo);
    await (await lockFolder(folder)).release();
  });

  test('a lock file without words, left by a power cut, is taken', async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'lock'), '');
    await (await lockFolder(folder)).release();
  });

  test('a process that dies while it clears a stale lock blocks nobody', async () => {
    const folder = await newFolder();
    const file = await leftLock(folder, { pid: await pidOfEnded() });
    await writeFile(`${file}.clearing`, await readFile(file));
    await (await lockFolder(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  test('whoever lost its lock does not release that of another', async () => {
    const folder = await newFolder();
    const lost = await lockFolder(folder);
    await writeFile(lost.file, (await readFile(lost.file, 'utf8')).replace(/"nonce":"[^"]*"/, '"nonce":"another"'));
    await lost.release();
    expect(await readdir(folder)).toEqual(['lock']);
  });

  test('a file where the folder should be is said so', async () => {
    const file = join(await newFolder(), 'file');
    await writeFile(file, '');
    await expect(lockFolder(file)).rejects.toMatchObject({ kind: 'FOLDER_READ_ONLY' });
  });

  test.skipIf(process.platform !== 'linux')('a folder that cannot be written is said so', async () => {
    // Not even root can make a folder there.
    await expect(lockFolder('/sys/assent')).rejects.toMatchObject({ kind: 'FOLDER_READ_ONLY' });
  });
});

describe('a process', () => {
  test('lives until it ends, and is known by its birth', async () => {
    const child = spawn('/bin/sh', ['-c', 'read -r line'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const pid = child.pid ?? -1;
    const birth = await birthOf(pid);
    expect(birth).toBeDefined();
    expect(await lives(pid, birth)).toBe(true);
    expect(await lives(pid, `${String(birth)}0`)).toBe(false);
    child.stdin.end();
    await once(child, 'exit');
    expect(await lives(pid, birth)).toBe(false);
  });
});
