/** Flows for the tests of the command line. */
import { flow, runLogger, signal, task } from 'assent';
import { z } from 'zod';

let calls = 0;
const flaky = task({ name: 'fetch-page', retries: 2, retryDelay: '20ms' }, (page: number) => {
  calls += 1;
  runLogger().info({ page }, `fetching page ${String(page)}`);
  if (calls === 1) throw new Error('HTTP 500');
  return `page ${String(page)}`;
});

export const crawl = flow(
  { name: 'crawl', parameters: z.object({ pages: z.int().positive(), note: z.string().optional() }) },
  async ({ pages, note }) => {
    console.log('the code speaks');
    runLogger().warn({ err: 'only a text' }, 'something was thrown');
    const texts = await Promise.all(Array.from({ length: pages }, (_, page) => flaky(page)));
    return { texts, ...(note === undefined ? {} : { note }) };
  },
);

const broken = task({ name: 'divide' }, () => {
  throw new TypeError('cannot divide by a cheese');
});
export const fails = flow({ name: 'fails' }, () => broken());

const waiting = task(
  { name: 'wait' },
  () =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(resolve, 30_000, 'late');
      signal().addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal().reason as Error);
      });
    }),
);
export const slow = flow({ name: 'slow' }, () => waiting());

/** It does not listen to its signal. */
const deaf = task({ name: 'deaf' }, () => {
  console.log('at work');
  return new Promise((resolve) => setTimeout(resolve, 30_000));
});
export const stubborn = flow({ name: 'stubborn' }, () => deaf());

const first = task({ name: 'first' }, () => {
  console.log('the first task runs');
  return 1;
});
const second = task({ name: 'second' }, (one: number) => one + 1);
export const dies = flow({ name: 'dies' }, async () => {
  const one = await first();
  if (process.env['DIE'] === 'yes') {
    // A completion is proposed together with what comes next, so it needs a moment to be on the ledger.
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(process.pid, 'SIGKILL');
  }
  return second(one);
});
