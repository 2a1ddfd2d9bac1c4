/**
 * Runs one nats-server as a child, from its start to its end.
 *
 * N1. The server does not outlive us, even if we are killed with -9: a shell between us and it holds the reading end of a
 *     pipe that only we can write to, and ends the server when that pipe closes.
 * N2. Ctrl-C in a terminal reaches us and not the server (it has a session of its own): we end it, after our own work.
 * N3. A launch resolves when the server greets clients with JetStream enabled, and rejects if it ends before.
 * N4. `exited` resolves when nats-server itself is gone.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import { serverFiles } from './config.ts';
import { birthOf, lives } from './processes.ts';

/** The exit code of the server, or 128 + the signal's number if one ended it. */
export interface ServerExit {
  readonly code: number | undefined;
}

export interface ServerProcess {
  /** Of nats-server itself. */
  readonly pid: number;
  readonly exited: Promise<ServerExit>;
  hasEnded(): boolean;
  /** Asks it to end (SIGTERM), and ends it by force when it has not after the grace. */
  end(): Promise<ServerExit>;
}

/**
 * `$@` is the server's command line; standard input is the pipe that closes when our process ends. The shell's own
 * `read` waits for that, not a `cat`, which would be one more process to clean up. One second, then by force: whoever
 * restarts us at once waits for the server to be gone, and kill -9 loses nothing that was acknowledged.
 */
const WATCHED = `
exec 3<&0 </dev/null
"$@" 3<&- >/dev/null &
server=$!
echo "$server"
exec >/dev/null
( read -r nothing <&3; kill -TERM "$server"; sleep 1; kill -KILL "$server" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`;

/** A store of many gigabytes is checked at the start, so this is generous; the server's end is noticed at once. */
const START_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 10;
/** To end by itself. What it has acknowledged is on the disk, so force loses nothing. */
const GRACE_MS = 3_000;

export async function launch(options: {
  binary: string;
  dir: string;
  port: number;
  env: NodeJS.ProcessEnv;
  /** Gives up the launch. */
  signal?: AbortSignal;
}): Promise<ServerProcess> {
  const files = serverFiles(options.dir);
  // Ports files of servers that were killed stay behind.
  await rm(files.ports, { recursive: true, force: true });
  await mkdir(files.ports, { mode: 0o700 });
  const logged = { log: await sizeOf(files.log), errors: await sizeOf(files.errors) };
  const wrapper = await spawnWatched([options.binary, '-c', files.config], files.errors, options.env);
  const pid = await firstLine(wrapper);
  const server = await track(wrapper, pid);
  try {
    await writeFile(files.process, JSON.stringify({ pid, birth: await birthOf(pid) }), { mode: 0o600 });
    if (await greets(server, { ports: files.ports, port: options.port, signal: options.signal })) return server;
  } catch (error) {
    await server.end();
    throw error;
  }
  const said = `${await textFrom(files.errors, logged.errors)}${await textFrom(files.log, logged.log)}`.trim();
  if (said.includes('address already in use')) {
    throw new AssentError('PORT_IN_USE', `Port ${String(options.port)} of 127.0.0.1 is in use.`);
  }
  throw new AssentError(
    'NATS_SERVER_FAILED',
    `nats-server ended at its start; ${files.log} says:\n${said.slice(-2_000)}\n`,
  );
}

/** Waits for the server of an engine that was killed, which may still be about to end, and ends it if it does not. */
export async function endFormerServer(dir: string): Promise<void> {
  const text = await readFile(serverFiles(dir).process, 'utf8').catch(() => '{}');
  const former = parseProcess(text);
  // Without its birth, that pid may be anybody's by now.
  if (former?.birth === undefined) return;
  const deadlineMs = performance.now() + 3_000;
  while (performance.now() < deadlineMs) {
    if (!(await lives(former.pid, former.birth))) return;
    await pause(LOOK_EVERY_MS);
  }
  await killAndWait(former.pid, former.birth);
}

function parseProcess(text: string): { pid: number; birth: string | undefined } | undefined {
  try {
    const { pid, birth } = JSON.parse(text) as { pid?: number; birth?: string };
    return pid === undefined ? undefined : { pid, birth };
  } catch {
    return undefined;
  }
}

async function spawnWatched(command: string[], errorsFile: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const errors = await open(errorsFile, 'a', 0o600);
  try {
    const wrapper = spawn('/bin/sh', ['-c', WATCHED, 'assent-nats-server', ...command], {
      stdio: ['pipe', 'pipe', errors.fd],
      // N2: a session of its own.
      detached: true,
      // One thread suffices for a local server and saves the hand-over between threads: 7 to 19 % on a round trip.
      env: { ...env, GOMAXPROCS: env['ASSENT_NATS_GOMAXPROCS'] ?? '1' },
    });
    // The pipe is never written to; that it breaks when the shell ends is no news.
    wrapper.stdin?.on('error', () => undefined);
    return wrapper;
  } finally {
    await errors.close();
  }
}

/** The first line that the shell writes: the server's pid. */
function firstLine(wrapper: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error?: Error): void => {
      reject(new AssentError('NATS_SERVER_FAILED', `/bin/sh could not be run: ${error?.message ?? 'it ended'}.`));
    };
    wrapper.once('error', fail);
    if (wrapper.stdout === null) return;
    const lines = createInterface({ input: wrapper.stdout });
    lines.once('line', (line) => {
      resolve(Number(line));
    });
    lines.once('close', () => {
      fail();
    });
  });
}

async function track(wrapper: ChildProcess, pid: number): Promise<ServerProcess> {
  const birth = await birthOf(pid);
  const exited = new Promise<ServerExit>((resolve) => {
    const settle = (): void => {
      // N4: the shell may have been killed alone. Then nobody watches the server any more, so it must go too.
      void killAndWait(pid, birth).then(() => {
        resolve({ code: wrapper.exitCode ?? undefined });
      });
    };
    if (wrapper.exitCode !== null || wrapper.signalCode !== null) settle();
    else wrapper.once('exit', settle);
  });
  let ended = false;
  void exited.then(() => (ended = true));
  const end = async (): Promise<ServerExit> => {
    // The pid of a server that has ended may be another process's by now.
    if (ended) return exited;
    signal(pid, 'SIGTERM');
    const force = setTimeout(() => {
      signal(pid, 'SIGKILL');
    }, GRACE_MS);
    const exit = await exited;
    clearTimeout(force);
    return exit;
  };
  return { pid, exited, hasEnded: () => ended, end };
}

async function killAndWait(pid: number, birth: string | undefined): Promise<void> {
  if (birth === undefined) return;
  while (await lives(pid, birth)) {
    signal(pid, 'SIGKILL');
    await pause(LOOK_EVERY_MS);
  }
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

/** N3: true when the server listens and says that JetStream is on, false if it ended. */
async function greets(
  server: ServerProcess,
  at: { ports: string; port: number; signal: AbortSignal | undefined },
): Promise<boolean> {
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadlineMs) {
    if (server.hasEnded()) return false;
    at.signal?.throwIfAborted();
    // The ports file carries the pid, so it is not another server that answers on this port.
    const announced = (await readdir(at.ports)).some((name) => name.endsWith(`_${String(server.pid)}.ports`));
    if (announced && (await greeting(at.port))?.jetstream === true) return true;
    await pause(LOOK_EVERY_MS);
  }
  throw new AssentError('NATS_SERVER_FAILED', `nats-server did not answer within ${String(START_LIMIT_MS / 1000)} s.`);
}

/** The INFO line that a server sends to whoever connects. */
function greeting(port: number): Promise<{ readonly jetstream?: boolean } | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 });
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      if (text.includes('\n')) socket.destroy();
    });
    socket.on('timeout', () => socket.destroy());
    // A refused connection closes as well.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(text.startsWith('INFO ') && text.includes('\n') ? (JSON.parse(text.slice(5)) as object) : undefined);
    });
  });
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

async function textFrom(file: string, offset: number): Promise<string> {
  return (await readFile(file).catch(() => Buffer.alloc(0))).subarray(offset).toString();
}
