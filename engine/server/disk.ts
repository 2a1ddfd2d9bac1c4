/**
 * How much of the disk the store may take. The limit is given to the server once, at its start, and counts what the
 * store already holds.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { RESERVED_BYTES } from '../log/streams.ts';

const SHARE_OF_FREE = 0.75;
const CEILING_BYTES = 64e9;
/** What is kept for the ledger and the values besides what the other streams reserve. */
const LEDGER_FLOOR_BYTES = 2e9;
/**
 * Never below what the streams reserve: a 2.10 server that starts with less does not recover all of them. A disk with
 * less to spare says so itself, when it is full.
 */
export const FLOOR_BYTES = RESERVED_BYTES + LEDGER_FLOOR_BYTES;

/** 75 % of what is free or already the store's, at most 64 GB, at least FLOOR_BYTES. */
export async function fileStoreLimit(store: string, folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  const share = Math.floor((bavail * bsize + (await sizeOf(store))) * SHARE_OF_FREE);
  return Math.max(FLOOR_BYTES, Math.min(CEILING_BYTES, share));
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    // A file may go while we look: the former server's last clean-up.
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
