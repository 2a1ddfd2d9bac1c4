/**
 * What every adapter of the `Log` port promises (L1 to L3 of engine/log/port.ts). It is written from the port, and
 * runs over each adapter in log.test.ts.
 */
import { describe, expect, test } from 'vitest';
import type { Sequence } from '../../protocol/ids.ts';
import type { AppendOutcome, Log, StoredMessage } from '../../engine/log/port.ts';
import { collector } from './collector.ts';

/** A log, and what happens to it from outside. */
export type LogUnderTest = {
  readonly log: Log;
  /** Stores a message without any expectation, as another writer would. */
  readonly storeForeign: (bytes: Uint8Array) => Promise<Sequence>;
  /** Takes away everything below `seq`. */
  readonly purgeBelow: (seq: Sequence) => Promise<void>;
  /** Takes away everything above `seq`, and its numbers, as a restored backup does. */
  readonly rewindTo: (seq: Sequence) => Promise<void>;
};

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (message: StoredMessage): string => new TextDecoder().decode(message.bytes);

/** Appends one after the other, each after the one before was stored. */
export async function appendAll(log: Log, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const { last } = await log.bounds();
    expect(await log.append(bytesOf(text), last)).toEqual({ type: 'OK', seq: last + 1 });
  }
}

export async function textsOf(messages: AsyncIterable<StoredMessage>): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages) texts.push(textOf(message));
  return texts;
}

export function testLogContract(name: string, makeLog: () => Promise<LogUnderTest>): void {
  describe(`the log on ${name}: appending`, () => {
    testAppending(makeLog);
  });
  describe(`the log on ${name}: reading`, () => {
    testReading(makeLog);
    testPurged(makeLog);
  });
  describe(`the log on ${name}: following`, () => {
    testFollowing(makeLog);
    testStoppingAndRestarting(makeLog);
  });
}

function testAppending(makeLog: () => Promise<LogUnderTest>): void {
  test('an append is answered with the sequence of its message', async () => {
    const { log } = await makeLog();
    expect(await log.append(bytesOf('a'), 0)).toEqual({ type: 'OK', seq: 1 });
    expect(await log.append(bytesOf('b'), 1)).toEqual({ type: 'OK', seq: 2 });
    expect(await textsOf(log.read(1))).toEqual(['a', 'b']);
  });

  test('of two appends at the same sequence, one wins and the other is told', async () => {
    const { log } = await makeLog();
    const outcomes = await Promise.all([log.append(bytesOf('a'), 0), log.append(bytesOf('b'), 0)]);
    expect(outcomes).toEqual([{ type: 'OK', seq: 1 }, { type: 'CONFLICT' }]);
    expect(await textsOf(log.read(1))).toEqual(['a']);
  });

  test.each([0, 1, 3, 100])(
    'an append that expects %i as the last sequence where it is 2 stores nothing',
    async (last) => {
      const { log } = await makeLog();
      await appendAll(log, ['a', 'b']);
      expect(await log.append(bytesOf('c'), last)).toEqual({ type: 'CONFLICT' });
      expect(await log.bounds()).toEqual({ first: 1, last: 2 });
    },
  );

  test('appends in flight, each expecting the one before, are stored in the order of the calls', async () => {
    const { log } = await makeLog();
    const texts = Array.from({ length: 64 }, (_, index) => `message ${String(index)}`);
    const outcomes: AppendOutcome[] = [];
    for (let start = 0; start < texts.length; start += 4) {
      const window = texts.slice(start, start + 4);
      outcomes.push(...(await Promise.all(window.map((text, index) => log.append(bytesOf(text), start + index)))));
    }
    expect(outcomes).toEqual(texts.map((_, index) => ({ type: 'OK', seq: index + 1 })));
    expect(await textsOf(log.read(1))).toEqual(texts);
  });

  test('each append in flight is judged by its own expectation: behind a foreign message the numbers meet again', async () => {
    const { log, storeForeign } = await makeLog();
    expect(await storeForeign(bytesOf('foreign'))).toBe(1);
    const outcomes = await Promise.all(['a', 'b', 'c'].map((text, index) => log.append(bytesOf(text), index)));
    expect(outcomes).toEqual([{ type: 'CONFLICT' }, { type: 'OK', seq: 2 }, { type: 'OK', seq: 3 }]);
    expect(await textsOf(log.read(1))).toEqual(['foreign', 'b', 'c']);
  });

  test('an empty message is a message', async () => {
    const { log } = await makeLog();
    expect(await log.append(new Uint8Array(0), 0)).toEqual({ type: 'OK', seq: 1 });
    expect((await log.get(1))?.bytes.length).toBe(0);
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    expect((await reached(1)).map(textOf)).toEqual(['']);
    follower.stop();
  });
}

function testReading(makeLog: () => Promise<LogUnderTest>): void {
  test('an empty log has nothing to read, and its last sequence is 0', async () => {
    const { log } = await makeLog();
    expect(await log.bounds()).toEqual({ first: 1, last: 0 });
    expect(await textsOf(log.read(1))).toEqual([]);
    expect(await log.get(1)).toBeUndefined();
  });

  test('get returns the message at its sequence, and undefined where there is none', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b', 'c']);
    const found = await log.get(2);
    expect(found).toMatchObject({ seq: 2 });
    expect(found === undefined ? '' : textOf(found)).toBe('b');
    for (const missing of [0, 4, 1_000_000]) expect(await log.get(missing)).toBeUndefined();
  });

  test('a message has the same sequence, subject and bytes by get, read and follow', async () => {
    const { log } = await makeLog();
    await log.append(Uint8Array.of(0, 255, 10, 13), 0);
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    const [followed] = await reached(1);
    follower.stop();
    const plain = (message: StoredMessage | undefined): unknown => ({ ...message, bytes: [...(message?.bytes ?? [])] });
    expect(plain(followed)).toMatchObject({ seq: 1, bytes: [0, 255, 10, 13] });
    expect(plain(await log.get(1))).toEqual(plain(followed));
    for await (const message of log.read(1)) expect(plain(message)).toEqual(plain(followed));
  });

  test('read begins where it is told and ends at the last message of the time of the call', async () => {
    const { log, storeForeign } = await makeLog();
    await appendAll(log, ['a', 'b', 'c', 'd']);
    const texts: string[] = [];
    for await (const message of log.read(2)) {
      if (texts.length === 0) await storeForeign(bytesOf('late'));
      texts.push(textOf(message));
    }
    expect(texts).toEqual(['b', 'c', 'd']);
    expect(await textsOf(log.read(6))).toEqual([]);
  });

  test('a reading may be broken off', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b', 'c']);
    for await (const message of log.read(1)) {
      if (textOf(message) === 'b') break;
    }
    expect(await textsOf(log.read(3))).toEqual(['c']);
  });
}

function testPurged(makeLog: () => Promise<LogUnderTest>): void {
  test('what was purged is gone: the bounds say so, and reading and following begin behind it', async () => {
    const { log, purgeBelow } = await makeLog();
    await appendAll(log, ['a', 'b', 'c', 'd']);
    await purgeBelow(3);
    expect(await log.bounds()).toEqual({ first: 3, last: 4 });
    expect(await log.get(2)).toBeUndefined();
    expect(await textsOf(log.read(1))).toEqual(['c', 'd']);
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    expect((await reached(2)).map(({ seq }) => seq)).toEqual([3, 4]);
    follower.stop();
  });

  test('a log that was purged whole goes on with its numbers', async () => {
    const { log, purgeBelow } = await makeLog();
    await appendAll(log, ['a', 'b']);
    await purgeBelow(3);
    expect(await log.bounds()).toEqual({ first: 3, last: 2 });
    expect(await textsOf(log.read(1))).toEqual([]);
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    expect(await log.append(bytesOf('c'), 2)).toEqual({ type: 'OK', seq: 3 });
    expect((await reached(1)).map(({ seq }) => seq)).toEqual([3]);
    follower.stop();
  });
}

function testFollowing(makeLog: () => Promise<LogUnderTest>): void {
  test('follow gives what is stored and what comes later, once each, in order', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b']);
    const { each, messages, reached } = collector();
    const follower = await log.follow(1, each);
    await reached(2);
    await Promise.all(['c', 'd', 'e'].map((text, index) => log.append(bytesOf(text), 2 + index)));
    await reached(5);
    expect(messages.map(textOf)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(messages.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    follower.stop();
  });

  test('follow may begin in the middle, at the next message, or before the first', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b', 'c']);
    const middle = collector();
    const next = collector();
    const all = collector();
    const followers = [await log.follow(2, middle.each), await log.follow(4, next.each), await log.follow(0, all.each)];
    await appendAll(log, ['d']);
    expect((await middle.reached(3)).map(textOf)).toEqual(['b', 'c', 'd']);
    expect((await next.reached(1)).map(textOf)).toEqual(['d']);
    expect((await all.reached(4)).map(textOf)).toEqual(['a', 'b', 'c', 'd']);
    for (const follower of followers) follower.stop();
  });

  test('no message is given before whoever follows holds the follower', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a']);
    const { each, reached } = collector();
    let held = false;
    const heldAt: boolean[] = [];
    const follower = await log.follow(1, (message) => {
      heldAt.push(held);
      each(message);
    });
    held = true;
    await reached(1);
    expect(heldAt).toEqual([true]);
    follower.stop();
  });

  test('messages stored while a follower catches up are neither lost nor doubled', async () => {
    const { log } = await makeLog();
    const append = async (from: number, to: number): Promise<void> => {
      await Promise.all(Array.from({ length: to - from }, (_, index) => log.append(bytesOf('x'), from + index)));
    };
    await append(0, 1_000);
    const { each, reached } = collector();
    const [follower] = await Promise.all([log.follow(1, each), append(1_000, 2_000)]);
    expect((await reached(2_000)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 2_000 }, (_, index) => index + 1),
    );
    follower.stop();
  });
}

function testStoppingAndRestarting(makeLog: () => Promise<LogUnderTest>): void {
  test('no call back comes after stop', async () => {
    const { log } = await makeLog();
    const stopped = collector();
    const control = collector();
    const first = await log.follow(1, (message) => {
      stopped.each(message);
      if (message.seq === 2) first.stop();
    });
    const second = await log.follow(1, control.each);
    await Promise.all(['a', 'b', 'c', 'd'].map((text, index) => log.append(bytesOf(text), index)));
    await control.reached(4);
    await stopped.reached(2);
    await appendAll(log, ['e']);
    await control.reached(5);
    expect(stopped.messages.map(textOf)).toEqual(['a', 'b']);
    second.stop();
  });

  test('restart gives everything from there once more', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b', 'c']);
    const { each, reached } = collector();
    const follower = await log.follow(1, each);
    await reached(3);
    follower.restart(2);
    await reached(5);
    await appendAll(log, ['d']);
    expect((await reached(6)).map(textOf)).toEqual(['a', 'b', 'c', 'b', 'c', 'd']);
    follower.stop();
  });

  test('restart from within the call back takes effect with the next message', async () => {
    const { log } = await makeLog();
    await appendAll(log, ['a', 'b', 'c', 'd']);
    const { each, messages, reached } = collector();
    const follower = await log.follow(1, (message) => {
      each(message);
      if (messages.length === 2) follower.restart(1);
    });
    expect((await reached(6)).map(textOf)).toEqual(['a', 'b', 'a', 'b', 'c', 'd']);
    follower.stop();
  });

  test('a rewound log is followed again after a restart, and not before', async () => {
    const { log, storeForeign, rewindTo } = await makeLog();
    await appendAll(log, ['a', 'b', 'c', 'd', 'e']);
    const follower = collector();
    const following = await log.follow(1, follower.each);
    await follower.reached(5);
    await rewindTo(3);
    expect(await log.bounds()).toEqual({ first: 1, last: 3 });
    expect(await log.get(4)).toBeUndefined();
    expect(await storeForeign(bytesOf('other'))).toBe(4);
    const witness = collector();
    const witnessing = await log.follow(1, witness.each);
    await witness.reached(4);
    expect(follower.messages).toHaveLength(5);
    following.restart(4);
    await follower.reached(6);
    expect(await log.append(bytesOf('next'), 4)).toEqual({ type: 'OK', seq: 5 });
    expect((await follower.reached(7)).slice(5).map(textOf)).toEqual(['other', 'next']);
    following.stop();
    witnessing.stop();
  });
}
