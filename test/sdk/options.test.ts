/** Options are checked when the task or flow is defined, and named when they are wrong. */
import { expect, test } from 'vitest';
import { AssentError, exponential, flow, task } from '../../sdk/index.ts';
import { checkTask } from '../../sdk/options.ts';

const fn = (): number => 1;
const problemOf = (define: () => unknown): string => {
  try {
    define();
  } catch (error) {
    expect(error).toBeInstanceOf(AssentError);
    expect((error as AssentError).kind).toBe('BAD_OPTION');
    return (error as AssentError).message;
  }
  return 'none';
};

test.each([
  [{ retrys: 3 }, 'retrys: no such option'],
  [{ retries: '3' }, 'retries:'],
  [{ retries: -1 }, 'retries:'],
  [{ retries: 10_001 }, 'retries:'],
  [{ retries: 1, retryDelay: '10 minutes' }, 'retryDelay:'],
  [{ retries: 1, retryDelay: [] }, 'retryDelay:'],
  [{ retries: 1, retryDelay: () => 'soon' }, 'retryDelay:'],
  [{ retryJitter: 1.5 }, 'retryJitter:'],
  [{ retryIf: true }, 'retryIf:'],
  [{ timeout: 0 }, 'timeout:'],
  [{ timeout: 'x' }, 'timeout:'],
  [{ limits: 'api' }, 'limits:'],
  [{ limits: { api: 0 } }, 'limits'],
  [{ limits: Array.from({ length: 17 }, (_, i) => `l${String(i)}`) }, 'limits:'],
  [{ priority: 0.5 }, 'priority:'],
  [{ key: '' }, 'key:'],
  [{ await: 'result' }, 'await:'],
  [{ name: '' }, 'name:'],
  [{ name: 'x'.repeat(201) }, 'name:'],
  [{ description: 'x'.repeat(1001) }, 'description:'],
  [null, 'options:'],
])('task(%j) is refused, naming %j', (options, named) => {
  expect(problemOf(() => task({ name: 'odd', ...(options as object) }, fn))).toContain(
    options === null ? 'none' : named,
  );
  if (options === null) expect(problemOf(() => task(null as never, fn))).toContain(named);
});

test('the error names the task or flow', () => {
  expect(problemOf(() => task({ name: 'fetch', retries: -1 }, fn))).toContain("task 'fetch'");
  expect(problemOf(() => flow({ name: 'nightly', resume: 'no' } as never, fn))).toContain("flow 'nightly'");
});

test('flows refuse what only tasks have, and the other way round', () => {
  expect(problemOf(() => flow({ name: 'f', key: 'k' } as never, fn))).toContain('key: no such option');
  expect(problemOf(() => task({ name: 't', parameters: {} } as never, fn))).toContain('parameters: no such option');
  expect(problemOf(() => flow({ name: 'f', parameters: { n: 1 } } as never, fn))).toContain(
    'parameters: expected a zod schema',
  );
});

test('a function without a name of its own must be given one', () => {
  expect(problemOf(() => task(() => 1))).toContain('name:');
  expect(task(fn).name).toBe('fn');
  expect(task({ name: 'other' }, fn).name).toBe('other');
});

test('something that is no function is refused', () => {
  expect(problemOf(() => task({ name: 'x' }, 3 as never))).toContain('function');
});

test('delays become a list of milliseconds, which goes on with its last one', () => {
  const delays = (retryDelay: unknown, retries = 4): readonly number[] | undefined =>
    checkTask({ name: 'x', retries, retryDelay }, fn).retry?.delaysMs;
  expect(delays('10s')).toEqual([10_000]);
  expect(delays(['1s', 2000, '1m'])).toEqual([1000, 2000, 60_000]);
  expect(delays(['1s', '2s', '3s'], 2)).toEqual([1000, 2000]);
  expect(delays(exponential('1s', { max: '4s' }), 6)).toEqual([1000, 2000, 4000]);
  expect(delays((attempt: number) => attempt * 10)).toEqual([10, 20, 30, 40]);
  expect(delays(undefined)).toEqual([]);
});

test('limits may be names or slots by name', () => {
  expect(checkTask({ name: 'x', limits: ['a', 'b', 'a'] }, fn).limits).toEqual([
    { limit: 'a', slots: 1 },
    { limit: 'b', slots: 1 },
  ]);
  expect(checkTask({ name: 'x', limits: { a: 3 } }, fn).limits).toEqual([{ limit: 'a', slots: 3 }]);
});
