/**
 * The arbiter's own thread: connects, wires the arbiter to NATS and to its state store, and reports to the main thread.
 * The main thread (engine/arbiter/keeper.ts) ends this thread when a judgment does not end.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { completesEarly, corePolicies } from '../../rules/policy.ts';
import { court } from '../../rules/judge.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { stateDigest } from '../fold/workspace.ts';
import { connectTo, type Address } from '../connect.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import { roomMaker } from '../log/room.ts';
import { ensureStreams } from '../log/streams.ts';
import { Arbiter, type ArbiterRole } from './arbiter.ts';
import type { ArbiterSettings } from './parts.ts';
import type { Counters } from './counters.ts';
import { goneProcesses } from './gone-processes.ts';
import { systemClock } from './ledger-clock.ts';
import { hearAsks, hearBeats, watchLeases } from './nats-inbox.ts';
import { natsOutbox } from './nats-outbox.ts';
import { policyDigest } from './policy-digest.ts';
import { systemScheduler } from './scheduler.ts';
import { restoreSnapshot } from './snapshots.ts';
import { STORE_FILE, StateStore } from './state-store.ts';
import type { Position } from '../../protocol/rulings.ts';

export type ThreadData = {
  readonly address: Address;
  readonly workspace: string;
  readonly durability: 'power' | 'process';
  readonly dataDir: string;
  /** Where clients of this machine say which process has which session. */
  readonly processesDir: string;
  readonly settings: ArbiterSettings;
  readonly endedAt?: Position;
  /** Three float64: the sequence and index that are being judged, and how often that changed. */
  readonly judging: SharedArrayBuffer;
  /** Report the digest of the folded state after each segment. */
  readonly digests: boolean;
};

export type FromThread =
  | { readonly type: 'ROLE'; readonly role: ArbiterRole; readonly epoch: number }
  | { readonly type: 'SAY'; readonly line: string }
  | { readonly type: 'UNANSWERED' }
  | { readonly type: 'DIGEST'; readonly seq: number; readonly digest: string }
  | { readonly type: 'COUNTERS'; readonly counters: Counters };
export type ToThread = { readonly type: 'STOP' | 'COUNT' };

const data = workerData as ThreadData;
const tell = (message: FromThread): void => parentPort?.postMessage(message);
const judging = new Float64Array(data.judging);

const { connection, whenReconnected } = await connectTo(data.address, 'assent arbiter');
await ensureStreams(connection, { workspace: data.workspace, durability: data.durability });

mkdirSync(data.dataDir, { recursive: true });
const storePath = join(data.dataDir, STORE_FILE);
const restored = await restoreSnapshot(connection, data.workspace, storePath).catch(() => undefined);
if (restored !== undefined) tell({ type: 'SAY', line: `the state begins from a snapshot at ${String(restored)}` });
const store = new StateStore(storePath);
const { workspace } = data;
const policies = corePolicies;
const policy = policyDigest(policies);
const theCourt = court(policies);
const limits = { timeoutMs: data.settings.answerLimitMs };
const makeRoom = roomMaker(connection, streams.proposals(workspace));
const arbiter = new Arbiter({
  ledger: jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) }, limits),
  proposals: jetstreamLog(connection, { stream: streams.proposals(workspace), subject: 'unused' }, limits),
  outbox: natsOutbox(connection, workspace),
  leases: watchLeases(connection, workspace),
  court: theCourt,
  policy,
  clock: systemClock,
  chance: { unit: Math.random },
  scheduler: systemScheduler,
  store,
  settings: data.settings,
  ...(data.endedAt === undefined ? {} : { endedAt: data.endedAt }),
  judging: (at) => {
    judging[0] = at?.seq ?? 0;
    judging[1] = at?.index ?? 0;
    judging[2] = (judging[2] ?? 0) + 1;
  },
  gone: goneProcesses(data.processesDir),
  say: (line) => {
    tell({ type: 'SAY', line });
  },
  unanswered: () => {
    tell({ type: 'UNANSWERED' });
  },
  makeRoom: (before) => {
    // Should it fail, it is tried again.
    void makeRoom(before).catch(() => undefined);
  },
  ...(data.digests
    ? {
        folded: (state) => {
          tell({ type: 'DIGEST', seq: state.meta.head.seq, digest: stateDigest(state, store.asleep()) });
        },
      }
    : {}),
});

hearBeats(connection, workspace, arbiter);
whenReconnected(() => {
  arbiter.reconnected();
});
let stopAsks: (() => void) | undefined;
const about = {
  policy,
  completesEarly: completesEarly(theCourt),
  heartbeatLimitMs: data.settings.heartbeatLimitMs,
  monotonicMs: () => performance.now(),
};
arbiter.start((role) => {
  stopAsks?.();
  stopAsks = role === 'ACTIVE' ? hearAsks(connection, workspace, arbiter, about) : undefined;
  tell({ type: 'ROLE', role, epoch: arbiter.workspace.meta.epoch });
});

parentPort?.on('message', ({ type }: ToThread) => {
  if (type === 'COUNT') tell({ type: 'COUNTERS', counters: arbiter.counters });
  else void stop();
});

async function stop(): Promise<void> {
  await arbiter.stop();
  store.close();
  await connection.close();
  process.exit(0);
}
