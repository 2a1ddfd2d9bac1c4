/** The answer about the engine itself: versions, streams, what the server promises, and where the view stands. */
import { PersistMode, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Answers } from '../../protocol/query.ts';
import type { Status, StreamRow } from '../../protocol/query-status.ts';
import { streams } from '../../protocol/subjects.ts';
import type { LeaseWatch } from '../arbiter/ports.ts';
import { VERSION } from '../version.ts';
import type { Projector } from './projector.ts';
import type { ViewFile } from './view-file.ts';

export type StatusParts = {
  readonly connection: NatsConnection;
  readonly manager: () => Promise<JetStreamManager>;
  readonly workspace: string;
  readonly durability: Status['durability']['setting'];
  readonly sync: Status['durability']['sync'];
  readonly leases: LeaseWatch;
  readonly arbiter: () => Status['arbiter'];
};

export async function answerStatus(
  view: ViewFile,
  projector: Projector,
  parts: StatusParts,
): Promise<Answers['STATUS']> {
  const { connection, workspace, durability, sync, leases, arbiter } = parts;
  const seen = viewOf(view);
  const infos = await streamsOf(parts);
  const proposals = infos.find(({ config }) => config.name === streams.proposals(workspace));
  const lastSeq = infos.find(({ config }) => config.name === streams.ledger(workspace))?.state.last_seq ?? 0;
  const lease = leases.last('');
  return {
    status: {
      assent: VERSION,
      node: process.versions.node,
      natsServer: connection.info?.version ?? 'unknown',
      workspace,
      durability: {
        setting: durability,
        sync,
        proposalsAsync: proposals?.config.persist_mode === PersistMode.Async,
      },
      streams: infos.map(rowOf),
      arbiter: arbiter(),
      ...(lease === undefined
        ? {}
        : { lease: { epoch: lease.epoch, writer: lease.writer, agoMs: Math.round(lease.agoMs) } }),
      ledger: { lastSeq, ...seen.ledger },
      view: {
        file: view.path,
        bytes: seen.bytes,
        behind: Math.max(0, lastSeq - projector.seq),
        foldedRulings: projector.cost.foldedRulings,
        busyMs: Math.round(projector.cost.busyMs),
      },
    },
  };
}

function viewOf(view: ViewFile): { readonly ledger: Omit<Status['ledger'], 'lastSeq'>; readonly bytes: number } {
  const { head, rulings, segments, policy, timeMs, wallMs } = view.head;
  const count = (table: string): number => Number(view.one(`SELECT count(*) AS count FROM ${table}`)?.['count'] ?? 0);
  return {
    ledger: {
      head,
      rulings,
      segments,
      voidSegments: count('voids'),
      epochs: count('epochs'),
      policy,
      timeMs,
      ...(wallMs === 0 ? {} : { clockOffsetMs: wallMs - timeMs }),
    },
    bytes: view.bytes(),
  };
}

type StreamParts = Pick<StatusParts, 'manager' | 'workspace'>;

export const streamRows = async (parts: StreamParts): Promise<readonly StreamRow[]> =>
  (await streamsOf(parts)).map(rowOf);

async function streamsOf({ manager, workspace }: StreamParts): Promise<readonly StreamInfo[]> {
  const names = [
    streams.ledger(workspace),
    streams.proposals(workspace),
    streams.work(workspace),
    streams.logs(workspace),
    streams.events(workspace),
    `OBJ_${streams.values(workspace)}`,
  ];
  const { streams: asked } = await manager();
  const infos = await Promise.all(names.map((name) => asked.info(name).catch(() => undefined)));
  return infos.filter((info) => info !== undefined);
}

const rowOf = ({ config, state }: StreamInfo): StreamRow => ({
  stream: config.name,
  messages: state.messages,
  bytes: state.bytes,
  ...(config.max_bytes > 0 ? { bytesMax: config.max_bytes } : {}),
  firstSeq: state.first_seq,
  lastSeq: state.last_seq,
  replicas: config.num_replicas,
  storage: config.storage,
});
