/**
 * The arbiter's own thread: connects, wires the arbiter to NATS and to its state store, and reports to the main thread.
 * The main thread (engine/arbiter/keeper.ts) ends this thread when a judgment does not end.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { streams, subjects } from '../../protocol/subjects.ts';
import { stateDigest } from '../fold/workspace.ts';
import { connectTo } from '../connect.ts';
import { storeBundle } from '../policy/store.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import { roomMaker } from '../log/room.ts';
import { ensureStreams } from '../log/streams.ts';
import { completePolicies } from '../../rules/compose.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { sha256 } from '../../protocol/segment.ts';
import { Arbiter } from './arbiter.ts';
import { goneProcesses } from './gone-processes.ts';
import { systemClock } from './ledger-clock.ts';
import { hearAsks, hearBeats, watchLeases } from './nats-inbox.ts';
import { natsOutbox } from './nats-outbox.ts';
import { systemScheduler } from './scheduler.ts';
import { restoreSnapshot } from './snapshots.ts';
import { STORE_FILE, StateStore } from './state-store.ts';
import { JudgmentMark } from './judgment-mark.ts';
import { StoredPolicies } from './shelf.ts';
import { Turns, Words } from './turns.ts';
import type { Call, FromThread, GivenPolicy, ThreadData, ToThread } from './thread-words.ts';

const given = workerData as ThreadData;
const tell = (message: FromThread): void => parentPort?.postMessage(message);
const mark = new JudgmentMark(given.judging);
const words = new Words((hear: (message: ToThread) => void) => parentPort?.on('message', hear));

const { connection, whenReconnected } = await connectTo(given.address, 'assent arbiter');
await ensureStreams(connection, { workspace: given.workspace, durability: given.durability });
const data: ThreadData = given.isSpare ? { ...given, ...(await call()) } : given;

mkdirSync(data.dataDir, { recursive: true });
const storePath = join(data.dataDir, STORE_FILE);
const restored = await restoreSnapshot(connection, data.workspace, storePath).catch(() => undefined);
if (restored !== undefined) tell({ type: 'SAY', line: `the state begins from a snapshot at ${String(restored)}` });
const store = new StateStore(storePath);
const { workspace } = data;
const shelf = new StoredPolicies({ connection, workspace, mark, muted: data.muted });
await storeBundle(connection, workspace, data.core);
if (data.policy?.source !== undefined) await shelf.add(data.policy.source);
const limits = { timeoutMs: data.settings.answerLimitMs };
const makeRoom = roomMaker(connection, streams.proposals(workspace));
const arbiter = new Arbiter({
  ledger: jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) }, limits),
  proposals: jetstreamLog(connection, { stream: streams.proposals(workspace), subject: 'unused' }, limits),
  outbox: natsOutbox(connection, workspace),
  leases: watchLeases(connection, workspace),
  court: court(corePolicies),
  policy: sha256(data.core),
  shelf,
  clock: systemClock,
  chance: { unit: Math.random },
  scheduler: systemScheduler,
  store,
  settings: data.settings,
  ...(data.endedAt === undefined ? {} : { endedAt: data.endedAt }),
  ...(data.endless === undefined ? {} : { endless: data.endless }),
  isHeir: data.isHeir,
  judging: (at, proposal) => {
    mark.judging(at, proposal);
  },
  stuck: ({ kind, detail }) => {
    tell({ type: 'STUCK', kind, detail });
  },
  policyChanged: ({ digest }) => {
    tell({ type: 'POLICY', policy: digest, rules: shelf.rulesOf(digest) });
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
/** One after the other: storing one may take longer than storing the next, and the last file is the one that counts. */
const policies = new Turns();
let stopAsks: (() => void) | undefined;
if (data.policy !== undefined) arbiter.putInForce(data.policy.event, data.policy.by);
// What a rule of a policy leaves to a promise belongs to its realm, and is never heard; what is ours is a defect.
process.on('unhandledRejection', (reason, promise) => {
  if (promise instanceof Promise) throw reason;
});
const coreSets = completePolicies({});
const about = {
  get policy() {
    return arbiter.policy.now.digest;
  },
  get sets() {
    return shelf.loaded(arbiter.policy.now.digest)?.sets ?? coreSets;
  },
  get completesEarly() {
    return arbiter.policy.now.completesEarly;
  },
  heartbeatLimitMs: data.settings.heartbeatLimitMs,
  monotonicMs: () => performance.now(),
};
arbiter.start((role) => {
  stopAsks?.();
  stopAsks = role === 'ACTIVE' ? hearAsks(connection, workspace, arbiter, about) : undefined;
  tell({ type: 'ROLE', role, epoch: arbiter.workspace.meta.epoch });
});

words.hear((message) => {
  if (message.type === 'COUNT') tell({ type: 'COUNTERS', counters: arbiter.counters });
  else if (message.type === 'POLICY') policies.add(() => putInForce(message.policy));
  else if (message.type === 'STOP') void stop();
});

/** Of a spare thread: resolves when it is needed. */
async function call(): Promise<Call> {
  const message = await words.next();
  if (message.type === 'GO') return message.call;
  await connection.close();
  process.exit(0);
}

async function putInForce({ event, by, source }: GivenPolicy): Promise<void> {
  try {
    if (source !== undefined) await shelf.add(source);
    arbiter.putInForce(event, by);
  } catch (error) {
    tell({ type: 'SAY', line: `the policy ${event.policy.slice(0, 16)} could not be put in force: ${String(error)}` });
  }
}

async function stop(): Promise<void> {
  await arbiter.stop();
  store.close();
  await connection.close();
  process.exit(0);
}
