/** What the tests with faults are made of: a nats-server, arbiters and processes with flows, each behind a proxy. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArbiterSettings } from '../../engine/arbiter/parts.ts';
import { startNats, type NatsVersion, type TestServer } from '../support/nats.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { ArbiterMember, SdkMember } from './processes.ts';
import type { SdkOrder } from './sdk-process.ts';

/** Short, so that a test sees what takes ten seconds by default. */
export const SHORT: Partial<ArbiterSettings> = {
  heartbeatLimitMs: 1000,
  leaseLimitMs: 600,
  graceMs: 2000,
  answerLimitMs: 1000,
};

export class Rig {
  readonly server: TestServer;
  readonly folder: string;
  readonly arbiters: ArbiterMember[] = [];
  readonly sdks: SdkMember[] = [];
  readonly #proxies: TcpProxy[] = [];

  constructor(server: TestServer, folder: string) {
    this.server = server;
    this.folder = folder;
  }

  static async start(options: { version?: NatsVersion; maxFileStore?: string } = {}): Promise<Rig> {
    const server = await startNats({ durability: 'power', ...options });
    return new Rig(server, await mkdtemp(join(tmpdir(), 'assent-faults-')));
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await startTcpProxy(this.server.url);
    this.#proxies.push(proxy);
    return proxy;
  }

  async addArbiter(settings: Partial<ArbiterSettings> = {}, digests = false): Promise<ArbiterMember> {
    const dataDir = this.#dataDirOf(this.arbiters.length);
    const member = new ArbiterMember(await this.proxy(), { dataDir, settings: { ...SHORT, ...settings }, digests });
    this.arbiters.push(member);
    return member;
  }

  async addSdk(order: Omit<SdkOrder, 'name' | 'folder'>, file?: string): Promise<SdkMember> {
    const name = `p${String(this.sdks.length)}`;
    const member = new SdkMember(await this.proxy(), { ...order, name, folder: this.folder }, file);
    this.sdks.push(member);
    return member;
  }

  /** The arbiter that became active last, of those that say that they are. */
  get active(): ArbiterMember | undefined {
    return this.arbiters.filter(({ isActive }) => isActive).sort((a, b) => b.standing.epoch - a.standing.epoch)[0];
  }

  /** Resolves with an arbiter that is active in an epoch after `epoch`. */
  async whenActive(epoch = 0): Promise<ArbiterMember> {
    const isIt = (member: ArbiterMember): boolean => member.isActive && member.standing.epoch > epoch;
    await Promise.race(this.arbiters.map((member) => member.until(() => isIt(member))));
    const found = this.arbiters.find(isIt);
    if (found === undefined) throw new Error('no arbiter is active');
    return found;
  }

  /** Ends all that it started. */
  async end(): Promise<void> {
    await this.leave();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** As {@link end}, at once and without a word to anybody; but the notes of the processes stay in the folder. */
  async leave(): Promise<void> {
    await Promise.all([...this.arbiters, ...this.sdks].map((member) => member.kill()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.server.stop();
    for (const index of this.arbiters.keys()) await rm(this.#dataDirOf(index), { recursive: true, force: true });
  }

  #dataDirOf(arbiter: number): string {
    return join(this.folder, `arbiter-${String(arbiter)}`);
  }
}
