/** Scripts as processes, with a real engine and a real nats-server, which they start themselves, in a folder of a test's own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive } from '../../sdk/client/target.ts';

export type Script = {
  readonly child: ChildProcess;
  /** Resolves when it prints a line that begins so. */
  line(start: string): Promise<string>;
  /** Resolves with all that it printed, and its exit code; null if it was killed. */
  readonly ended: Promise<{ out: string; code: number | null }>;
};

export class ScriptFolder {
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<ScriptFolder> {
    return new ScriptFolder(await mkdtemp(join(tmpdir(), 'assent-script-')));
  }

  /** Starts a script of `scripts/`, whose first argument is the file of its effects. */
  run(script: string, env: Record<string, string> = {}): Script {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'scripts', script), this.#effects], {
      cwd: this.folder,
      env: { ...process.env, ASSENT_DATA: join(this.folder, 'data'), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    const lines: string[] = [];
    const waiting: { start: string; tell: (line: string) => void }[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      for (const { start, tell } of waiting) if (line.startsWith(start)) tell(line);
    });
    return {
      child,
      line: (start) =>
        new Promise((tell) => {
          const known = lines.find((line) => line.startsWith(start));
          if (known === undefined) waiting.push({ start, tell });
          else tell(known);
        }),
      ended: once(child, 'close').then(([code]) => ({ out: lines.join('\n'), code: code as number | null })),
    };
  }

  /** What the scripts did, a line each. */
  async effects(): Promise<string[]> {
    const text = await readFile(this.#effects, 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** That of the engine that the scripts share; 0 if there is none. */
  async enginePid(): Promise<number> {
    const text = await readFile(join(this.folder, 'data', 'engine.json'), 'utf8').catch(() => '{}');
    return (JSON.parse(text) as { pid?: number }).pid ?? 0;
  }

  /** An engine that nobody needs exits by itself. */
  async engineGone(which?: number): Promise<void> {
    const pid = which ?? (await this.enginePid());
    while (pid > 0 && isAlive(pid)) await pause(50);
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.engineGone();
    await rm(this.folder, { recursive: true, force: true });
  }

  get #effects(): string {
    return join(this.folder, 'effects.txt');
  }
}
