import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { once } from 'node:events';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { startEmbeddedServer } from '../../engine/server/embedded.ts';
import type { EmbeddedServer, EmbeddedServerOptions } from '../../engine/server/embedded.ts';
import type { UnexpectedExit } from '../../engine/server/keeper.ts';
import { birthOf, lives } from '../../engine/server/processes.ts';
import { natsBinary } from '../support/nats.ts';
import { connectAs, reconnected } from './connect-as.ts';

// Real processes on a machine that others use too.
vi.setConfig({ testTimeout: 20_000 });

const root = await mkdtemp(join(tmpdir(), 'assent-embedded-'));
const env = { ...process.env, ASSENT_NATS_SERVER: await natsBinary() };
const newFolder = (): Promise<string> => mkdtemp(join(root, 'data-'));
const servers: EmbeddedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function start(options: Partial<EmbeddedServerOptions> & { dataDir: string }): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ env, ...options });
  servers.push(server);
  return server;
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
const portOf = (server: EmbeddedServer): number => Number(new URL(server.url).port);

/** A promise for the first unexpected exit, and the listener that resolves it. */
function firstExit(): { exit: Promise<UnexpectedExit>; onExit: (exit: UnexpectedExit) => void } {
  let onExit: (exit: UnexpectedExit) => void = () => undefined;
  const exit = new Promise<UnexpectedExit>((resolve) => (onExit = resolve));
  return {
    exit,
    onExit: (seen) => {
      onExit(seen);
    },
  };
}

describe('start and stop', () => {
  test('a server runs on loopback, with JetStream, on one thread, until it is stopped', async () => {
    const dataDir = join(await newFolder(), 'made');
    const server = await start({ dataDir });
    expect(server.url).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    const birth = await birthOf(server.pid);
    const command = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(server.pid)]);
    expect(command.stdout.trim()).toBe(`${server.binary} -c ${join(dataDir, 'nats', 'server.conf')}`);
    if (process.platform === 'linux') {
      expect((await readFile(`/proc/${String(server.pid)}/environ`, 'utf8')).split('\0')).toContain('GOMAXPROCS=1');
    }
    const connection = await connectAs(server, 'engine');
    expect(connection.info?.version).toBe(server.version);
    await jetstreamManager(connection);
    await connection.close();
    await server.stop();
    expect(await lives(server.pid, birth)).toBe(false);
    // A second stop has nothing to do.
    await server.stop();
  });

  test('what holds secrets is for this user only, even in a folder that was open to all', async () => {
    const dataDir = await newFolder();
    const nats = join(dataDir, 'nats');
    await mkdir(nats);
    await chmod(nats, 0o755);
    await writeFile(join(nats, 'server.conf'), '', { mode: 0o644 });
    const server = await start({ dataDir });
    expect(await modeOf(nats)).toBe(0o700);
    expect(await modeOf(join(nats, 'server.conf'))).toBe(0o600);
    const config = await readFile(join(nats, 'server.conf'), 'utf8');
    const passwords = Object.values(server.credentials).map(({ password }) => password);
    expect(new Set(passwords).size).toBe(3);
    for (const password of passwords) {
      expect(Buffer.from(password, 'base64url')).toHaveLength(32);
      expect(config).toContain(password);
    }
    // Nothing else on the disk or in the process list says them.
    for (const name of await readdir(nats, { recursive: true })) {
      if (name === 'server.conf' || !(await stat(join(nats, name))).isFile()) continue;
      for (const password of passwords) expect(await readFile(join(nats, name), 'utf8')).not.toContain(password);
    }
  });

  test('`power` syncs always, `process` does not; the disk limit is the one that was asked for', async () => {
    const configOf = async (options: Partial<EmbeddedServerOptions>) => {
      const dataDir = await newFolder();
      const server = await start({ dataDir, ...options });
      const connection = await connectAs(server, 'engine');
      const account = await (await jetstreamManager(connection)).getAccountInfo();
      await connection.close();
      return { server, account, text: await readFile(join(dataDir, 'nats', 'server.conf'), 'utf8') };
    };
    const byDefault = await configOf({});
    expect(byDefault.text).toContain('sync_interval: always');
    expect(byDefault.server.maxFileStoreBytes).toBeGreaterThanOrEqual(1e9);
    expect(byDefault.server.maxFileStoreBytes).toBeLessThanOrEqual(64e9);
    const { text } = await configOf({ durability: 'process', maxFileStoreBytes: 2e9 });
    expect(text).not.toContain('sync_interval');
    expect(text).toContain('max_file_store: 2000000000');
  });

  test('a second engine on the folder is refused, whatever path it takes to it', async () => {
    const dataDir = await newFolder();
    const server = await start({ dataDir });
    await expect(start({ dataDir: join(dataDir, 'x', '..') })).rejects.toMatchObject({ kind: 'FOLDER_LOCKED' });
    await server.stop();
    await start({ dataDir });
  });

  test('a port that is in use is said so, and the folder is free again', async () => {
    // Somebody else's client may still look for a server that had this port before: it must not keep it open.
    const squatter = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const dataDir = await newFolder();
    await expect(start({ dataDir, port })).rejects.toMatchObject({
      kind: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)) as string,
    });
    squatter.close();
    await once(squatter, 'close');
    expect(portOf(await start({ dataDir, port }))).toBe(port);
  });

  test('a server that refuses its store is an error that carries its own words', async () => {
    const dataDir = await newFolder();
    await mkdir(join(dataDir, 'nats'));
    await writeFile(join(dataDir, 'nats', 'jetstream'), 'a file where the store should be');
    await expect(start({ dataDir })).rejects.toMatchObject({
      kind: 'NATS_SERVER_FAILED',
      message: expect.stringMatching(/storage directory|store/i) as string,
    });
  });

  test('a folder that cannot be had, and a workspace that cannot be named, are said so', async () => {
    const file = join(await newFolder(), 'file');
    await writeFile(file, '');
    await expect(start({ dataDir: file })).rejects.toMatchObject({ kind: 'FOLDER_READ_ONLY' });
    await expect(start({ dataDir: root, workspace: 'a.b' })).rejects.toMatchObject({ kind: 'USAGE' });
  });

  test('a folder whose name needs quoting is as good as any', async () => {
    const dataDir = join(await newFolder(), 'a "quoted" $name with {braces} # and ümlauts');
    await start({ dataDir });
    expect(await readdir(join(dataDir, 'nats', 'jetstream'))).toEqual(['jetstream']);
  });
});

describe('a server that ends unasked', () => {
  test('is started again on the same port with the same secrets, and nothing stored is lost', async () => {
    const { exit, onExit } = firstExit();
    const server = await start({ dataDir: await newFolder(), onExit });
    const connection = await connectAs(server, 'engine');
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
    for (let count = 0; count < 100; count += 1) await jetstream(connection).publish('kept', String(count));

    const { pid, url } = server;
    const back = reconnected(connection);
    process.kill(pid, 'SIGKILL');
    expect(await exit).toEqual({ pid, code: 128 + 9 });
    await back;
    // A client may be back before the keeper has read the new server's pid.
    await expect.poll(() => server.pid, { timeout: 10_000 }).not.toBe(pid);
    expect(server.url).toBe(url);
    expect((await manager.streams.info('KEPT')).state.messages).toBe(100);
    await jetstream(connection).publish('kept', 'again');
    await connection.close();
  });

  test('is started again even if only the shell between it and us was killed', async () => {
    const { exit, onExit } = firstExit();
    const server = await start({ dataDir: await newFolder(), onExit });
    const connection = await connectAs(server, 'engine');
    const { pid } = server;
    const birth = await birthOf(pid);
    const { stdout } = await promisify(execFile)('ps', ['-o', 'ppid=', '-p', String(pid)]);
    const back = reconnected(connection);
    process.kill(Number(stdout), 'SIGKILL');
    expect((await exit).pid).toBe(pid);
    await back;
    expect(await lives(pid, birth)).toBe(false);
    await connection.close();
  });

  test('is tried again while its port is taken, and comes back when the port is free', async () => {
    const { exit, onExit } = firstExit();
    let complain: (line: string) => void = () => undefined;
    const complaint = new Promise<string>((resolve) => (complain = resolve));
    const server = await start({
      dataDir: await newFolder(),
      onExit,
      say: (line) => {
        complain(line);
      },
    });
    const connection = await connectAs(server, 'engine');
    const squatter = createServer((socket) => socket.destroy());
    process.kill(server.pid, 'SIGKILL');
    await exit;
    squatter.listen(portOf(server), '127.0.0.1');
    await once(squatter, 'listening');
    expect(await complaint).toContain('PORT_IN_USE');
    const back = reconnected(connection);
    squatter.close();
    await back;
    await connection.close();
  });

  test('is not started again after a stop, even one that is asked for in between', async () => {
    const { exit, onExit } = firstExit();
    const server = await start({ dataDir: await newFolder(), onExit });
    process.kill(server.pid, 'SIGKILL');
    await exit;
    await server.stop();
    expect(await lives(server.pid)).toBe(false);
  });
});

describe('a restart that was asked for', () => {
  test('replaces a server that hangs, keeps port and data, and is no unexpected exit', async () => {
    const exits: UnexpectedExit[] = [];
    const server = await start({ dataDir: await newFolder(), onExit: (exit) => exits.push(exit) });
    const connection = await connectAs(server, 'engine');
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'one');
    const { pid } = server;
    const back = reconnected(connection);
    await server.restart();
    await back;
    expect(server.pid).not.toBe(pid);
    expect((await manager.streams.info('KEPT')).state.messages).toBe(1);
    await connection.close();

    process.kill(server.pid, 'SIGSTOP');
    const hung = server.pid;
    await Promise.all([server.restart(), server.restart()]);
    expect(server.pid).not.toBe(hung);
    expect(await lives(hung)).toBe(false);
    expect(exits).toEqual([]);
  });
});
