import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Absence } from '../../sdk/client/absence.ts';

const LIMIT_MS = 500;
let asked: (() => void)[];
let read: string[];
let absence: Absence;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  asked = [];
  read = [];
  absence = new Absence(LIMIT_MS, () => new Promise((resolve) => asked.push(resolve)));
});
afterEach(() => {
  vi.useRealTimers();
});

const arrives = (what: string): void => {
  absence.read(() => read.push(what));
};
const sleep = (ms: number): void => {
  vi.advanceTimersByTime(ms);
};
/** Lets what waits for a promise go on. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a process that is present reads what arrives at once', () => {
  arrives('one');
  sleep(LIMIT_MS);
  arrives('two');
  expect([read, asked.length]).toEqual([['one', 'two'], 0]);
});

test.each(['by a timer', 'by what arrives'])(
  'after an absence, noticed %s, it asks before it reads, in order',
  async (how) => {
    sleep(LIMIT_MS + 1);
    if (how === 'by a timer') absence.present();
    arrives('one');
    arrives('two');
    expect([read, asked.length]).toEqual([[], 1]);
    asked[0]?.();
    await settle();
    expect(read).toEqual(['one', 'two']);
    arrives('three');
    expect([read, asked.length]).toEqual([['one', 'two', 'three'], 1]);
  },
);

test('what was asked before another absence is asked again, even if the answer is the first thing that it hears', async () => {
  sleep(LIMIT_MS + 1);
  arrives('one');
  sleep(LIMIT_MS + 1);
  asked[0]?.();
  await settle();
  arrives('two');
  expect([read, asked.length]).toEqual([[], 2]);
  asked[1]?.();
  await settle();
  expect(read).toEqual(['one', 'two']);
});

test('a time in which nobody looked, because there was nothing to do, is no absence', () => {
  sleep(10 * LIMIT_MS);
  absence.begin();
  arrives('one');
  expect([read, asked.length]).toEqual([['one'], 0]);
});
