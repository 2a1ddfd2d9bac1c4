import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { newCredentials } from '../../engine/server/config.ts';
import { readConnectionFile, removeConnectionFile, writeConnectionFile } from '../../engine/server/connection-file.ts';

const root = await mkdtemp(join(tmpdir(), 'assent-connection-'));
afterAll(() => rm(root, { recursive: true, force: true }));
const newFolder = (): Promise<string> => mkdtemp(join(root, 'data-'));
const engine = { url: 'nats://127.0.0.1:4222', workspace: 'default', version: '0.2.0', credentials: newCredentials() };

test('what was written is read, by this user only, until it is removed', async () => {
  const folder = await newFolder();
  expect(await readConnectionFile(folder)).toBeUndefined();
  await writeConnectionFile(folder, engine);
  expect(await readConnectionFile(folder)).toMatchObject({ v: 1, pid: process.pid, ...engine });
  expect((await stat(join(folder, 'engine.json'))).mode & 0o777).toBe(0o600);
  await removeConnectionFile(folder);
  expect(await readdir(folder)).toEqual([]);
  expect(await readConnectionFile(folder)).toBeUndefined();
});

test('writing again replaces the file whole, whatever its mode was', async () => {
  const folder = await newFolder();
  await writeFile(join(folder, 'engine.json'), '{}', { mode: 0o644 });
  await writeConnectionFile(folder, engine);
  expect((await stat(join(folder, 'engine.json'))).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['engine.json']);
});

test('the file of an engine that was killed is ignored, and not removed by another process', async () => {
  const folder = await newFolder();
  await writeConnectionFile(folder, engine);
  const file = join(folder, 'engine.json');
  const words = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...words, birth: '1' }));
  expect(await readConnectionFile(folder)).toBeUndefined();
  await writeFile(file, JSON.stringify({ ...words, pid: process.ppid, birth: undefined }));
  expect(await readConnectionFile(folder)).toMatchObject({ pid: process.ppid });
  await removeConnectionFile(folder);
  expect(await readdir(folder)).toEqual(['engine.json']);
});

test.each(['', '{', 'null', '{"v":2,"url":"nats://127.0.0.1:1","pid":1}'])('%j is no engine', async (text) => {
  const folder = await newFolder();
  await writeFile(join(folder, 'engine.json'), text);
  expect(await readConnectionFile(folder)).toBeUndefined();
});
