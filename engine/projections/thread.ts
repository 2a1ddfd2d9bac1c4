/**
 * The projector's own thread: connects, wires the projector to the ledger and the questions to the projector. The main
 * thread (keeper.ts) starts it, and starts it again when it died.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { jetstreamManager } from '@nats-io/jetstream';
import type { Status, StreamRow } from '../../protocol/query-status.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { watchLeases } from '../arbiter/nats-inbox.ts';
import { connectTo, type Address } from '../connect.ts';
import { stateDigest } from '../fold/workspace.ts';
import { jetstreamLog } from '../log/jetstream.ts';
import { streamRows } from './answer-status.ts';
import { Bodies } from './bodies.ts';
import { Projector } from './projector.ts';
import { answerQuestions } from './questions.ts';
import { viewMetrics, type ViewMetrics } from './view-metrics.ts';

export type ThreadData = {
  readonly address: Address;
  readonly workspace: string;
  /** Where views lie. */
  readonly dataDir: string;
  readonly durability: Status['durability']['setting'];
  readonly sync: Status['durability']['sync'];
  /** Fold a whole workspace beside the view and report its digest after each segment. */
  readonly digests: boolean;
};

export type FromThread =
  | { readonly type: 'READY' }
  | { readonly type: 'SAY'; readonly line: string }
  | { readonly type: 'DIGEST'; readonly seq: number; readonly digest: string }
  | { readonly type: 'METRICS'; readonly metrics: ProjectorMetrics };
export type ToThread =
  { readonly type: 'STOP' | 'MEASURE' } | { readonly type: 'ROLE'; readonly role: string; readonly epoch: number };

/** The view's numbers, what the projector costs, and the streams as far as the server answers. */
export type ProjectorMetrics = {
  readonly view: ViewMetrics;
  readonly foldedRulings: number;
  readonly busyMs: number;
  readonly streams: readonly StreamRow[];
};

const STREAMS_LIMIT_MS = 1000;

const data = workerData as ThreadData;
const tell = (message: FromThread): void => parentPort?.postMessage(message);

const { connection, whenReconnected } = await connectTo(data.address, 'assent projector');
const { workspace, durability, sync } = data;
const ledger = jetstreamLog(connection, { stream: streams.ledger(workspace), subject: subjects.ledger(workspace) });
const projector = new Projector({
  ledger,
  path: join(data.dataDir, `${workspace}.sqlite`),
  say: (line) => {
    tell({ type: 'SAY', line });
  },
  ...(data.digests
    ? {
        folded: (state) => {
          tell({ type: 'DIGEST', seq: state.meta.head.seq, digest: stateDigest(state) });
        },
      }
    : {}),
});
let arbiter: Status['arbiter'] = { role: 'STARTING', epoch: 0 };
const manager = jetstreamManager(connection, { checkAPI: false });

answerQuestions({
  connection,
  workspace,
  durability,
  sync,
  projector,
  bodies: new Bodies(ledger),
  leases: watchLeases(connection, workspace),
  manager: () => manager,
  arbiter: () => arbiter,
});
whenReconnected(() => {
  projector.disturb();
});
projector.start();
await connection.flush();
tell({ type: 'READY' });

parentPort?.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'ROLE':
      arbiter = { role: message.role, epoch: message.epoch };
      break;
    case 'MEASURE':
      void measure();
      break;
    case 'STOP':
      void stop();
      break;
  }
});

async function measure(): Promise<void> {
  // A server that does not answer is no reason to say nothing.
  const late = new Promise<[]>((resolve) => setTimeout(resolve, STREAMS_LIMIT_MS, []).unref());
  const rows = await Promise.race([streamRows({ manager: () => manager, workspace }), late]).catch(() => []);
  const { foldedRulings, busyMs } = projector.cost;
  const view = viewMetrics(projector.serving);
  tell({ type: 'METRICS', metrics: { view, foldedRulings, busyMs, streams: rows } });
}

async function stop(): Promise<void> {
  await projector.stop();
  ledger.close();
  await connection.close();
  process.exit(0);
}
