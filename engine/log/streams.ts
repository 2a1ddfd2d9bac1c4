/**
 * The streams of a workspace: created when they are missing, checked when they exist.
 * Owns: their configuration (architecture, section 3) and the demands on the server. Whoever writes and reads them
 * takes their names from protocol/subjects.ts.
 *
 * S1 A second call changes nothing on streams that are as they should be. What exists keeps its limits, replicas,
 *    placement, compression and the like, so that an operator's `nats stream edit` stays. Only the ledger is put right:
 *    limits are taken away, `discard: new`, `deny_delete` and `allow_direct` are set, for it forgets nothing and is read
 *    by sequence.
 * S2 A stream that could not do its work (other subjects, in memory, other retention; a ledger that denies its purge
 *    or allows roll-ups) is refused with STREAM_UNFIT, and nothing of it is changed.
 * S3 Nothing here needs more than nats-server 2.10. Older servers ignore unknown options in silence, so what is newer
 *    is asked for by version and believed only when the stream's information shows it.
 * S4 The server reserves what `max_bytes` says, whether it is used or not. Its `max_file_store` must never fall below
 *    the sum: a 2.10 server that starts with less does not recover the streams that no longer fit, the ledger among
 *    them (their files stay). Creating them anew is then refused too, so nothing is overwritten.
 */
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  PersistMode,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { nanos } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import assert from 'node:assert/strict';
import { AssentError } from '../../protocol/errors.ts';
import { isWorkspaceName, streams, subjects } from '../../protocol/subjects.ts';

export type StreamLimits = { readonly maxAgeMs?: number; readonly maxBytes?: number };

export type StreamsOptions = {
  readonly workspace: string;
  /** `power`: the server syncs each message before it acknowledges it, and proposals are exempted where it can. */
  readonly durability: 'power' | 'process';
  /** Of streams that are created now, as are the limits; 1 unless told otherwise. */
  readonly replicas?: number;
  readonly limits?: {
    readonly proposals?: StreamLimits;
    readonly work?: StreamLimits;
    readonly logs?: StreamLimits;
    readonly events?: StreamLimits;
  };
};

export type StreamsInForce = {
  readonly serverVersion: string;
  /** `persistModeAsync`: proposals are acknowledged without a sync to disk, as the stream itself says. */
  readonly features: { readonly persistModeAsync: boolean };
};

const HOUR_MS = 3_600_000;
const MIB = 1024 ** 2;
/** The server's default. */
const DUPLICATE_WINDOW_MS = 120_000;

export const DEFAULT_LIMITS = {
  proposals: { maxAgeMs: 24 * HOUR_MS, maxBytes: 1024 * MIB },
  work: { maxAgeMs: 0, maxBytes: 64 * MIB },
  logs: { maxAgeMs: 7 * 24 * HOUR_MS, maxBytes: 512 * MIB },
  events: { maxAgeMs: 7 * 24 * HOUR_MS, maxBytes: 128 * MIB },
} as const satisfies Required<StreamsOptions['limits']>;

/** What one workspace reserves on the server's disk (S4); the ledger and the values come on top as they grow. */
export const RESERVED_BYTES = Object.values(DEFAULT_LIMITS).reduce((sum, { maxBytes }) => sum + maxBytes, 0);

export async function ensureStreams(connection: NatsConnection, options: StreamsOptions): Promise<StreamsInForce> {
  assert(isWorkspaceName(options.workspace), `not a workspace's name: ${options.workspace}`);
  const serverVersion = requireVersion(connection.info?.version);
  try {
    const manager = await jetstreamManager(connection);
    let persistModeAsync = false;
    for (const wanted of wantedStreams(options, serverVersion)) {
      const config = await ensureStream(manager, wanted);
      if (config.name === streams.proposals(options.workspace)) {
        persistModeAsync = config.persist_mode === PersistMode.Async;
      }
    }
    await ensureValues(connection, options);
    return { serverVersion, features: { persistModeAsync } };
  } catch (error) {
    throw outside(error);
  }
}

/** The server's version, if it is new enough. */
export function requireVersion(version: string | undefined): string {
  if (version === undefined) throw new AssentError('NATS_UNREACHABLE', 'There is no connection to a nats-server.');
  if (!isAtLeast(version, 2, 10)) throw new AssentError('NATS_SERVER_TOO_OLD', `This nats-server is ${version}.`);
  return version;
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

type Wanted = {
  readonly config: Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };
  /** Fields of an existing stream that are put right. */
  readonly corrected: readonly (keyof StreamConfig)[];
  /** Fields of an existing stream that must be as wanted. */
  readonly demanded: readonly (keyof StreamConfig)[];
};

function wantedStreams(options: StreamsOptions, serverVersion: string): readonly Wanted[] {
  const { workspace: ws, limits } = options;
  return [
    wantedLedger(options),
    limited(streams.proposals(ws), subjects.propose(ws, '*', '*'), limits?.proposals, DEFAULT_LIMITS.proposals, {
      ...common(options),
      discard: DiscardPolicy.New,
      allow_direct: true,
      ...(savesSync(options, serverVersion) ? { persist_mode: PersistMode.Async } : {}),
    }),
    limited(streams.work(ws), subjects.work(ws, '*', '*'), limits?.work, DEFAULT_LIMITS.work, {
      ...common(options),
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
    }),
    limited(streams.logs(ws), subjects.logs(ws, '*'), limits?.logs, DEFAULT_LIMITS.logs, {
      ...common(options),
      discard: DiscardPolicy.Old,
      allow_direct: true,
    }),
    limited(streams.events(ws), subjects.events(ws, '>'), limits?.events, DEFAULT_LIMITS.events, {
      ...common(options),
      discard: DiscardPolicy.Old,
      allow_direct: true,
    }),
  ];
}

/**
 * A stream that persists asynchronously is not synced before the acknowledgement. Without `sync_interval: always` that
 * saves nothing and only loses more when the server is killed. The server refuses it on replicated streams.
 */
function savesSync(options: StreamsOptions, serverVersion: string): boolean {
  return options.durability === 'power' && (options.replicas ?? 1) === 1 && isAtLeast(serverVersion, 2, 12);
}

const common = ({ replicas = 1 }: StreamsOptions): Partial<StreamConfig> => ({
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  num_replicas: replicas,
});

function wantedLedger(options: StreamsOptions): Wanted {
  return {
    config: {
      ...common(options),
      name: streams.ledger(options.workspace),
      subjects: [subjects.ledger(options.workspace)],
      max_msgs: -1,
      max_bytes: -1,
      max_age: 0,
      max_msgs_per_subject: -1,
      max_msg_size: -1,
      // Without limits nothing is discarded; with limits set by mistake, refuse the new rather than forget the old.
      discard: DiscardPolicy.New,
      deny_delete: true,
      // Archived segments are purged.
      deny_purge: false,
      allow_rollup_hdrs: false,
      allow_direct: true,
    },
    corrected: [
      'max_msgs',
      'max_bytes',
      'max_age',
      'max_msgs_per_subject',
      'max_msg_size',
      'discard',
      'deny_delete',
      'allow_direct',
    ],
    demanded: ['storage', 'retention', 'deny_purge', 'allow_rollup_hdrs'],
  };
}

function limited(
  name: string,
  subject: string,
  asked: StreamLimits | undefined,
  usual: Required<StreamLimits>,
  rest: Partial<StreamConfig>,
): Wanted {
  const { maxAgeMs, maxBytes } = { ...usual, ...asked };
  // The window in which the server knows a repeated message id; it may not exceed the age.
  const windowMs = maxAgeMs === 0 ? DUPLICATE_WINDOW_MS : Math.min(DUPLICATE_WINDOW_MS, maxAgeMs);
  return {
    config: {
      ...rest,
      name,
      subjects: [subject],
      max_age: nanos(maxAgeMs),
      max_bytes: maxBytes,
      duplicate_window: nanos(windowMs),
    },
    corrected: [],
    demanded: ['storage', 'retention'],
  };
}

async function ensureStream(manager: JetStreamManager, wanted: Wanted): Promise<StreamConfig> {
  const existing = (await find(manager, wanted.config.name)) ?? (await add(manager, wanted));
  const unfit = wanted.demanded.filter((field) => existing[field] !== wanted.config[field]);
  if (existing.subjects.join() !== wanted.config.subjects.join()) unfit.push('subjects');
  if (unfit.length > 0) {
    const shown = unfit.map(
      (field) => `${field} is ${JSON.stringify(existing[field])}, not ${JSON.stringify(wanted.config[field])}`,
    );
    throw new AssentError('STREAM_UNFIT', `The stream ${existing.name} exists, but ${shown.join('; ')}.`);
  }
  const wrong = wanted.corrected.filter((field) => existing[field] !== wanted.config[field]);
  if (wrong.length === 0) return existing;
  const corrections = Object.fromEntries(wrong.map((field) => [field, wanted.config[field]]));
  return (await manager.streams.update(existing.name, corrections)).config;
}

async function find(manager: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw error;
  }
}

/** 10058: JSStreamNameExistErr in nats-server; another process created it, and otherwise, since the look. */
const NAME_IN_USE = 10058;

async function add(manager: JetStreamManager, wanted: Wanted): Promise<StreamConfig> {
  try {
    return (await manager.streams.add(wanted.config)).config;
  } catch (error) {
    const present = isRefusal(error, NAME_IN_USE) ? await find(manager, wanted.config.name) : undefined;
    if (present === undefined) throw error;
    return present;
  }
}

/** Values are told apart by their digest and written once, so there is neither a limit nor an age. */
async function ensureValues(connection: NatsConnection, options: StreamsOptions): Promise<void> {
  await new Objm(connection).create(streams.values(options.workspace), {
    storage: StorageType.File,
    replicas: options.replicas ?? 1,
  });
}

const isRefusal = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;

/** The server's own refusal is about a stream; anything else says that JetStream cannot be asked. */
function outside(error: unknown): AssentError {
  if (error instanceof AssentError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof JetStreamApiError) {
    return new AssentError('STREAM_REFUSED', `The server refused: ${detail} (${String(error.code)}).`, {
      cause: error,
    });
  }
  return new AssentError('NATS_UNREACHABLE', `JetStream does not answer: ${detail}.`, { cause: error });
}
