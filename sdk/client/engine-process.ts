/**
 * Starts an engine for a data folder as a child process, through the command line, and waits until it announces itself.
 *
 * E1 Two processes that start an engine at once end up with one: the engine locks its folder, the loser's child exits,
 *    and its parent goes on looking at the folder.
 * E2 The child lives as long as somebody needs it: it exits by itself when this process is gone and no other client is
 *    connected; it learns of the first by its standard input, which this process holds open.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AssentError } from '../../protocol/errors.ts';
import { engineOf, type Target } from './target.ts';

/** How long an engine may take to announce itself; the first start may fetch nats-server. */
const START_LIMIT_MS = 120_000;
const LOOK_AGAIN_MS = 20;
const TRY_AGAIN_MS = 1500;
const LOG_LINES_SHOWN = 12;

/** Resolves with the first engine of the folder to which `connect` finds a way. */
export async function startEngine<T>(dataDir: string, connect: (target: Target) => Promise<T | undefined>): Promise<T> {
  const log = join(dataDir, 'engine.log');
  let child: EngineProcess | undefined = spawnEngine(dataDir, log);
  let againAtMs = 0;
  for (const untilMs = performance.now() + START_LIMIT_MS; performance.now() < untilMs;) {
    const target = await engineOf(dataDir);
    const connected = target === undefined ? undefined : await connect(target);
    if (connected !== undefined) return connected;
    if (child?.hasEnded() === true) {
      // Another engine has the folder: it may be about to announce itself, or about to exit.
      if (!child.lostTheFolder()) throw failed(`The engine exited with ${child.exit()}`, log);
      child = undefined;
      againAtMs = performance.now() + TRY_AGAIN_MS;
    }
    if (child === undefined && performance.now() > againAtMs) child = spawnEngine(dataDir, log);
    await pause(LOOK_AGAIN_MS);
  }
  throw failed(`No engine of ${dataDir} was ready after ${String(START_LIMIT_MS / 1000)} s`, log);
}

/** The standard input of the engine that this process started last. One that has to be replaced is not needed any more. */
let lastInput: Socket | undefined;

type EngineProcess = {
  hasEnded(): boolean;
  exit(): string;
  /** Another engine has locked the folder. */
  lostTheFolder(): boolean;
};

function spawnEngine(dataDir: string, log: string): EngineProcess {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = openSync(log, 'a', 0o600);
  const from = fstatSync(file).size;
  try {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', command(), 'server', '--data', dataDir, '--ephemeral'],
      // A group of its own: Ctrl-C in this terminal must not stop an engine that other processes use.
      { stdio: ['pipe', file, file], detached: true },
    );
    let problem = '';
    child.on('error', (error) => {
      problem = error.message;
    });
    child.unref();
    const input = child.stdin as Socket | null;
    input?.on('error', () => undefined);
    input?.unref();
    lastInput?.destroy();
    lastInput = input ?? undefined;
    return {
      hasEnded: () => child.exitCode !== null || child.signalCode !== null || problem !== '',
      exit: () => problem || (child.signalCode ?? `code ${String(child.exitCode)}`),
      lostTheFolder: () => readFileSync(log).subarray(from).includes('FOLDER_LOCKED'),
    };
  } finally {
    closeSync(file);
  }
}

/** The command of the package that this file belongs to. */
function command(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const bin = join(at, 'bin', 'assent.js');
    if (existsSync(join(at, 'package.json')) && existsSync(bin)) return bin;
    if (dirname(at) === at) throw new AssentError('ENGINE_START_FAILED', 'The command `assent` is not in its package.');
  }
}

function failed(what: string, log: string): AssentError {
  let last = '';
  try {
    last = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  } catch {
    // Without a log there is nothing to show.
  }
  return new AssentError('ENGINE_START_FAILED', `${what}; the end of ${log}:\n${last}\n`);
}
