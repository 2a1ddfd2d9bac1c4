/**
 * Snapshots: copies of the state store in the object store, so that an arbiter that begins with an empty folder need not
 * fold the ledger from its first segment.
 *
 * N1 A snapshot is a hint like the state store itself: whoever begins from it finds out first whether its head stands.
 * N2 It is made by another connection to the SQLite file, outside the arbiter's thread, which does not wait for it.
 */
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync, gzipSync } from 'node:zlib';
import { streams } from '../../protocol/subjects.ts';
import { FOLD_VERSION, type Meta } from '../fold/workspace.ts';

/** One per fold version, so that an engine of another version does not meet a state that it cannot read. */
const snapshotName = `snapshot-fold-${String(FOLD_VERSION)}`;

/** Copies the state store at `path` as it was last written. Returns the ledger's sequence that it stands at. */
async function putSnapshot(connection: NatsConnection, workspace: string, path: string): Promise<number> {
  const folder = mkdtempSync(join(dirname(path), 'snapshot-'));
  try {
    const copy = join(folder, 'state.sqlite');
    const seq = copyOf(path, copy);
    const bucket = await new Objm(connection).open(streams.values(workspace));
    await bucket.putBlob({ name: snapshotName, description: String(seq) }, gzipSync(readFileSync(copy), { level: 1 }));
    return seq;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function copyOf(path: string, copy: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec(`VACUUM INTO '${copy.replaceAll("'", "''")}'`);
  } finally {
    db.close();
  }
  return headSeq(copy);
}

function headSeq(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const row = db.prepare("SELECT value FROM rows WHERE tbl = 'meta'").get();
    return row === undefined ? 0 : (JSON.parse(String(row['value'])) as Meta).head.seq;
  } finally {
    db.close();
  }
}

/** Segments that must be new before another snapshot is worth its bytes. */
const WORTH_SEGMENTS = 5000;
const LOOK_EVERY_MS = 60_000;

/** Makes a snapshot now and then. Returns how to make one at once, and how to end it. */
export function keepSnapshots(
  connection: NatsConnection,
  workspace: string,
  path: string,
): { readonly now: () => Promise<number>; readonly stop: () => void } {
  let lastSeq = 0;
  const now = async (): Promise<number> => (lastSeq = await putSnapshot(connection, workspace, path));
  const timer = setInterval(() => {
    // What fails here costs a later start some time, nothing else; the next look tries again.
    if (existsSync(path) && headSeq(path) - lastSeq >= WORTH_SEGMENTS) void now().catch(() => undefined);
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    now,
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** Puts the newest snapshot to `path`, if nothing is there and one exists. Returns the sequence that it stands at. */
export async function restoreSnapshot(
  connection: NatsConnection,
  workspace: string,
  path: string,
): Promise<number | undefined> {
  if (existsSync(path)) return undefined;
  const bucket = await new Objm(connection).open(streams.values(workspace));
  const info = await bucket.info(snapshotName);
  const packed = info === null ? null : await bucket.getBlob(snapshotName);
  if (packed === null) return undefined;
  const draft = `${path}.restored`;
  writeFileSync(draft, gunzipSync(packed), { mode: 0o600 });
  renameSync(draft, path);
  return Number(info?.description ?? 0);
}
