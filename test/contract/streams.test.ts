/** The streams of a workspace, on the oldest and the newest nats-server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DEFAULT_LIMITS, ensureStreams, requireVersion } from '../../engine/log/streams.ts';
import { freePort } from '../../engine/server/free-port.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { natsBinary, startNats } from '../support/nats.ts';
import type { NatsVersion, TestServer } from '../support/nats.ts';

/** The server reserves what the limits say, so most workspaces here are small ones. */
const SMALL = {
  proposals: { maxBytes: 10_000_000 },
  work: { maxBytes: 10_000_000 },
  logs: { maxBytes: 10_000_000 },
  events: { maxBytes: 10_000_000 },
} as const;

describe.each<NatsVersion>(['newest', '2.10'])('the streams of a workspace (%s)', (version) => {
  let server: TestServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    server = await startNats({ version });
    connection = await server.connect();
    manager = await jetstreamManager(connection);
  });
  afterAll(() => server.stop());

  const configOf = async (stream: string): Promise<StreamConfig> => (await manager.streams.info(stream)).config;
  const allOf = (ws: string): Promise<StreamConfig[]> =>
    Promise.all(
      [
        streams.ledger(ws),
        streams.proposals(ws),
        streams.work(ws),
        streams.logs(ws),
        streams.events(ws),
        `OBJ_${streams.values(ws)}`,
      ].map(configOf),
    );

  test('all are made as they should be', async () => {
    const made = await ensureStreams(connection, { workspace: 'made', durability: 'power' });
    expect(made.serverVersion).toBe(connection.info?.version);
    expect(made.features.persistModeAsync).toBe(version === 'newest');
    const [ledger, proposals, work, logs, events, values] = await allOf('made');
    expect(ledger).toMatchObject({
      subjects: ['assent.made.ledger'],
      storage: 'file',
      retention: 'limits',
      ...{ max_age: 0, max_bytes: -1, max_msgs: -1, max_msgs_per_subject: -1 },
      ...{ deny_delete: true, deny_purge: false, allow_direct: true, allow_rollup_hdrs: false },
    });
    expect(ledger?.persist_mode).toBeUndefined();
    expect(proposals).toMatchObject({
      subjects: ['assent.made.propose.*.*'],
      storage: 'file',
      discard: 'new',
      max_age: nanos(24 * 3_600_000),
      max_bytes: 2 ** 30,
    });
    expect(proposals?.persist_mode).toBe(version === 'newest' ? 'async' : undefined);
    expect(work).toMatchObject({ retention: 'workqueue', discard: 'new', max_bytes: DEFAULT_LIMITS.work.maxBytes });
    expect(logs).toMatchObject({ subjects: ['assent.made.logs.*'], retention: 'limits', discard: 'old' });
    expect(events).toMatchObject({ subjects: ['assent.made.events.>'], retention: 'limits', discard: 'old' });
    expect(values).toMatchObject({ storage: 'file', compression: 'none' });
  });

  test('without a sync for each message proposals are stored like everything else', async () => {
    const made = await ensureStreams(connection, { workspace: 'unsynced', durability: 'process', limits: SMALL });
    expect(made.features.persistModeAsync).toBe(false);
  });

  test('a second call changes nothing, whatever an operator changed', async () => {
    await ensureStreams(connection, { workspace: 'kept', durability: 'power', limits: SMALL });
    await manager.streams.update(streams.proposals('kept'), { max_bytes: 5_000_000, description: 'mine' });
    await manager.streams.update(streams.logs('kept'), { max_age: nanos(600_000) });
    const before = await allOf('kept');
    const again = await ensureStreams(connection, { workspace: 'kept', durability: 'process' });
    expect(again.features.persistModeAsync).toBe(version === 'newest');
    expect(await allOf('kept')).toEqual(before);
  });

  test('limits are those that are named when the streams are made', async () => {
    const limits = { ...SMALL, logs: { maxAgeMs: 60_000, maxBytes: 1_000_000 } };
    await ensureStreams(connection, { workspace: 'limited', durability: 'power', limits });
    expect(await configOf(streams.logs('limited'))).toMatchObject({ max_bytes: 1_000_000, max_age: nanos(60_000) });
    await ensureStreams(connection, { workspace: 'limited', durability: 'power' });
    expect(await configOf(streams.logs('limited'))).toMatchObject({ max_bytes: 1_000_000, max_age: nanos(60_000) });
  });

  test('limits that somebody gave the ledger are taken away', async () => {
    await ensureStreams(connection, { workspace: 'freed', durability: 'power', limits: SMALL });
    const ledger = streams.ledger('freed');
    await manager.streams.update(ledger, { max_msgs: 10, max_age: nanos(3_600_000), allow_direct: false });
    await ensureStreams(connection, { workspace: 'freed', durability: 'power', limits: SMALL });
    expect(await configOf(ledger)).toMatchObject({ max_msgs: -1, max_age: 0, allow_direct: true, deny_delete: true });
  });

  test.each<[string, Partial<StreamConfig>]>([
    ['in memory', { storage: 'memory' }],
    ['a work queue', { retention: 'workqueue' }],
    ['of other subjects', { subjects: [subjects.ledger('unfit'), 'other'] }],
    ['not to be purged', { deny_purge: true }],
    ['to be rolled up', { allow_rollup_hdrs: true }],
  ])('a ledger that is %s is refused and left alone', async (_, difference) => {
    const name = streams.ledger('unfit');
    await manager.streams.add({ name, subjects: [subjects.ledger('unfit')], ...difference });
    const before = await configOf(name);
    const [field = ''] = Object.keys(difference);
    await expect(ensureStreams(connection, { workspace: 'unfit', durability: 'power' })).rejects.toThrow(
      new RegExp(`${name} exists, but ${field} is .*STREAM_UNFIT`),
    );
    expect(await configOf(name)).toEqual(before);
    await manager.streams.delete(name);
  });

  test('two engines that start at once make the same streams', async () => {
    const options = { workspace: 'twice', durability: 'power', limits: SMALL } as const;
    const other = await server.connect();
    const made = await Promise.all([ensureStreams(connection, options), ensureStreams(other, options)]);
    expect(made[0]).toEqual(made[1]);
  });

  test('what the server refuses is said in its words', async () => {
    await expect(
      ensureStreams(connection, {
        workspace: 'large',
        durability: 'power',
        limits: { proposals: { maxBytes: 2 ** 50 } },
      }),
    ).rejects.toThrow(/insufficient storage resources.*STREAM_REFUSED/);
  });
});

test('a server without JetStream, or none, is NATS_UNREACHABLE', async () => {
  const port = await freePort();
  const server = spawn(await natsBinary(), ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const connection = await connect({
    servers: `127.0.0.1:${String(port)}`,
    waitOnFirstConnect: true,
    reconnectTimeWait: 20,
    maxReconnectAttempts: -1,
  });
  const options = { workspace: 'nowhere', durability: 'power' } as const;
  await expect(ensureStreams(connection, options)).rejects.toThrow('NATS_UNREACHABLE');
  await connection.close();
  await expect(ensureStreams(connection, options)).rejects.toThrow('NATS_UNREACHABLE');
  server.kill();
  await once(server, 'exit');
});

test.each([
  ['2.9.25', false],
  ['1.4.1', false],
  ['0.0.0-dev', false],
  ['2.10.0', true],
  ['v2.10.27', true],
  ['2.14.0-preview.1', true],
  ['10.0.0', true],
])('nats-server %s is new enough: %s', (version, enough) => {
  if (enough) expect(requireVersion(version)).toBe(version);
  else expect(() => requireVersion(version)).toThrow('NATS_SERVER_TOO_OLD');
});
