/**
 * What only the log on JetStream has to show: a server that is killed, stopped or put back to an earlier copy, a socket
 * that is cut, a consumer that vanishes, and a stream that cannot be asked.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import { serverFiles } from '../../engine/server/config.ts';
import type { AppendOutcome, Log } from '../../engine/log/port.ts';
import { startNats } from '../support/nats.ts';
import type { NatsVersion, TestServer } from '../support/nats.ts';
import { collector } from './collector.ts';
import { appendAll, bytesOf, textOf, textsOf } from './log.contract.ts';
import { streamLog } from './stream-log.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/** So long that a test that waits for it fails: what is UNKNOWN in these tests is told at once. */
const NEVER_MS = 600_000;

describe.each<NatsVersion>(['newest', '2.10'])('the log on JetStream (%s)', (version) => {
  let server: TestServer;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    server = await startNats({ version });
    connection = await server.connect();
    manager = await jetstreamManager(connection);
  });
  afterAll(() => server.stop());

  test('a server killed with appends in flight: each is UNKNOWN or in its place, and the follower misses nothing', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const log = jetstreamLog(connection, { stream, subject }, { timeoutMs: NEVER_MS });
    const { each, messages, reached } = collector();
    const follower = await log.follow(1, each);
    const outcomes = await appendWhile(log, async () => {
      await reached(100);
      await server.kill();
    });
    const unknown = outcomes.filter(({ type }) => type === 'UNKNOWN');
    expect(unknown.length).toBeGreaterThan(0);
    await Promise.all([server.start(), reconnected(connection)]);
    const { last } = await eventually(() => log.bounds());
    expect(last).toBeGreaterThanOrEqual(outcomes.length - unknown.length);
    expect(last).toBeLessThanOrEqual(outcomes.length);
    await appendAll(log, ['after']);
    await reached(last + 1);
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: last + 1 }, (_, index) => index + 1));
    expect(messages.map(textOf)).toEqual([...Array.from({ length: last }, (_, index) => String(index)), 'after']);
    follower.stop();
  });

  test('a store put back to an earlier copy is followed again after a restart', async () => {
    const { log } = await streamLog(connection, manager);
    const { store } = serverFiles(server.dir);
    const copy = join(server.dir, 'copy');
    const { each, messages, reached } = collector();
    const follower = await log.follow(1, each);
    await appendAll(log, ['a', 'b', 'c']);
    await server.kill();
    await cp(store, copy, { recursive: true });
    await Promise.all([server.start(), reconnected(connection)]);
    await eventually(() => log.bounds());
    await appendAll(log, ['d', 'e']);
    await reached(5);
    await server.kill();
    await rm(store, { recursive: true });
    await cp(copy, store, { recursive: true });
    await Promise.all([server.start(), reconnected(connection)]);
    expect(await eventually(() => log.bounds())).toEqual({ first: 1, last: 3 });
    await appendAll(log, ['other']);
    expect(await textsOf(log.read(1))).toEqual(['a', 'b', 'c', 'other']);
    expect(messages).toHaveLength(5);
    follower.restart(4);
    expect((await reached(6)).slice(5).map(textOf)).toEqual(['other']);
    follower.stop();
  });

  test('an append in flight when the socket is cut is UNKNOWN at once, and the follower goes on', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const proxy = await startTcpProxy(server.url);
    const through = await connectThrough(proxy.url);
    const log = jetstreamLog(through, { stream, subject }, { timeoutMs: NEVER_MS });
    const { each, messages, reached } = collector();
    const follower = await log.follow(1, each);
    const back = reconnected(through);
    const outcomes = await appendWhile(log, async () => {
      await reached(50);
      proxy.cut();
    });
    expect(outcomes.at(-1)).toMatchObject({ type: 'UNKNOWN' });
    await back;
    const { last } = await eventually(() => log.bounds());
    await appendAll(log, ['after']);
    await reached(last + 1);
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: last + 1 }, (_, index) => index + 1));
    follower.stop();
    await through.close();
    await proxy.close();
  });

  test('an append while the connection is down is UNKNOWN at once, and is not sent later', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const proxy = await startTcpProxy(server.url);
    const through = await connectThrough(proxy.url);
    const log = jetstreamLog(through, { stream, subject }, { timeoutMs: NEVER_MS });
    await appendAll(log, ['before']);
    proxy.mute();
    const dialled = proxy.muted();
    proxy.cut();
    // The socket is gone, but the client has not noticed.
    const outcomes = [log.append(bytesOf('unnoticed'), 1)];
    // The client dials: what it were given now it would send as soon as it is greeted.
    await dialled;
    outcomes.push(log.append(bytesOf('dialling'), 1));
    expect((await Promise.all(outcomes)).map(({ type }) => type)).toEqual(['UNKNOWN', 'UNKNOWN']);
    await expect(log.bounds()).rejects.toThrow('LEDGER_UNREACHABLE');
    const back = reconnected(through);
    proxy.greet();
    await back;
    await eventually(() => log.bounds());
    await appendAll(log, ['after']);
    expect(await textsOf(log.read(1))).toEqual(['before', 'after']);
    await through.close();
    await proxy.close();
  });

  test('no moment of a loss of the connection lets an append through that is sent after it', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const proxy = await startTcpProxy(server.url);
    const through = await connectThrough(proxy.url);
    // This listener is told of the loss before the log is: it was there first.
    const appends = appendAtLoss(through, () => log.append(bytesOf('at the loss'), 1));
    const log = jetstreamLog(through, { stream, subject }, { timeoutMs: NEVER_MS });
    await appendAll(log, ['before']);
    proxy.mute();
    const dialled = proxy.muted();
    proxy.cut();
    const outcomes = await appends;
    await dialled;
    const back = reconnected(through);
    proxy.greet();
    await back;
    expect(new Set(outcomes.map(({ type }) => type))).toEqual(new Set(['UNKNOWN']));
    await eventually(() => log.bounds());
    expect(await textsOf(log.read(1))).toEqual(['before']);
    await through.close();
    await proxy.close();
  });

  test('an append that is not answered in time is UNKNOWN, and may be stored later', async () => {
    const { stream, subject, log: direct } = await streamLog(connection, manager);
    const proxy = await startTcpProxy(server.url);
    const through = await connectThrough(proxy.url);
    const log = jetstreamLog(through, { stream, subject }, { timeoutMs: 100 });
    await appendAll(direct, ['a']);
    const { each, reached } = collector();
    const follower = await direct.follow(2, each);
    proxy.hold();
    const outcome = await log.append(bytesOf('b'), 1);
    expect(outcome).toEqual({ type: 'UNKNOWN', detail: 'no answer within 100 ms' });
    proxy.release();
    expect((await reached(1)).map(textOf)).toEqual(['b']);
    expect(await log.append(bytesOf('c'), 2)).toEqual({ type: 'OK', seq: 3 });
    follower.stop();
    await through.close();
    await proxy.close();
  });

  test('a follower whose consumer vanished, without a word, is given a new one', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const log = jetstreamLog(connection, { stream, subject }, { watchdogMs: 20 });
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    await appendAll(log, ['a']);
    await reached(1);
    for await (const { name } of manager.consumers.list(stream)) await manager.consumers.delete(stream, name);
    await appendAll(log, ['b', 'c']);
    expect((await reached(3)).map(textOf)).toEqual(['a', 'b', 'c']);
    follower.stop();
  });

  test('a follower that throws is ended alone: the connection and other followers go on', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const thrown: unknown[] = [];
    const log = jetstreamLog(connection, { stream, subject }, { fatal: (error) => thrown.push(error) });
    const failing = collector();
    const healthy = collector();
    await log.follow(1, (message) => {
      failing.each(message);
      if (message.seq === 2) throw new Error('not taken');
    });
    const follower = await log.follow(1, healthy.each);
    await appendAll(log, ['a', 'b', 'c']);
    await healthy.reached(3);
    expect(failing.messages.map(textOf)).toEqual(['a', 'b']);
    expect(thrown).toEqual([new Error('not taken')]);
    follower.stop();
  });

  test('messages whose end was deleted do not make the watchdog open consumers for ever', async () => {
    const { stream, subject, log: writer } = await streamLog(connection, manager);
    await appendAll(writer, ['a', 'b', 'c']);
    await manager.streams.deleteMessage(stream, 3);
    const log = jetstreamLog(connection, { stream, subject }, { watchdogMs: 10 });
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    await reached(2);
    const names = new Set<string>();
    for (let look = 0; look < 20; look += 1) {
      for await (const { name } of manager.consumers.list(stream)) names.add(name);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(names.size).toBeLessThanOrEqual(2);
    await appendAll(log, ['d']);
    expect((await reached(3)).map(({ seq }) => seq)).toEqual([1, 2, 4]);
    follower.stop();
  });

  test('a slow reader of more than the server’s window gets everything in order', async () => {
    const { log } = await streamLog(connection, manager);
    const large = new Uint8Array(512 * 1024);
    const count = 100;
    await Promise.all(Array.from({ length: count }, (_, index) => log.append(large, index)));
    const seqs: number[] = [];
    for await (const message of log.read(1)) {
      if (seqs.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(message.bytes).toHaveLength(large.length);
      seqs.push(message.seq);
    }
    expect(seqs).toEqual(Array.from({ length: count }, (_, index) => index + 1));
  });

  test('get asks the leader where the stream grants no direct access', async () => {
    const { stream, subject, log: writer } = await streamLog(connection, manager);
    await appendAll(writer, ['a']);
    await manager.streams.update(stream, { allow_direct: false });
    const found = await jetstreamLog(connection, { stream, subject }).get(1);
    expect(found === undefined ? '' : textOf(found)).toBe('a');
  });

  test('without a stream, or with too many bytes, an append is UNKNOWN at once and says why', async () => {
    const { stream, subject, log } = await streamLog(connection, manager);
    const nowhere = jetstreamLog(connection, { stream, subject: 'nowhere' }, { timeoutMs: NEVER_MS });
    expect(await nowhere.append(bytesOf('a'), 0)).toEqual({
      type: 'UNKNOWN',
      detail: 'no stream answers on this subject',
    });
    const elsewhere = jetstreamLog(connection, { stream: 'OTHER', subject }, { timeoutMs: NEVER_MS });
    expect(await elsewhere.append(bytesOf('a'), 0)).toEqual({
      type: 'UNKNOWN',
      detail: `stored in another stream: ${stream}`,
    });
    await expect(elsewhere.bounds()).rejects.toThrow('LEDGER_UNREACHABLE');
    await expect(elsewhere.follow(1, () => undefined)).rejects.toThrow('LEDGER_UNREACHABLE');
    expect(await log.append(new Uint8Array(3 * 1024 * 1024), 1)).toMatchObject({
      type: 'UNKNOWN',
      detail: expect.stringContaining('not sent') as string,
    });
    await appendAll(log, ['b']);
  });

  test('a closed log answers UNKNOWN', async () => {
    const { stream, subject } = await streamLog(connection, manager);
    const log = jetstreamLog(connection, { stream, subject }, { timeoutMs: NEVER_MS });
    const inFlight = log.append(bytesOf('a'), 0);
    log.close();
    expect(await inFlight).toEqual({ type: 'UNKNOWN', detail: 'the log was closed' });
    expect(await log.append(bytesOf('b'), 1)).toMatchObject({ type: 'UNKNOWN' });
  });
});

/** Appends the numbers from 0 in a chain, 64 in flight, until `event` happened and an append is answered UNKNOWN. */
async function appendWhile(log: Log, event: () => Promise<void>): Promise<readonly AppendOutcome[]> {
  const sent: Promise<AppendOutcome>[] = [];
  let ended = false;
  const happened = event();
  while (!ended) {
    const window = Array.from({ length: 64 }, (_, index) =>
      log.append(bytesOf(String(sent.length + index)), sent.length + index),
    );
    sent.push(...window);
    ended = (await Promise.all(window)).some(({ type }) => type === 'UNKNOWN');
  }
  await happened;
  return Promise.all(sent);
}

/** Appends once in each of the first microtasks after the loss of the connection is known. */
async function appendAtLoss(
  connection: NatsConnection,
  append: () => Promise<AppendOutcome>,
): Promise<AppendOutcome[]> {
  const sent: Promise<AppendOutcome>[] = [];
  for await (const { type } of connection.status()) {
    if (type !== 'disconnect') continue;
    for (let microtask = 0; microtask < 64; microtask += 1) {
      sent.push(append());
      await Promise.resolve();
    }
    break;
  }
  return Promise.all(sent);
}

const connectThrough = (url: string): Promise<NatsConnection> =>
  connect({ servers: url, noAsyncTraces: true, maxReconnectAttempts: -1, reconnectTimeWait: 20 });

/** Resolves when the connection, which broke or is about to, is there again. */
async function reconnected(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) if (type === 'reconnect') return;
}

/** Asks until it is answered: a server that has just started does not know its streams yet. */
async function eventually<T>(question: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
