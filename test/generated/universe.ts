/** The one real engine in which worlds are run: its own nats-server, its own folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectTo as connectEngine } from '../../engine/connect.ts';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import { startEngine, type EngineOptions } from '../../engine/main.ts';
import { AssentError } from '../../protocol/errors.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { Client } from '../../sdk/client/client.ts';
import { connectTo, NatsLink } from '../../sdk/client/nats-link.ts';
import { engineOf } from '../../sdk/client/target.ts';
import { replayProblems } from '../support/replayed.ts';
import { Ledger } from './ledger.ts';
import type { Universe } from './world.ts';

export type RunningUniverse = Universe & { readonly dataDir: string; stop(): Promise<void> };

export async function startUniverse(settings: EngineOptions['settings'] = {}): Promise<RunningUniverse> {
  const folder = await mkdtemp(join(tmpdir(), 'assent-generated-'));
  const dataDir = join(folder, 'data');
  const engine = await startEngine({ dataDir, durability: 'process', settings });
  const target = await engineOf(dataDir);
  if (target === undefined) throw new AssentError('ENGINE_START_FAILED', 'The engine does not say where it is.');
  const connected = { target, connection: await connectTo(target, 'generated worlds') };
  const link = new NatsLink(connected, { reopen: () => Promise.resolve(undefined), onClosed: () => undefined });
  link.hold();
  const { workspace } = engine;
  const reading = await connectEngine(engine.clientAddress, 'reader of the ledger');
  const log = jetstreamLog(reading.connection, {
    stream: streams.ledger(workspace),
    subject: subjects.ledger(workspace),
  });
  const ledger = await Ledger.follow(log);
  const reader = await Client.open(link);
  return {
    link,
    reader,
    ledger,
    folder,
    dataDir,
    async stop() {
      ledger.stop();
      const problems = await replayProblems(log);
      log.close();
      await reader.close();
      await link.close();
      await reading.connection.close();
      await engine.stop();
      await rm(folder, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(problems.join('\n'));
    },
  };
}
