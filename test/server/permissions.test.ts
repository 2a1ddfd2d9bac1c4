import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedServer } from '../../engine/server/embedded.ts';
import type { EmbeddedServer } from '../../engine/server/embedded.ts';
import { isInbox } from '../../engine/server/permissions.ts';
import { streams, subjects } from '../../protocol/subjects.ts';
import { natsBinary } from '../support/nats.ts';
import type { NatsVersion } from '../support/nats.ts';
import { connectAs } from './connect-as.ts';

const WS = 'team-1';
const REFUSED = /permissions violation/i;

describe.each<NatsVersion>(['newest', '2.10'])('the roles on nats-server %s', (version) => {
  let dataDir: string;
  let server: EmbeddedServer;
  let engine: NatsConnection;
  let sdk: NatsConnection;
  let cli: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'assent-permissions-'));
    const env = { ...process.env, ASSENT_NATS_SERVER: await natsBinary(version) };
    server = await startEmbeddedServer({ dataDir, workspace: WS, env });
    [engine, sdk, cli] = await Promise.all([
      connectAs(server, 'engine'),
      connectAs(server, 'sdk'),
      connectAs(server, 'cli'),
    ]);
    manager = await jetstreamManager(engine);
    await manager.streams.add({ name: streams.proposals(WS), subjects: [subjects.propose(WS, '*', '*')] });
    await manager.streams.add({ name: streams.ledger(WS), subjects: [subjects.ledger(WS)] });
    await manager.streams.add({ name: streams.logs(WS), subjects: [subjects.logs(WS, '*')] });
    await manager.streams.add({ name: streams.events(WS), subjects: [subjects.events(WS, '>')] });
    const work = { name: streams.work(WS), subjects: [subjects.work(WS, '*', '*')] };
    await manager.streams.add({ ...work, retention: RetentionPolicy.Workqueue });
    await new Objm(engine).create(streams.values(WS));
  }, 60_000);
  afterAll(async () => {
    for (const connection of [engine, sdk, cli]) await connection.close();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const messagesIn = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.messages;
  const as = { sdk: () => sdk, cli: () => cli };

  test('nobody is let in without a secret, or with a wrong one', async () => {
    const { url, credentials } = server;
    await expect(connect({ servers: url })).rejects.toThrow(/authorization/i);
    const wrong = connect({ servers: url, user: 'engine', pass: credentials.sdk.password });
    await expect(wrong).rejects.toThrow(/authorization/i);
  });

  test.each(['sdk', 'cli'] as const)('%s proposes in its own name, in no other, and writes no ledger', async (role) => {
    const client = jetstream(as[role]());
    const other = role === 'sdk' ? 'cli' : 'sdk';
    const before = await messagesIn(streams.proposals(WS));
    await client.publish(subjects.propose(WS, role, 's1'), 'a batch');
    await expect(client.publish(subjects.propose(WS, other, 's1'), 'forged')).rejects.toThrow(REFUSED);
    await expect(client.publish(subjects.propose(WS, 'engine', 's1'), 'forged')).rejects.toThrow(REFUSED);
    await expect(client.publish(subjects.propose('other', role, 's1'), 'elsewhere')).rejects.toThrow(REFUSED);
    await expect(client.publish(subjects.ledger(WS), 'forged')).rejects.toThrow(REFUSED);
    expect(await messagesIn(streams.proposals(WS))).toBe(before + 1);
    expect(await messagesIn(streams.ledger(WS))).toBe(0);
  });

  test.each(['sdk', 'cli'] as const)('%s makes, changes, empties and removes no stream', async (role) => {
    const request = (subject: string) => as[role]().request(`$JS.API.STREAM.${subject}`, '{}');
    for (const stream of [streams.ledger(WS), streams.proposals(WS), `OBJ_${streams.values(WS)}`]) {
      for (const verb of ['CREATE', 'UPDATE', 'PURGE', 'DELETE', 'MSG.DELETE', 'SNAPSHOT']) {
        await expect(request(`${verb}.${stream}`), verb).rejects.toThrow(REFUSED);
      }
    }
  });

  test.each(['sdk', 'cli'] as const)(
    '%s overhears neither the inbox of the other nor the business of the engine',
    async (role) => {
      const heard = role === 'sdk' ? ['_INBOX.cli.>', subjects.ruled(WS, '*', '*')] : ['_INBOX.sdk.>'];
      for (const subject of [...heard, '>', '_INBOX.>', subjects.ledger(WS), subjects.propose(WS, '*', '*')]) {
        const refused = new Promise((resolve) => {
          as[role]().subscribe(subject, {
            callback: (error) => {
              resolve(error);
            },
          });
        });
        expect(await refused, subject).toMatchObject({ message: expect.stringMatching(REFUSED) as string });
      }
    },
  );

  test.each(['sdk', 'cli'] as const)('%s beats, asks, and hears its answers', async (role) => {
    const client = as[role]();
    const served = [subjects.query(WS), subjects.ask(WS)].map((subject) =>
      engine.subscribe(subject, {
        callback: (_, message) => {
          if (isInbox(message.reply ?? '')) message.respond(`to ${message.string()}`);
        },
      }),
    );
    const beats = engine.subscribe(subjects.heartbeat(WS, '*'), { max: 1 });
    const answers = client.subscribe(subjects.answer(WS, 's1'), { max: 1 });
    await Promise.all([engine.flush(), client.flush()]);
    for (const subject of [subjects.query(WS), subjects.ask(WS)]) {
      expect((await client.request(subject, role)).string()).toBe(`to ${role}`);
    }
    client.publish(subjects.heartbeat(WS, 's1'), role);
    engine.publish(subjects.answer(WS, 's1'), 'rulings');
    for await (const beat of beats) expect(beat.string()).toBe(role);
    for await (const answer of answers) expect(answer.string()).toBe('rulings');
    for (const subscription of served) subscription.unsubscribe();
  });

  test('the sdk takes work, logs, sends events, and stores and reads values', async () => {
    const work = subjects.work(WS, 'local', 'default');
    await jetstream(engine).publish(work, 'a hint');
    const sdkManager = await jetstreamManager(sdk);
    const durable = { durable_name: 'local', ack_policy: AckPolicy.Explicit, filter_subject: work };
    await sdkManager.consumers.add(streams.work(WS), durable);
    const consumer = await jetstream(sdk).consumers.get(streams.work(WS), 'local');
    const message = await consumer.next({ expires: 5_000 });
    expect(message?.string()).toBe('a hint');
    expect(await message?.ackAck()).toBe(true);
    expect(await messagesIn(streams.work(WS))).toBe(0);
    expect(await consumer.delete()).toBe(true);

    await jetstream(sdk).publish(subjects.logs(WS, 'run-1'), 'a line');
    await jetstream(sdk).publish(subjects.events(WS, 'order.created'), '{}');

    const values = await new Objm(sdk).open(streams.values(WS));
    const blob = new Uint8Array(300_000).fill(7);
    await values.putBlob({ name: 'by-digest' }, blob);
    // Whoever computes the same value stores it again.
    await values.putBlob({ name: 'by-digest' }, blob);
    expect(await values.getBlob('by-digest')).toEqual(blob);
    expect((await values.info('by-digest'))?.size).toBe(300_000);
    expect(await values.getBlob('never-stored')).toBeNull();
  });

  test('the cli reads the ledger, logs and values, and follows the live tail', async () => {
    await jetstream(engine).publish(subjects.ledger(WS), 'segment 1');
    await jetstream(engine).publish(subjects.logs(WS, 'run-2'), 'a line');
    await (await new Objm(engine).open(streams.values(WS))).putBlob({ name: 'a' }, Buffer.from([1, 2, 3]));

    const client = jetstream(cli);
    for (const [stream, filter, text] of [
      [streams.ledger(WS), subjects.ledger(WS), 'segment 1'],
      [streams.logs(WS), subjects.logs(WS, 'run-2'), 'a line'],
    ] as const) {
      const ordered = await client.consumers.get(stream, { filter_subjects: [filter] });
      expect((await ordered.next({ expires: 5_000 }))?.string()).toBe(text);
      await ordered.delete();
    }
    const pushed = await client.consumers.getPushConsumer(streams.ledger(WS));
    for await (const message of await pushed.consume()) {
      expect(message.string()).toBe('segment 1');
      break;
    }
    const cliManager = await jetstreamManager(cli);
    expect((await cliManager.streams.getMessage(streams.ledger(WS), { seq: 1 }))?.string()).toBe('segment 1');
    for (const stream of [streams.proposals(WS), streams.work(WS), streams.events(WS)]) {
      expect((await cliManager.streams.info(stream)).config.name).toBe(stream);
    }
    expect(await (await new Objm(cli).open(streams.values(WS))).getBlob('a')).toEqual(Buffer.from([1, 2, 3]));

    const tail = cli.subscribe(subjects.ruled(WS, '*', 'rejected'), { max: 1 });
    const lines = cli.subscribe(subjects.logs(WS, '*'), { max: 1 });
    await cli.flush();
    engine.publish(subjects.ruled(WS, 'run-2', 'rejected'), 'a ruling');
    await jetstream(sdk).publish(subjects.logs(WS, 'run-2'), 'another line');
    for await (const ruling of tail) expect(ruling.string()).toBe('a ruling');
    for await (const line of lines) expect(line.string()).toBe('another line');
  });

  test('a message of the largest size that Assent sends goes through, headers included', async () => {
    const { max_payload: maxPayload = 0 } = sdk.info ?? {};
    expect(maxPayload).toBeGreaterThanOrEqual(1_048_576 + 64 * 1024);
    await jetstream(sdk).publish(subjects.propose(WS, 'sdk', 's2'), new Uint8Array(1_048_576), { msgID: 'x' });
  });
});
