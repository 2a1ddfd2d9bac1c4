/** The command as its users start it: a process of its own, from the built package. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';

export const PROJECT = resolve(import.meta.dirname, '../..');
const BIN = resolve(PROJECT, 'bin/assent.js');

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard error has this text; rejects if the process ends before. */
  noted(text: string): Promise<void>;
  /** The same of standard output. */
  said(text: string): Promise<void>;
}

export type Assent = {
  /** Runs it to its end. */
  (...args: readonly string[]): Promise<Ended>;
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Running;
  /** Standard output as JSON. */
  json<T>(...args: readonly string[]): Promise<T>;
};

/** `assent` on this data folder, without colours unless `env` asks for them. */
export function assentOn(dataDir: string, env: NodeJS.ProcessEnv = {}): Assent {
  const start = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Running =>
    follow(
      spawn(process.execPath, [BIN, ...args], {
        cwd: PROJECT,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ASSENT_DATA: dataDir, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env, ...more },
      }),
    );
  const run = (...args: readonly string[]): Promise<Ended> => start(args).ended;
  return Object.assign(run, {
    start,
    json: async <T>(...args: readonly string[]): Promise<T> => {
      const { stdout, stderr, code } = await run(...args, '-o', 'json');
      if (stdout === '') throw new Error(`no output, exit code ${String(code)}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
  });
}

export function follow(child: ChildProcess): Running {
  const text = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
      for (const listener of [...listeners]) listener();
    });
  }
  let over = false;
  const ended = new Promise<Ended>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => {
      over = true;
      for (const listener of [...listeners]) listener();
      done({ code, ...text });
    });
  });
  const has = (name: 'stdout' | 'stderr', wanted: string): Promise<void> =>
    new Promise((done, fail) => {
      const look = (): void => {
        if (text[name].includes(wanted)) done();
        else if (over) fail(new Error(`it ended without '${wanted}': ${text.stdout}\n${text.stderr}`));
        else return;
        listeners.delete(look);
      };
      listeners.add(look);
      look();
    });
  return { child, ended, noted: (wanted) => has('stderr', wanted), said: (wanted) => has('stdout', wanted) };
}
