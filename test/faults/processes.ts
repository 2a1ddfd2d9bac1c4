/** Child processes that a test kills, stops and lets go on, and what it hears from them. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Counters } from '../../engine/arbiter/counters.ts';
import type { ArbiterRole } from '../../engine/arbiter/arbiter.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import type { ArbiterOrder, ArbiterReport } from './arbiter-process.ts';
import type { SdkOrder } from './sdk-process.ts';

/** One process after the other of one kind; at most one at a time. */
export class Kept {
  readonly #start: () => ChildProcess;
  #child: ChildProcess;

  constructor(start: () => ChildProcess) {
    this.#start = start;
    this.#child = start();
  }

  get child(): ChildProcess {
    return this.#child;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves when the present process has ended. */
  async ended(): Promise<void> {
    if (!this.hasEnded) await once(this.#child, 'exit');
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }

  again(): void {
    this.#child = this.#start();
  }
}

/** Runs a file of this folder from its source. */
function run(file: string, order: object, env: Record<string, string>): ChildProcess {
  return fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(order)], {
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'assent-test-compile-cache'), ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

export class ArbiterMember extends Kept {
  readonly proxy: TcpProxy;
  readonly said: string[];
  /** The counters of each process, those of the present one last. */
  readonly counted: Counters[];
  readonly digests: Map<number, string>;
  readonly viewDigests: Map<number, string>;
  readonly standing: { role: ArbiterRole; epoch: number };
  readonly #changed: Set<() => void>;

  constructor(proxy: TcpProxy, order: Omit<ArbiterOrder, 'url'>) {
    const said: string[] = [];
    const counted: Counters[] = [];
    const digests = new Map<number, string>();
    const viewDigests = new Map<number, string>();
    const standing: { role: ArbiterRole; epoch: number } = { role: 'STARTING', epoch: 0 };
    const changed = new Set<() => void>();
    const hear = (report: ArbiterReport, number: number): void => {
      if (report.type === 'ROLE') Object.assign(standing, { role: report.role, epoch: report.epoch });
      else if (report.type === 'SAID') said.push(report.line);
      else if (report.type === 'DIGEST') (report.of === 'FOLD' ? digests : viewDigests).set(report.seq, report.digest);
      else counted[number] = report.counters;
      for (const look of [...changed]) look();
    };
    let starts = 0;
    super(() => {
      standing.role = 'STARTING';
      const number = starts;
      starts += 1;
      const child = run('arbiter-process.ts', { ...order, url: proxy.url }, {});
      child.on('message', (report: ArbiterReport) => {
        hear(report, number);
      });
      return child;
    });
    this.proxy = proxy;
    this.said = said;
    this.counted = counted;
    this.digests = digests;
    this.viewDigests = viewDigests;
    this.standing = standing;
    this.#changed = changed;
  }

  get isActive(): boolean {
    return this.standing.role === 'ACTIVE' && !this.hasEnded;
  }

  /** Resolves as soon as something that it reported makes `holds` true. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#changed.delete(look);
        resolve();
      };
      this.#changed.add(look);
      look();
    });
  }

  /** Stops it as its owner would. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.child.send('STOP');
    await this.ended();
  }
}

export class SdkMember extends Kept {
  readonly proxy: TcpProxy;
  readonly order: SdkOrder;

  constructor(proxy: TcpProxy, order: SdkOrder, file = 'sdk-process.ts') {
    super(() => run(file, order, { ASSENT_URL: proxy.url }));
    this.proxy = proxy;
    this.order = order;
  }
}
