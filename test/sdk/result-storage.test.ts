/** Files as a store of large values. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../protocol/segment.ts';
import { fileStorage } from '../../sdk/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assent-storage-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('what was stored is there, for every process that has the folder; what was not is not', async () => {
  const [one, other] = [fileStorage(join(folder, 'new')), fileStorage(join(folder, 'new'))];
  const text = 'ä'.repeat(100_000);
  await one.put(sha256(text), text);
  expect(await other.get(sha256(text))).toBe(text);
  expect(await other.get(sha256('nothing'))).toBeUndefined();
});

test('many that store the same at once leave one file, and nothing unfinished', async () => {
  const storage = fileStorage(folder);
  const text = 'x'.repeat(500_000);
  await Promise.all(Array.from({ length: 8 }, () => storage.put(sha256(text), text)));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  expect(files.map(({ name }) => name)).toEqual([sha256(text)]);
  expect(await storage.get(sha256(text))).toBe(text);
});

test('a digest that is none does not become the name of a file', async () => {
  const storage = fileStorage(folder);
  await expect(storage.put('../../escaped', 'text')).rejects.toThrow(/is no SHA-256.*BAD_OPTION/);
  await expect(storage.get('../../etc/passwd')).rejects.toThrow(/BAD_OPTION/);
});
