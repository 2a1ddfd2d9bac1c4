/** Result storages and serializers of the user's that throw, are slow, or lose what they were given; and what tasks may throw. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import type { AssentError } from '../../sdk/index.ts';
import { flow, registerSerializer, setResultStorage, task, type ResultStorage } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
beforeEach(async () => {
  workspace = await memoryWorkspace();
  useClient((await workspace.connect()).client);
});
afterEach(async () => {
  setResultStorage(undefined);
  useClient(undefined);
  await workspace.stop();
});

const LARGE = 'x'.repeat(50_000);
const odd = (storage: Record<keyof ResultStorage, unknown>): void => {
  setResultStorage(storage as unknown as ResultStorage);
};
const endOf = (options: { retries?: number }, fn: () => unknown): Promise<unknown> =>
  flow({ name: 'stores', resume: false }, () => task({ name: 'large', ...options }, fn)())().catch(
    (error: unknown) => error,
  );

describe('a storage', () => {
  test.each<[string, unknown]>([
    [
      'throws',
      () => {
        throw new Error('the disk is full');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the disk is full'))],
  ])('that %s fails the task, which is tried again', async (_, put) => {
    let tries = 0;
    odd({ put, get: () => undefined });
    const error = await endOf({ retries: 2 }, () => {
      tries += 1;
      return LARGE;
    });
    expect(error).toMatchObject({ message: 'the disk is full' });
    expect(tries).toBe(3);
  });

  test('that throws fails a task whose error is large, too, and says so', async () => {
    odd({
      put: () => {
        throw new Error('the disk is full');
      },
      get: () => undefined,
    });
    expect(
      await endOf({}, () => {
        throw new Error(LARGE);
      }),
    ).toMatchObject({ message: 'the disk is full' });
  });

  test('that gives no promise has stored it all the same', async () => {
    const stored = new Map<string, string>();
    odd({
      put: (digest: string, text: string) => void stored.set(digest, text),
      get: (digest: string) => stored.get(digest),
    });
    expect(await endOf({}, () => LARGE)).toBe(LARGE);
    expect(stored.size).toBeGreaterThan(0);
  });

  test('that is slow is waited for', async () => {
    const gate = Promise.withResolvers<undefined>();
    let isStored = false;
    odd({
      put: () =>
        gate.promise.then(() => {
          isStored = true;
        }),
      get: () => undefined,
    });
    const end = endOf({}, () => LARGE).then(() => isStored);
    setImmediate(() => {
      gate.resolve(undefined);
    });
    expect(await end).toBe(true);
  });

  test.each<[string, () => unknown, RegExp | undefined]>([
    ['has something else', () => 'something else', /is not what was stored there.*VALUE_MISSING/],
    ['has bytes', () => Buffer.from('x'), /is not what was stored there.*VALUE_MISSING/],
    [
      'cannot be read',
      () => {
        throw new Error('no route to it');
      },
      /no route to it/,
    ],
  ])('that %s is no result', async (_, get, problem) => {
    let lost = false;
    const stored = new Map<string, string>();
    odd({
      put: (digest: string, text: string) => {
        stored.set(digest, text);
      },
      get: (digest: string) => (lost ? get() : stored.get(digest)),
    });
    let attempts = 0;
    const resumed = flow({ name: 'resumed', retries: 1, resume: false }, async () => {
      attempts += 1;
      const text = await task({ name: 'large' }, () => LARGE)();
      lost = true;
      if (attempts === 1) throw new Error('once more');
      return text;
    });
    await expect(resumed()).rejects.toThrow(problem);
  });

  test.each([undefined, null])('that has %s for it leaves it to the object store', async (nothing) => {
    let attempts = 0;
    const resumed = flow({ name: 'resumed', retries: 1, resume: false }, async () => {
      attempts += 1;
      const text = await task({ name: 'large' }, () => LARGE)();
      odd({ put: () => undefined, get: () => nothing });
      if (attempts === 1) throw new Error('once more');
      return text.length;
    });
    expect(await resumed()).toBe(LARGE.length);
  });
});

class Sealed {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

describe('a serializer', () => {
  test('whose encode throws fails its task, for good, naming itself and the path', async () => {
    registerSerializer({
      name: 'test.Sealed',
      test: (value) => value instanceof Sealed,
      encode: () => {
        throw new Error('it is sealed');
      },
      decode: () => new Sealed(''),
    });
    let tries = 0;
    const error = await endOf({ retries: 3 }, () => {
      tries += 1;
      return { letters: [new Sealed('a')] };
    });
    expect(error).toMatchObject({ kind: 'VALUE_NOT_SERIALIZABLE' });
    expect((error as AssentError).detail).toContain(
      " at .letters[0]: the serializer 'test.Sealed' failed: it is sealed",
    );
    expect(tries).toBe(1);
  });

  test('whose decode throws is named to whoever reads it', async () => {
    registerSerializer({
      name: 'test.Sealed',
      test: (value) => value instanceof Sealed,
      encode: ({ text }) => text,
      decode: () => {
        throw new Error('the seal is broken');
      },
    });
    let attempts = 0;
    const resumed = flow({ name: 'resumed', retries: 1, resume: false }, async () => {
      attempts += 1;
      const letter = await task({ name: 'write' }, () => new Sealed('a'))();
      if (attempts === 1) throw new Error('once more');
      return letter;
    });
    await expect(resumed()).rejects.toThrow("the serializer 'test.Sealed' failed: the seal is broken");
  });
});

const thrower = (message: string) => (): never => {
  throw new Error(message);
};

test.each<[string, unknown]>([
  ['a proxy that throws', new Proxy({}, { get: thrower('trap'), getPrototypeOf: thrower('trap') })],
  ['an error that throws when it is asked', Object.defineProperty(new Error('x'), 'message', { get: thrower('no') })],
  ['nothing', undefined],
  ['a symbol', Symbol('s')],
  ['a function', thrower('no')],
  ['a promise', Promise.resolve(1)],
])('a task that throws %s has failed', async (_, thrown) => {
  const own = flow({ name: 'own', resume: false }, () => {
    throw thrown;
  });
  const ends = await Promise.allSettled([own()]);
  expect(ends.map(({ status }) => status)).toEqual(['rejected']);
  const state = flow({ name: 'throws', resume: false }, async () => {
    const future = task({ name: 'odd' }, (): number => {
      throw thrown;
    }).submit();
    return (await future.state()).type;
  });
  expect(await state()).toBe('FAILED');
});
