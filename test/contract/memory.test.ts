/** What the log in memory offers beyond the port: fates, a scheduler that decides the order, and damage. */
import { expect, test } from 'vitest';
import { memoryLog } from '../../engine/log/memory.ts';
import type { AppendFate } from '../../engine/log/memory.ts';
import { collector } from './collector.ts';
import { appendAll, bytesOf, textOf, textsOf } from './log.contract.ts';

test.each<[AppendFate, string, string[], string, string[]]>([
  ['STORE', 'OK', ['x'], 'CONFLICT', []],
  ['DROP', 'CONFLICT', [], 'CONFLICT', []],
  ['STORE_BUT_UNKNOWN', 'UNKNOWN', ['x'], 'UNKNOWN', []],
  ['DROP_UNKNOWN', 'UNKNOWN', [], 'UNKNOWN', []],
])(
  'the fate %s is answered %s, and with a wrong expectation stores nothing',
  async (fate, right, kept, wrong, none) => {
    const expecting = memoryLog('memory', { fate: () => fate });
    expect((await expecting.append(bytesOf('x'), 0)).type).toBe(right);
    expect(await textsOf(expecting.read(1))).toEqual(kept);
    const mistaken = memoryLog('memory', { fate: () => fate });
    expect((await mistaken.append(bytesOf('x'), 7)).type).toBe(wrong);
    expect(await textsOf(mistaken.read(1))).toEqual(none);
  },
);

test('nothing happens until the scheduler lets it, and then in order, in whatever order it runs the steps', async () => {
  const steps: (() => void)[] = [];
  const log = memoryLog('memory', { schedule: (step) => steps.push(step) });
  const runLastFirst = (): void => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) step();
  };
  const { each, messages } = collector();
  await log.follow(1, each);
  const outcomes = Promise.all(['a', 'b', 'c'].map((text, index) => log.append(bytesOf(text), index)));
  expect(await log.bounds()).toEqual({ first: 1, last: 0 });
  runLastFirst();
  expect(messages.map(textOf)).toEqual(['a', 'b', 'c']);
  expect(await outcomes).toEqual([1, 2, 3].map((seq) => ({ type: 'OK', seq })));
});

test('a follower that throws is ended alone, and the step throws', async () => {
  const steps: (() => void)[] = [];
  const log = memoryLog('memory', { schedule: (step) => steps.push(step) });
  const failing = collector();
  const healthy = collector();
  await log.follow(1, (message) => {
    failing.each(message);
    throw new Error('not taken');
  });
  await log.follow(1, healthy.each);
  log.storeForeign(bytesOf('a'));
  log.storeForeign(bytesOf('b'));
  expect(() => steps.shift()?.()).toThrow('not taken');
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) step();
  expect(failing.messages).toHaveLength(1);
  expect(healthy.messages).toHaveLength(2);
});

test('a message that was overwritten keeps its place and its subject', async () => {
  const log = memoryLog('ledger');
  await appendAll(log, ['a', 'b', 'c']);
  log.overwrite(2, bytesOf('B'));
  expect(await textsOf(log.read(1))).toEqual(['a', 'B', 'c']);
  expect(await log.get(2)).toMatchObject({ seq: 2, subject: 'ledger' });
});

test('a foreign message may have a subject of its own', async () => {
  const log = memoryLog('ledger');
  expect(log.storeForeign(bytesOf('a'), 'other')).toBe(1);
  expect(log.storeForeign(bytesOf('b'))).toBe(2);
  expect((await log.get(1))?.subject).toBe('other');
  expect((await log.get(2))?.subject).toBe('ledger');
});

test('stored bytes are those of the call, whatever becomes of the array', async () => {
  const log = memoryLog();
  const bytes = bytesOf('a');
  const outcome = log.append(bytes, 0);
  bytes.fill(0);
  await outcome;
  expect(await textsOf(log.read(1))).toEqual(['a']);
});
