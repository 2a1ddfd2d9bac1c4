/**
 * Owns `engine.json` in the data folder: where the engine of this folder can be reached, and with which credentials. It
 * is written by whoever runs the engine, and read by processes of the same user; it holds secrets, so only they may.
 *
 * C1. The file is there at once or not at all: a reader never sees half of it.
 * C2. It is removed at a clean stop; after a crash it stays, and readers ignore it because its process has ended.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Credentials } from './config.ts';
import { birthOf, lives } from './processes.ts';

export interface Connection {
  readonly v: 1;
  readonly url: string;
  readonly workspace: string;
  /** The process that runs the engine, and when it began, if that is known: a pid alone may come back. */
  readonly pid: number;
  readonly birth?: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Assent's version. */
  readonly version: string;
  readonly credentials: Credentials;
  /** The file of rules that it watches, if there is one: for `assent policy promote`. */
  readonly policyFile?: string;
}

const fileIn = (dataDir: string): string => join(dataDir, 'engine.json');

/** Announces the engine that this process runs. */
export async function writeConnectionFile(
  dataDir: string,
  connection: Pick<Connection, 'url' | 'workspace' | 'version' | 'credentials' | 'policyFile'>,
): Promise<void> {
  const birth = await birthOf(process.pid);
  const { url, workspace, version, credentials, policyFile } = connection;
  const content: Connection = {
    v: 1,
    url,
    workspace,
    pid: process.pid,
    ...(birth === undefined ? {} : { birth }),
    startedAt: new Date().toISOString(),
    version,
    credentials,
    ...(policyFile === undefined ? {} : { policyFile }),
  };
  const draft = `${fileIn(dataDir)}.${randomUUID()}`;
  try {
    await writeFile(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, fileIn(dataDir));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** The engine of this folder, if one runs. */
export async function readConnectionFile(dataDir: string): Promise<Connection | undefined> {
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => undefined);
  const connection = text === undefined ? undefined : parse(text);
  if (connection === undefined) return undefined;
  return (await lives(connection.pid, connection.birth)) ? connection : undefined;
}

/** Removes the file if it is this process's own: the next engine may have written one already. */
export async function removeConnectionFile(dataDir: string): Promise<void> {
  const text = await readFile(fileIn(dataDir), 'utf8').catch(() => undefined);
  if (text === undefined || parse(text)?.pid !== process.pid) return;
  await unlink(fileIn(dataDir)).catch(() => undefined);
}

/** A file of a later version is as good as none: its engine is not for us. */
function parse(text: string): Connection | undefined {
  try {
    const content = JSON.parse(text) as Connection | null;
    return content?.v === 1 && typeof content.url === 'string' && typeof content.pid === 'number' ? content : undefined;
  } catch {
    return undefined;
  }
}
