/** The folder of somebody who follows a guide: a project with `assent` in it, and the processes started there. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, vi } from 'vitest';
import { isAlive } from '../../sdk/client/target.ts';
import { follow, type Running } from '../cli/assent.ts';
import { blocksOf, readText, ROOT } from './markdown.ts';

const run = promisify(execFile);
export const BIN = join(ROOT, 'bin/assent.js');

/** The files that a guide shows, in its order: blocks whose first line is a comment with a name. */
export function filesOf(guide: string): readonly (readonly [name: string, code: string])[] {
  const text = readText(guide);
  return ['ts', 'yaml'].flatMap((language) =>
    blocksOf(text, language).flatMap((block) => {
      const [name, code] = namedIn(block);
      return name === '' ? [] : [[name, code] as const];
    }),
  );
}

/** The name that the first line of a block says, or none. */
export function namedIn(block: string): readonly [name: string, code: string] {
  const [, name = '', code = ''] = /^(?:\/\/|#) (\S+\.\w+)\n([\s\S]*)$/.exec(block) ?? [];
  return [name, `${code}\n`];
}

/** It and all that was started in it are gone after the test. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'assent-guide-'));

  constructor(packages: readonly string[] = []) {
    // Called last: what was started here has been told to end by then.
    onTestFinished(async () => {
      await this.#engineEnded();
      rmSync(this.path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
    });
    mkdirSync(join(this.path, 'node_modules'));
    symlinkSync(ROOT, join(this.path, 'node_modules/assent'));
    for (const name of packages) {
      mkdirSync(dirname(join(this.path, 'node_modules', name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(this.path, 'node_modules', name));
    }
    this.write('package.json', '{"type":"module","private":true}');
  }

  /** What a reader has after following the guide up to a file's second version, if there is one. */
  static of(guide: string): Folder {
    const folder = new Folder(['fast-check']);
    for (const [name, code] of [...filesOf(guide)].reverse()) folder.write(name, code);
    return folder;
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** An engine that a script has started ends when it has no clients, and writes to the folder until then. */
  async #engineEnded(): Promise<void> {
    const file = join(this.path, '.assent/engine.json');
    if (!existsSync(file)) return;
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { readonly pid: number };
    await vi.waitUntil(() => !isAlive(pid), { timeout: 20_000, interval: 50 });
  }

  has(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  readonly node = (...args: readonly string[]): Promise<{ stdout: string }> =>
    run(process.execPath, args, { cwd: this.path, env: environment() });

  readonly assent = async (...args: readonly string[]): Promise<string> => (await this.node(BIN, ...args)).stdout;

  /** A script that is gone after the test. */
  start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, args, {
      cwd: this.path,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = follow(child);
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await running.ended;
    });
    return running;
  }

  /** An engine that is gone after the test, and its nats-server before it. */
  server(...args: readonly string[]): Running {
    const running = this.start(BIN, 'server', ...args);
    onTestFinished(async () => {
      running.child.kill('SIGTERM');
      await running.ended;
    });
    return running;
  }
}

/** Of a reader: no data folder of ours, and no test runner around node’s. */
function environment(): NodeJS.ProcessEnv {
  const {
    ASSENT_DATA: _data,
    ASSENT_URL: _url,
    NODE_TEST_CONTEXT: _context,
    FORCE_COLOR: _force,
    ...rest
  } = process.env;
  return { ...rest, NO_COLOR: '1' };
}
