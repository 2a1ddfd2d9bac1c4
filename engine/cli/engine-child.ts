/**
 * Starts an engine for a data folder when none runs: `assent server --ephemeral` as a child, as the SDK does it. The
 * child ends by itself when this process is gone and nobody else beats; it learns of the first by its standard input,
 * which this process holds open.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../../protocol/errors.ts';
import { folderError } from '../server/lock.ts';
import { EXIT } from './exit-codes.ts';
import { engineOf, type Target } from './place.ts';

/** The first start may fetch nats-server. */
const START_LIMIT_MS = 120_000;
/** A start that takes longer is explained. */
const SLOW_MS = 2000;
const LOOK_AGAIN_MS = 20;
const TRY_AGAIN_MS = 1500;
const LOG_LINES_SHOWN = 12;

export async function startEngineChild(dataDir: string, note: (line: string) => void): Promise<Target> {
  const log = join(dataDir, 'engine.log');
  const explain = setTimeout(() => {
    note(`starting an engine for ${dataDir}; the first start on a machine fetches nats-server …`);
  }, SLOW_MS);
  try {
    let child: ChildProcess | undefined = spawnEngine(dataDir, log);
    let againAtMs = 0;
    for (const untilMs = performance.now() + START_LIMIT_MS; performance.now() < untilMs;) {
      const target = await engineOf(dataDir);
      if (target !== undefined) return target;
      if (child !== undefined && (child.exitCode !== null || child.signalCode !== null)) {
        // Another engine has the folder: it may be about to announce itself, or about to end.
        if (child.exitCode !== EXIT.folderLocked) throw failed('The engine ended at its start', log);
        child = undefined;
        againAtMs = performance.now() + TRY_AGAIN_MS;
      }
      if (child === undefined && performance.now() > againAtMs) child = spawnEngine(dataDir, log);
      await pause(LOOK_AGAIN_MS);
    }
    throw failed(`No engine of ${dataDir} was ready after ${String(START_LIMIT_MS / 1000)} s`, log);
  } finally {
    clearTimeout(explain);
  }
}

function spawnEngine(dataDir: string, log: string): ChildProcess {
  const file = openLog(dataDir, log);
  try {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', binary(), 'server', '--data', dataDir, '--ephemeral'],
      // A group of its own: Ctrl-C in this terminal must not stop an engine that other processes use.
      { stdio: ['pipe', file, file], detached: true },
    );
    child.on('error', () => undefined);
    child.unref();
    const input = child.stdin as Socket | null;
    input?.on('error', () => undefined);
    input?.unref();
    return child;
  } finally {
    closeSync(file);
  }
}

/** Where what the last engine said begins. */
let saidFrom = 0;

function openLog(dataDir: string, log: string): number {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const file = openSync(log, 'a', 0o600);
    saidFrom = fstatSync(file).size;
    return file;
  } catch (error) {
    throw folderError(error, dataDir);
  }
}

/** The command that runs: this process's own. `assent run` puts its file's name in the place of it later. */
const OWN = process.argv[1];

function binary(): string {
  if (OWN === undefined) throw new AssentError('ENGINE_START_FAILED', 'The command `assent` cannot find itself.');
  return OWN;
}

function failed(what: string, log: string): AssentError {
  const said = readFileSync(log).subarray(saidFrom).toString('utf8').trimEnd();
  const last = said.split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  return new AssentError('ENGINE_START_FAILED', `${what}; ${log} says:\n${last}\n`);
}
