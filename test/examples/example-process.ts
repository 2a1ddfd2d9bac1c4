/**
 * Examples as their users start them: processes of their own, on a data folder of their own, with the engine that the SDK
 * starts for them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { lives } from '../../engine/server/processes.ts';
import { entryLines, rulingsIn, type Ruled } from './ledger.ts';

export const PROJECT = resolve(import.meta.dirname, '../..');

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export interface ExampleProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard output has this text; rejects if the process ends before. */
  said(text: string): Promise<void>;
  /** Standard output up to now. */
  saidSoFar(): string;
}

/** A folder for everything that examples leave behind: `data` is the engine's, the rest is the example's. */
export interface Place {
  readonly folder: string;
  readonly data: string;
  start(file: string, ...args: string[]): ExampleProcess;
  /** Starts it with these variables besides. */
  startWith(env: NodeJS.ProcessEnv, file: string, ...args: string[]): ExampleProcess;
  /** A command of the command line, and what it said. */
  assent(...args: string[]): Promise<Ended>;
  /** The entries of the ledger, by an export of it. */
  ledger(): Promise<string[]>;
  /** Resolves when the rulings on the ledger are such. */
  ruled(such: (rulings: readonly Ruled[]) => boolean): Promise<void>;
  /** The processes of the engine that runs on the data folder: the engine itself and its nats-server. */
  engineProcesses(): Promise<number[]>;
  /**
   * Ends what a failed test left, waits until the engine has ended by itself, and removes the folder. Throws when what the
   * examples left on the ledger does not replay.
   */
  leave(): Promise<void>;
}

/** The lines of a text that have this in them. */
export const linesWith = (text: string, part: string): string[] =>
  text.split('\n').filter((line) => line.includes(part));

/** How often each line is there. */
export const timesOf = (lines: readonly string[]): ReadonlyMap<string, number> =>
  new Map([...Map.groupBy(lines, (line) => line)].map(([line, all]) => [line, all.length]));

const ENGINE_LEAVES_WITHIN_MS = 20_000;

export async function newPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'assent-example-run-'));
  const data = join(folder, '.assent');
  const started: ExampleProcess[] = [];
  const startWith = (env: NodeJS.ProcessEnv, file: string, ...args: string[]): ExampleProcess => {
    const example = start(file, args, { ...process.env, ASSENT_DATA: data, TMPDIR: folder, NO_COLOR: '1', ...env });
    started.push(example);
    return example;
  };
  const engineProcesses = async (): Promise<number[]> => {
    const engine = await pidIn(join(data, 'engine.json'), (text) => (JSON.parse(text) as { pid: number }).pid);
    const server = await pidIn(join(data, 'nats', 'nats-server.pid'), Number);
    return [engine, server].filter((pid) => pid !== undefined);
  };
  const ledger = async (): Promise<string[]> => {
    const file = join(folder, `ledger-${String(started.length)}.jsonl`);
    const { code, stderr } = await startWith({}, 'bin/assent.js', 'export', '--all', file).ended;
    if (code !== 0) throw new Error(`the ledger cannot be exported: ${stderr}`);
    return entryLines(file);
  };
  return {
    folder,
    data,
    startWith,
    start: (file, ...args) => startWith({}, file, ...args),
    assent: (...args) => startWith({}, 'bin/assent.js', ...args).ended,
    ledger,
    ruled: async (such) => {
      while (!such(rulingsIn(await ledger()))) await pause(50);
    },
    engineProcesses,
    leave: async () => {
      for (const { child } of started) child.kill('SIGKILL');
      await Promise.all(started.map(({ ended }) => ended));
      const { code, stdout, stderr } = await replayed(data);
      await allEnded(await engineProcesses());
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`what it left on the ledger does not replay:\n${stdout}\n${stderr}`);
    },
  };
}

/** Judges again all that was ruled there, if anything was. */
const replayed = (data: string): Promise<Ended> =>
  existsSync(join(data, 'nats'))
    ? start('bin/assent.js', ['replay', '--facts'], { ...process.env, ASSENT_DATA: data, NO_COLOR: '1' }).ended
    : Promise.resolve({ code: 0, stdout: '', stderr: '' });

/** Throws if one of these processes still lives after the time that an engine may take to notice that it is alone. */
export async function allEnded(pids: readonly number[]): Promise<void> {
  const untilMs = performance.now() + ENGINE_LEAVES_WITHIN_MS;
  for (const pid of pids) {
    while (await lives(pid)) {
      if (performance.now() > untilMs) throw new Error(`process ${String(pid)} is left behind`);
      await pause(50);
    }
  }
}

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv): ExampleProcess {
  // A group of its own, so that a test can press Ctrl-C as a terminal does: for the whole group.
  const child = spawn(process.execPath, [file, ...args], {
    cwd: PROJECT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => {
      done({ code, stdout, stderr });
    });
  });
  const said = (text: string): Promise<void> =>
    new Promise((heard, failed) => {
      const look = (): void => {
        if (!stdout.includes(text)) return;
        listeners.delete(look);
        heard();
      };
      listeners.add(look);
      look();
      void ended.then(() => {
        failed(new Error(`it ended without saying “${text}”:\n${stdout}\n${stderr}`));
      });
    });
  return { child, ended, said, saidSoFar: () => stdout };
}

async function pidIn(file: string, read: (text: string) => number): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : read(text);
}
