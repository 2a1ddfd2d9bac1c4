/** The contract over every adapter of the log. */
import { afterAll, beforeAll, describe } from 'vitest';
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { memoryLog } from '../../engine/log/memory.ts';
import { startNats } from '../support/nats.ts';
import type { NatsVersion, TestServer } from '../support/nats.ts';
import { testLogContract } from './log.contract.ts';
import { streamLog } from './stream-log.ts';

testLogContract('memory', () => {
  const log = memoryLog();
  return Promise.resolve({
    log,
    storeForeign: (bytes) => Promise.resolve(log.storeForeign(bytes)),
    purgeBelow: (seq) => {
      log.purgeBelow(seq);
      return Promise.resolve();
    },
    rewindTo: (seq) => {
      log.rewindTo(seq);
      return Promise.resolve();
    },
  });
});

describe.each<NatsVersion>(['newest', '2.10'])('on nats-server %s', (version) => {
  let server: TestServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    server = await startNats({ version });
    connection = await server.connect();
    manager = await jetstreamManager(connection);
  });
  afterAll(() => server.stop());

  testLogContract(`JetStream (${version})`, () => streamLog(connection, manager));
});
