import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { startEmbeddedServer } from '../../engine/server/embedded.ts';
import { birthOf, lives } from '../../engine/server/processes.ts';
import { natsBinary } from '../support/nats.ts';
import { connectAs } from './connect-as.ts';

// Real processes on a machine that others use too.
vi.setConfig({ testTimeout: 20_000 });

const root = await mkdtemp(join(tmpdir(), 'assent-parent-'));
const env = { ...process.env, ASSENT_NATS_SERVER: await natsBinary() };
const newFolder = (): Promise<string> => mkdtemp(join(root, 'data-'));
const parents: ChildProcessByStdio<null, Readable, null>[] = [];
afterAll(async () => {
  for (const parent of parents) parent.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

interface Parent {
  readonly process: ChildProcessByStdio<null, Readable, null>;
  readonly lines: Interface;
  readonly server: { readonly pid: number; readonly birth: string };
}

async function startParent(dataDir: string, manner = 'plain'): Promise<Parent> {
  const script = join(import.meta.dirname, 'parent.ts');
  const child = spawn(process.execPath, [script, dataDir, manner], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
    // A process group of its own, as a job in a terminal is.
    detached: true,
  });
  parents.push(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  const { pid } = JSON.parse(line) as { pid: number };
  return { process: child, lines, server: { pid, birth: (await birthOf(pid)) ?? '' } };
}

/** There is no event for the end of somebody else's child: it is looked for until it is gone, or the limit is over. */
async function msUntilGone({ pid, birth }: { pid: number; birth: string }): Promise<number> {
  const startedAtMs = performance.now();
  while (await lives(pid, birth)) {
    const waitedMs = performance.now() - startedAtMs;
    if (waitedMs > 10_000) return waitedMs;
    await pause(5);
  }
  return performance.now() - startedAtMs;
}

describe('the server and its parent', () => {
  test('kill -9 of the parent: the server is gone within two seconds', async () => {
    const parent = await startParent(await newFolder());
    parent.process.kill('SIGKILL');
    expect(await msUntilGone(parent.server)).toBeLessThan(2_000);
  });

  test('kill -9 of the parent while the server hangs: it is ended by force within two seconds', async () => {
    const parent = await startParent(await newFolder());
    process.kill(parent.server.pid, 'SIGSTOP');
    parent.process.kill('SIGKILL');
    expect(await msUntilGone(parent.server)).toBeLessThan(2_000);
  });

  test('kill -9 of the parent and a new start at once: the folder is free, and what was stored is there', async () => {
    const dataDir = await newFolder();
    const parent = await startParent(dataDir);
    // The old server cannot end before the new engine has come to it.
    process.kill(parent.server.pid, 'SIGSTOP');
    parent.process.kill('SIGKILL');
    await once(parent.process, 'exit');
    const server = await startEmbeddedServer({ dataDir, env });
    expect(await lives(parent.server.pid, parent.server.birth)).toBe(false);
    const connection = await connectAs(server, 'engine');
    const { state } = await (await jetstreamManager(connection)).streams.info('KEPT');
    expect(state.messages).toBe(1);
    await connection.close();
    await server.stop();
  });

  test('SIGINT of a parent that does not expect it: the server is gone within two seconds', async () => {
    const parent = await startParent(await newFolder());
    process.kill(-(parent.process.pid ?? 0), 'SIGINT');
    expect(await msUntilGone(parent.server)).toBeLessThan(2_000);
  });

  test('Ctrl-C reaches the parent and not the server, which serves until the parent has done its last work', async () => {
    const parent = await startParent(await newFolder(), 'graceful');
    const line = once(parent.lines, 'line');
    // To the whole group, as a terminal does.
    process.kill(-(parent.process.pid ?? 0), 'SIGINT');
    expect(await line).toEqual(['stopped after 2 messages']);
    const [code] = (await once(parent.process, 'exit')) as [number];
    expect(code).toBe(0);
    expect(await lives(parent.server.pid, parent.server.birth)).toBe(false);
  });
});
