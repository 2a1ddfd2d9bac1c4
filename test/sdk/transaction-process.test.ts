/** Transactions in processes that are killed, with a real engine and a real nats-server. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptFolder } from './script-process.ts';

let scripts: ScriptFolder;

beforeEach(async () => {
  scripts = await ScriptFolder.make();
});

afterEach(async () => {
  await scripts.remove();
});

/** What the outside world has seen, once each; a repetition has the same key. */
async function effects(): Promise<string[]> {
  const lines = [...new Set(await scripts.effects())];
  return lines.map((line) => line.split(' ')[0] ?? '');
}

const BOOKED = ['book-flight', 'book-hotel', 'book-car'];

test.each(['book-car', 'undo-car', 'after undo-hotel'])(
  'killed at %s, the next process undoes all of it, once and last first',
  async (place) => {
    const env = { FAILS: '1', DIE_AT: place };
    expect((await scripts.run('saga.ts', env).ended).code).toBeNull();
    expect(await scripts.run('saga.ts', env).ended).toEqual({ out: 'RangeError: no money left', code: 0 });
    expect(await effects()).toEqual([...BOOKED, 'undo-car', 'undo-hotel', 'undo-flight']);
  },
);

test.each(['keep-hotel', 'after keep-flight'])(
  'killed at %s, the next process keeps all of it, once',
  async (place) => {
    const env = { DIE_AT: place };
    expect((await scripts.run('saga.ts', env).ended).code).toBeNull();
    expect(await scripts.run('saga.ts', env).ended).toEqual({ out: 'flight hotel car, attempt 2', code: 0 });
    expect(await effects()).toEqual([...BOOKED, 'keep-hotel', 'keep-flight', 'keep-car']);
  },
);
