/** The processes of one measurement: a server, a worker, and this one as the driver. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConnectionFile, type Connection } from '../../engine/server/connection-file.ts';
import type { Machine } from './machine.ts';

export type Durability = 'power' | 'process';

const ROOT = new URL('../..', import.meta.url).pathname;
const LIMIT_MS = 60_000;

export class Processes {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'assent-bench-'));
  readonly #durability: Durability;
  readonly #machine: Machine;
  readonly #executions: string | undefined;
  #server: ChildProcess | undefined;
  #worker: ChildProcess | undefined;

  constructor(durability: Durability, machine: Machine, executions?: string) {
    this.#durability = durability;
    this.#machine = machine;
    this.#executions = executions;
  }

  async up(): Promise<void> {
    await Promise.all([this.startServer(), this.startWorker()]);
  }

  async startServer(): Promise<Connection> {
    const args = ['server', '--data', this.dataDir, '--durability', this.#durability, '--heartbeat-limit', '3s'];
    this.#server = spawn(process.execPath, [join(ROOT, 'bin/assent.js'), ...args], { stdio: 'ignore' });
    this.#machine.add('server', this.#server.pid ?? 0);
    return this.connection();
  }

  /** Waits until the engine has announced itself. */
  async connection(): Promise<Connection> {
    const until = performance.now() + LIMIT_MS;
    while (performance.now() < until) {
      await sleep(5);
      const connection = await readConnectionFile(this.dataDir);
      if (connection !== undefined) return connection;
    }
    throw new Error('the server did not start');
  }

  async startWorker(): Promise<void> {
    await this.connection();
    const env = {
      ...process.env,
      ASSENT_DATA: this.dataDir,
      ...(this.#executions === undefined ? {} : { BENCH_EXECUTIONS: this.#executions }),
    };
    this.#worker = fork(join(ROOT, 'test/bench/worker.ts'), { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#worker.setMaxListeners(0);
    this.#machine.add('worker', this.#worker.pid ?? 0);
    await this.fromWorker('ready');
  }

  fromWorker<T extends { type: string }>(type: T['type']): Promise<T> {
    const worker = this.#worker;
    if (worker === undefined) throw new Error('no worker runs');
    return new Promise((resolve, reject) => {
      worker.on('message', (message: T) => {
        if (message.type === type) resolve(message);
      });
      worker.once('exit', (code) => {
        reject(new Error(`the worker ended with ${String(code)}`));
      });
    });
  }

  async kill(which: 'server' | 'worker'): Promise<void> {
    const victim = which === 'server' ? this.#server : this.#worker;
    victim?.kill('SIGKILL');
    await ended(victim);
  }

  async down(): Promise<void> {
    this.#worker?.disconnect();
    await ended(this.#worker);
    this.#server?.kill('SIGTERM');
    await ended(this.#server);
  }

  remove(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}
