/**
 * Wires an engine together: the embedded nats-server (or one that exists), the arbiter's thread and the projector's.
 * Nothing else starts anything.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AssentError } from '../protocol/errors.ts';
import { isWorkspaceName } from '../protocol/subjects.ts';
import type { ArbiterRole } from './arbiter/arbiter.ts';
import { ARBITER_DEFAULTS, type ArbiterSettings } from './arbiter/parts.ts';
import type { Counters } from './arbiter/counters.ts';
import { ArbiterKeeper } from './arbiter/keeper.ts';
import { keepSnapshots } from './arbiter/snapshots.ts';
import { STORE_FILE } from './arbiter/state-store.ts';
import type { Measured } from './metrics/measured.ts';
import type { MetricsAddress, MetricsServer } from './metrics/server.ts';
import { keepProjector, type ProjectorKeeper } from './projections/keeper.ts';
import { coreSource } from './policy/core.ts';
import { openPolicy, type OpenPolicy } from './policy/open-policy.ts';
import { addressOf, connectTo, withoutSecrets, type Address } from './connect.ts';
import { writeConnectionFile, removeConnectionFile } from './server/connection-file.ts';
import { startEmbeddedServer } from './server/embedded.ts';
import { lockFolder } from './server/lock.ts';
import { inboxPrefixOf } from './server/permissions.ts';
import { VERSION } from './version.ts';

export type EngineOptions = {
  /** Where everything of this engine lies. Default `.assent`. */
  readonly dataDir?: string;
  /** Default `default`. */
  readonly workspace?: string;
  /** What a settled ruling survives: a power cut, or the death of any process. Default `power`. */
  readonly durability?: 'power' | 'process';
  /** A NATS server or cluster that exists; left out, the engine starts its own. */
  readonly url?: string;
  /** The embedded server's port; left out, a free one. */
  readonly port?: number;
  readonly settings?: Partial<ArbiterSettings>;
  /**
   * The policy that is to be in force: a file (`.ts`, `.js`, `.yaml`, `.toml`) by path or file URL, bundled, checked, and
   * looked at again whenever it changes; or `core`, for the engine's own rules. Left out: what is in force stays.
   */
  readonly policies?: string | URL;
  /** Serve metrics for Prometheus at this port; left out, none are served. */
  readonly metrics?: MetricsAddress;
  /** Hears what the engine does, a line at a time. */
  readonly say?: (line: string) => void;
  readonly onRole?: (role: ArbiterRole, epoch: number) => void;
  /** Hears the digest of the folded state after each segment; costly, for tests. */
  readonly onDigest?: (seq: number, digest: string) => void;
  /** The same, of what the projector folds. */
  readonly onViewDigest?: (seq: number, digest: string) => void;
};

export type Engine = {
  /** Without secrets. */
  readonly url: string;
  readonly workspace: string;
  /** How this process's own clients of the engine connect. */
  readonly clientAddress: Address;
  /** Where the metrics are, if they were asked for. */
  readonly metricsUrl?: string;
  /** The embedded nats-server's process. */
  natsPid(): number | undefined;
  counters(): Promise<Counters>;
  /** Copies the arbiter's state, as it was last written, into the object store. The ledger's sequence it stands at. */
  snapshot(): Promise<number>;
  /** Stops everything that this call started; resolves when nothing of it runs. */
  stop(): Promise<void>;
};

/**
 * Starts an engine and resolves when it is active or standing by.
 *
 * @example
 * const engine = await startEngine({ dataDir: '.assent' });
 * await engine.stop();
 * @throws AssentError FOLDER_LOCKED, FOLDER_READ_ONLY, NATS_SERVER_MISSING, NATS_UNREACHABLE, POLICY_INVALID,
 * POLICY_MISSING, ENGINE_START_FAILED
 */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { workspace = 'default', durability = 'power', say = () => undefined } = options;
  if (!isWorkspaceName(workspace)) throw new AssentError('BAD_OPTION', `'${workspace}' is no name of a workspace`);
  const dataDir = resolve(options.dataDir ?? '.assent');
  /** How to end what was started, in the order of the starts. */
  const ends: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return await start({ ...options, workspace, durability, say, dataDir }, ends, stop);
  } catch (error) {
    await stop();
    if (error instanceof AssentError) throw error;
    throw new AssentError('ENGINE_START_FAILED', String(error), { cause: error });
  }
}

type Decided = EngineOptions & Required<Pick<EngineOptions, 'workspace' | 'durability' | 'say' | 'dataDir'>>;

async function start(
  options: Decided,
  ends: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<Engine> {
  const { workspace, durability, say, dataDir, url, policies } = options;
  const [core, policy] = await Promise.all([coreSource(), policies === undefined ? undefined : openPolicy(policies)]);
  const stateDir = join(dataDir, 'state', workspace);
  // A server that exists may be shared by many engines; what this one keeps on disk is its own.
  const lock = await lockFolder(stateDir);
  ends.push(() => lock.release());
  const server = url === undefined ? await embedded(options, dataDir, workspace) : outside(url);
  ends.push(() => server.stop());
  const { address } = server;
  const projector = keepProjector({
    address,
    workspace,
    durability,
    sync: url === undefined ? (durability === 'power' ? 'always' : 'interval') : 'unknown',
    dataDir: join(dataDir, 'views'),
    say,
    ...(options.onViewDigest === undefined ? {} : { onDigest: options.onViewDigest }),
  });
  ends.push(() => projector.stop());
  let known = { isActive: false, epoch: 0 };
  const arbiter = new ArbiterKeeper({
    address,
    workspace,
    durability,
    dataDir: stateDir,
    processesDir: join(dataDir, 'processes'),
    settings: { ...ARBITER_DEFAULTS, alone: url === undefined, ...options.settings },
    digests: options.onDigest !== undefined,
    core,
    ...(policy === undefined ? {} : { policy: policy.given }),
    say,
    onRole: (role, epoch) => {
      known = { isActive: role === 'ACTIVE', epoch };
      projector.role(role, epoch);
      options.onRole?.(role, epoch);
    },
    onUnanswered: () => {
      server.revive(say);
    },
    ...(options.onDigest === undefined ? {} : { onDigest: options.onDigest }),
  });
  ends.push(() => arbiter.stop());
  await arbiter.settled;
  ends.push(watchPolicy(policy, arbiter, say));
  await projector.ready;
  const { connection } = await connectTo(address, 'assent engine');
  ends.push(() => connection.close());
  const snapshots = keepSnapshots(connection, workspace, join(stateDir, STORE_FILE));
  ends.push(() => {
    snapshots.stop();
  });
  const metrics = await metricsOf(options, { arbiter, projector, role: () => known });
  ends.push(() => metrics?.stop());
  await server.announce(policy?.file);
  ends.push(() => server.retract());
  return {
    url: withoutSecrets(address.url),
    workspace,
    ...(metrics === undefined ? {} : { metricsUrl: metrics.url }),
    clientAddress: address,
    natsPid: () => server.pid(),
    counters: () => arbiter.counters(),
    snapshot: () => snapshots.now(),
    stop,
  };
}

type Measurable = {
  readonly arbiter: ArbiterKeeper;
  readonly projector: ProjectorKeeper;
  readonly role: () => Pick<Measured, 'isActive' | 'epoch'>;
};

/** A new policy of the same file is put in force like the first. Returns how to end that. */
function watchPolicy(policy: OpenPolicy | undefined, arbiter: ArbiterKeeper, say: (line: string) => void): () => void {
  const changed = (given: OpenPolicy['given']): void => {
    arbiter.putInForce(given);
  };
  return policy?.watch(changed, say) ?? (() => undefined);
}

/** Who wants no metrics does not load what makes them. */
async function metricsOf(
  options: Decided,
  { arbiter, projector, role }: Measurable,
): Promise<MetricsServer | undefined> {
  if (options.metrics === undefined) return undefined;
  const { serveMetrics } = await import('./metrics/server.ts');
  return serveMetrics(options.metrics, async () => {
    const [counters, view] = await Promise.all([arbiter.countersInTime(), projector.metrics()]);
    return {
      workspace: options.workspace,
      version: VERSION,
      ...role(),
      ...(counters === undefined ? {} : { counters }),
      ...(view === undefined ? {} : { projector: view }),
    };
  });
}

type Server = {
  readonly address: Address;
  pid(): number | undefined;
  /** Starts a server anew that does not answer, if it is ours. */
  revive(say: (line: string) => void): void;
  announce(policyFile: string | undefined): Promise<void>;
  retract(): Promise<void>;
  stop(): Promise<void>;
};

async function embedded(options: EngineOptions, dataDir: string, workspace: string): Promise<Server> {
  const { durability, port, say } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const server = await startEmbeddedServer({
    dataDir,
    workspace,
    ...(durability === undefined ? {} : { durability }),
    ...(port === undefined ? {} : { port }),
    ...(say === undefined ? {} : { say }),
  });
  const { url, credentials } = server;
  return {
    address: { url, ...credentials.engine, inboxPrefix: inboxPrefixOf('engine') },
    pid: () => server.pid,
    revive: (tell) => {
      tell('nats-server does not answer and is started anew');
      void server.restart().catch((error: unknown) => {
        tell(`nats-server could not be started anew: ${String(error)}`);
      });
    },
    announce: (policyFile) =>
      writeConnectionFile(dataDir, {
        ...{ url, workspace, version: VERSION, credentials },
        ...(policyFile === undefined ? {} : { policyFile }),
      }),
    retract: () => removeConnectionFile(dataDir),
    stop: () => server.stop(),
  };
}

const nothing = (): Promise<void> => Promise.resolve();

function outside(url: string): Server {
  return {
    address: addressOf(url),
    pid: () => undefined,
    revive: () => undefined,
    announce: nothing,
    retract: nothing,
    stop: nothing,
  };
}
