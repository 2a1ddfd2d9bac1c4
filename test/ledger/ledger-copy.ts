/** A ledger taken out of its server as bytes, put into another, and folded in memory. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { streams, subjects } from '../../protocol/subjects.ts';
import { chainOver } from '../../engine/fold/chain.ts';
import { evolveSegment } from '../../engine/fold/evolve.ts';
import { stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import { memoryLog } from '../../engine/log/memory.ts';
import type { Log, StoredMessage } from '../../engine/log/port.ts';
import { ensureStreams } from '../../engine/log/streams.ts';
import { readConnectionFile } from '../../engine/server/connection-file.ts';
import { startEmbeddedServer } from '../../engine/server/embedded.ts';
import { replayProblems } from '../support/replayed.ts';

const WHERE = { stream: streams.ledger('default'), subject: subjects.ledger('default') };

export async function connectAsEngine(dataDir: string): Promise<NatsConnection> {
  const file = await readConnectionFile(dataDir);
  if (file === undefined) throw new Error('no engine runs');
  const { user, password } = file.credentials.engine;
  return connect({ servers: file.url, user, pass: password, inboxPrefix: '_INBOX.engine', noAsyncTraces: true });
}

/** Everything that is stored, void segments included. */
export async function takeLedger(dataDir: string): Promise<readonly StoredMessage[]> {
  const connection = await connectAsEngine(dataDir);
  const log = jetstreamLog(connection, WHERE);
  const all: StoredMessage[] = [];
  for await (const message of log.read(1)) all.push(message);
  log.close();
  await connection.close();
  return all;
}

/** Puts the same bytes into the ledger of a fresh nats-server in another folder, and nothing else. */
export async function giveLedger(
  dataDir: string,
  ledger: readonly Pick<StoredMessage, 'seq' | 'bytes'>[],
): Promise<void> {
  const server = await startEmbeddedServer({ dataDir });
  const { user, password } = server.credentials.engine;
  const connection = await connect({ servers: server.url, user, pass: password, inboxPrefix: '_INBOX.engine' });
  await ensureStreams(connection, { workspace: 'default', durability: 'power' });
  const log = jetstreamLog(connection, WHERE);
  for (const { seq, bytes } of ledger) {
    const outcome = await log.append(bytes, seq - 1);
    if (outcome.type !== 'OK') throw new Error(`sequence ${String(seq)} was not stored: ${outcome.type}`);
  }
  log.close();
  await connection.close();
  await server.stop();
}

export function inMemory(ledger: readonly Pick<StoredMessage, 'bytes'>[]): Log {
  const log = memoryLog();
  for (const { bytes } of ledger) log.storeForeign(bytes);
  return log;
}

/** The digest of the folded state after each counted segment of a ledger; throws if it does not replay. */
export async function replayedDigests(ledger: readonly StoredMessage[]): Promise<Map<number, string>> {
  const workspace = new Workspace();
  const chain = chainOver(inMemory(ledger), workspace.meta.head);
  const digests = new Map<number, string>();
  for (const message of ledger) {
    const link = await chain.take(message);
    if (link.type === 'VOID') continue;
    evolveSegment(workspace, link.segment, message.seq);
    digests.set(message.seq, stateDigest(workspace));
  }
  const problems = await replayProblems(inMemory(ledger));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return digests;
}
