import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { defaultCacheDir, obtainNatsServer } from '../../engine/server/binary.ts';
import { onPath, run } from '../../engine/server/command.ts';
import { freePort } from '../../engine/server/free-port.ts';
import { platformName } from '../../engine/server/release.ts';
import { natsBinary } from '../support/nats.ts';

const PINNED = '2.15.1';
// Real processes and a real archive on a machine that others use too.
vi.setConfig({ testTimeout: 60_000 });

const root = await mkdtemp(join(tmpdir(), 'assent-binary-'));
const real = await natsBinary();
const newFolder = (): Promise<string> => mkdtemp(join(root, 'folder-'));
afterAll(() => rm(root, { recursive: true, force: true }));

/** A folder for PATH with these programs of the machine, and a nats-server if one is given. */
async function pathWith(programs: readonly string[], natsServer?: string): Promise<string> {
  const folder = await newFolder();
  for (const program of programs) {
    const found = await onPath(program, process.env);
    if (found !== undefined) await symlink(found, join(folder, program));
  }
  if (natsServer !== undefined) await symlink(natsServer, join(folder, 'nats-server'));
  return folder;
}

/** Something that says it is this version. */
async function programOfVersion(version: string): Promise<string> {
  const file = join(await newFolder(), 'nats-server');
  await writeFile(file, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
  await chmod(file, 0o755);
  return file;
}

/** Nobody listens there. */
const deadBase = async (): Promise<string> => `http://127.0.0.1:${String(await freePort())}`;

describe('what the machine has already', () => {
  test('ASSENT_NATS_SERVER comes before PATH, and PATH before anything fetched', async () => {
    const PATH = await pathWith([], real);
    const cacheDir = await newFolder();
    const named = await obtainNatsServer({ cacheDir, env: { PATH, ASSENT_NATS_SERVER: real } });
    expect(named).toMatchObject({ path: real, source: 'ASSENT_NATS_SERVER' });
    const onPath = await obtainNatsServer({ cacheDir, env: { PATH } });
    expect(onPath).toEqual({ path: join(PATH, 'nats-server'), version: named.version, source: 'PATH' });
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('a server that was named and does not run, or is too old, is an error and not passed over', async () => {
    const PATH = await pathWith([], real);
    const obtain = (path: string) => obtainNatsServer({ cacheDir: root, env: { PATH, ASSENT_NATS_SERVER: path } });
    await expect(obtain('/nowhere/nats-server')).rejects.toMatchObject({
      kind: 'NATS_SERVER_MISSING',
      message: expect.stringContaining('ASSENT_NATS_SERVER=/nowhere/nats-server: it does not run') as string,
    });
    await expect(obtain(await programOfVersion('2.9.10'))).rejects.toMatchObject({ kind: 'NATS_SERVER_TOO_OLD' });
  });

  test('the cache belongs to the user, and all projects share it', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/x', HOME: '/home/u' })).toBe('/x/assent');
    const below = process.platform === 'darwin' ? 'Library/Caches/assent' : '.cache/assent';
    expect(defaultCacheDir({ HOME: '/home/u' })).toBe(`/home/u/${below}`);
  });
});

describe('the official release', () => {
  const name = `nats-server-v${PINNED}-${platformName()}`;
  let archive: Buffer;
  let server: Server;
  let base: string;
  let requests: string[] = [];
  let answers: Record<string, (response: ServerResponse) => unknown> = {};

  beforeAll(async () => {
    const folder = await newFolder();
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, 'nats-server'), await readFile(real), { mode: 0o755 });
    const made = await run('tar', ['-czf', 'release.tar.gz', name], {
      cwd: folder,
      env: { ...process.env, GZIP: '-1' },
      timeoutMs: 60_000,
    });
    expect(made).toMatchObject({ ok: true });
    archive = await readFile(join(folder, 'release.tar.gz'));
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      const answer = answers[request.url ?? ''];
      if (answer === undefined) response.writeHead(404).end();
      else answer(response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  /** The layout of a release, as GitHub serves it: each file by a redirection. */
  function serve(sum = createHash('sha256').update(archive).digest('hex')): void {
    requests = [];
    answers = {
      [`/v${PINNED}/SHA256SUMS`]: (response) =>
        response.end(`${'0'.repeat(64)}  another.zip\n${sum}  ${name}.tar.gz\n`),
      [`/v${PINNED}/${name}.tar.gz`]: (response) => response.writeHead(302, { location: '/objects/1' }).end(),
      '/objects/1': (response) => response.end(archive),
    };
  }
  const obtain = async (cacheDir: string, lines: string[] = []) =>
    obtainNatsServer({
      cacheDir,
      env: { PATH: await pathWith(['tar', 'gzip']) },
      releaseBase: base,
      say: (line) => lines.push(line),
    });

  test('it is fetched, verified, unpacked and cached; the next start needs no network', async () => {
    serve();
    const cacheDir = await newFolder();
    const lines: string[] = [];
    // What a process left that was killed while it fetched.
    await mkdir(join(cacheDir, 'nats-server', '.fetching-1', 'new'), { recursive: true });
    const fetched = await obtain(cacheDir, lines);
    expect(fetched).toMatchObject({
      source: 'the official release',
      version: (await obtainNatsServer({ env: { ASSENT_NATS_SERVER: real } })).version,
    });
    expect(lines[0]).toMatch(/^fetching nats-server 2\.15\.1 from 127\.0\.0\.1:\d+ \.\.\.$/);
    expect(await readdir(join(cacheDir, 'nats-server'))).toEqual([`${PINNED}-${platformName()}`]);
    answers = {};
    expect(await obtain(cacheDir)).toEqual({ ...fetched, source: 'the cache' });
    // What is in the cache and does not run is replaced.
    serve();
    await writeFile(fetched.path, 'half a file');
    expect(await obtain(cacheDir)).toEqual(fetched);
  });

  test('of two that fetch at once, one does, and the other finds it in the cache', async () => {
    serve();
    const cacheDir = await newFolder();
    const both = await Promise.all([obtain(cacheDir), obtain(cacheDir)]);
    expect(both.map(({ source }) => source).sort()).toEqual(['the cache', 'the official release']);
    expect(requests.filter((url) => url === '/objects/1')).toHaveLength(1);
  });

  test('a download that is not what was published is an error, and nothing of it stays', async () => {
    serve('f'.repeat(64));
    const cacheDir = await newFolder();
    await expect(obtain(cacheDir)).rejects.toMatchObject({ kind: 'DOWNLOAD_CORRUPT' });
    expect(await readdir(join(cacheDir, 'nats-server'))).toEqual([]);
  });

  test('nothing found is one error that names every source and why it failed', async () => {
    answers = {};
    const cacheDir = await newFolder();
    const error = await obtain(cacheDir).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ kind: 'NATS_SERVER_MISSING' });
    expect((error as Error).message.split('\n').slice(1, -1)).toEqual([
      '  - ASSENT_NATS_SERVER: not set',
      '  - PATH: no nats-server',
      `  - the cache: nothing in ${join(cacheDir, 'nats-server', `${PINNED}-${platformName()}`, 'nats-server')}`,
      `  - the official release: ${base}/v${PINNED}/SHA256SUMS answered 404`,
      '  - the package archive (sid): this machine has no apt-get',
      '  - the package archive (trixie): this machine has no apt-get',
    ]);
  });

  test('a server on PATH that is too old is passed over, and said', async () => {
    answers = {};
    const PATH = await pathWith(['tar'], await programOfVersion('2.9.10'));
    const obtained = obtainNatsServer({ cacheDir: await newFolder(), env: { PATH }, releaseBase: base });
    await expect(obtained).rejects.toThrow(`PATH: ${PATH}/nats-server is version 2.9.10`);
  });

  test('a connection that breaks halfway is a failed source, not a corrupt one', async () => {
    serve();
    answers['/objects/1'] = (response) => {
      response.writeHead(200, { 'content-length': String(archive.length) });
      response.write(archive.subarray(0, 1000), () => response.destroy());
    };
    await expect(obtain(await newFolder())).rejects.toMatchObject({ kind: 'NATS_SERVER_MISSING' });
  });

  test('a host that accepts and never answers is given up after four seconds', async () => {
    answers = { [`/v${PINNED}/SHA256SUMS`]: () => undefined };
    await expect(obtain(await newFolder())).rejects.toThrow(
      /the official release: 127\.0\.0\.1:\d+ did not answer within 4 s/,
    );
  });
});

/** This process's own, but for the servers that it names. */
async function envWithoutNatsServer(): Promise<NodeJS.ProcessEnv> {
  const folders: string[] = [];
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if ((await onPath('nats-server', { PATH: folder })) === undefined) folders.push(folder);
  }
  return { ...process.env, PATH: folders.join(delimiter), ASSENT_NATS_SERVER: '' };
}

const apt = await onPath('apt-get', process.env);
if (apt === undefined) console.warn('SKIPPED: this machine has no apt-get, so the package archive is not tested.');

describe.skipIf(apt === undefined)('the package archive', () => {
  test.each([
    ['newest', /^2\.\d+\.\d+/, 'the package archive (sid)'],
    ['2.10', /^2\.10\./, 'the package archive (trixie)'],
  ] as const)(
    '%s is taken from the archive that this machine uses, and the system stays as it was',
    async (version, expected, source) => {
      const before = await readdir('/var/lib/apt/lists');
      const cacheDir = await newFolder();
      const env = await envWithoutNatsServer();
      const obtained = await obtainNatsServer({ cacheDir, version, env, releaseBase: await deadBase() });
      expect(obtained).toMatchObject({ source, version: expect.stringMatching(expected) as string });
      expect(await run(obtained.path, ['--version'], { timeoutMs: 5_000 })).toMatchObject({ ok: true });
      expect(await readdir(join(cacheDir, 'nats-server'))).toHaveLength(1);
      expect(await readdir('/var/lib/apt/lists')).toEqual(before);
    },
  );
});
