/**
 * Where values lie that are too large for the ledger, if not in the object store of the workspace: by the SHA-256 of their
 * text, which the ledger names.
 */
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { AssentError } from '../protocol/errors.ts';
import type { Digest } from '../protocol/ids.ts';
import { sha256 } from '../protocol/segment.ts';

/** A store of texts by their SHA-256, in 64 hexadecimal digits. What it has stored must be there from then on. */
export interface ResultStorage {
  /** Resolves when the text is stored for good; storing it again changes nothing. */
  put(digest: string, text: string): Promise<void>;
  /** Undefined: it is not there. */
  get(digest: string): Promise<string | undefined>;
}

let current: ResultStorage | undefined;

/**
 * Says where this process puts values of more than 16 kB from now on, and where it looks for them first; all processes of a
 * workspace should agree. Default, and with `undefined`: the object store of the workspace.
 *
 * @throws AssentError BAD_OPTION if it is no storage.
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { fileStorage, flow, setResultStorage, task } from 'assent';
 *
 * setResultStorage(fileStorage(mkdtempSync('/tmp/results-')));
 * const large = task({ name: 'large' }, () => 'x'.repeat(100_000));
 * const report = flow({ name: 'report' }, async () => (await large()).length);
 * console.log(await report()); // 100000
 * setResultStorage(undefined);
 */
export function setResultStorage(storage: ResultStorage | undefined): void {
  for (const member of storage === undefined ? [] : (['put', 'get'] as const)) {
    if (typeof (storage as Partial<ResultStorage> | null)?.[member] === 'function') continue;
    throw new AssentError('BAD_OPTION', `setResultStorage: ${member}: expected a function.`);
  }
  current = storage;
}

export const resultStorage = (): ResultStorage | undefined => current;

/**
 * A folder as {@link ResultStorage}: one file for each value, written whole or not at all. It can be shared by machines.
 *
 * @param folder Made if it is not there; relative to the working directory of now.
 * @throws AssentError BAD_OPTION if it has no path.
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { fileStorage } from 'assent';
 *
 * const storage = fileStorage(mkdtempSync('/tmp/results-'));
 * await storage.put('a'.repeat(64), 'the text');
 * console.log(await storage.get('a'.repeat(64))); // the text
 * console.log(await storage.get('b'.repeat(64))); // undefined
 */
export function fileStorage(folder: string): ResultStorage {
  if (typeof folder !== 'string' || folder === '') {
    throw new AssentError('BAD_OPTION', 'fileStorage needs the path of a folder.');
  }
  const root = resolve(folder);
  const fileOf = (digest: string): string => {
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new AssentError('BAD_OPTION', `'${digest}' is no SHA-256.`);
    return join(root, digest.slice(0, 2), digest);
  };
  return {
    put: async (digest, text) => {
      const file = fileOf(digest);
      if (await isThere(file)) return;
      await mkdir(dirname(file), { recursive: true });
      const unfinished = `${file}.${randomBytes(6).toString('hex')}`;
      const handle = await open(unfinished, 'wx');
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(unfinished, file);
    },
    get: async (digest) => {
      try {
        return await readFile(fileOf(digest), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/**
 * The text from the storage that is set; undefined if none is set, or it does not have it.
 * @throws AssentError VALUE_MISSING if what it has is not what was stored.
 */
export async function textInStorage(digest: Digest): Promise<string | undefined> {
  const text: unknown = await current?.get(digest);
  if (text === undefined || text === null) return undefined;
  if (typeof text === 'string' && sha256(text) === digest) return text;
  throw new AssentError('VALUE_MISSING', `What the result storage has as ${digest} is not what was stored there.`);
}
