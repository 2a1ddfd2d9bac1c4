/**
 * Two ways in which work ends early, and both are errors that code can catch. A task that takes too long is timed out,
 * tried again, and the flow falls back on something else. A run that nobody needs any more is cancelled from outside, and
 * cleans up after itself.
 *
 *   npx node examples/05-timeout-and-cancel.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError, cancelRun, flow, flowRun, signal, task } from 'assent';
import { z } from 'zod';

/** Stands for a server that takes its time. */
const askMirror = task(
  { name: 'ask-mirror', timeout: '300ms', retries: 1 },
  async (mirror: string, takesMs: number) => {
    // A time-out ends this call at once; passing the signal on ends the work behind it, too.
    await pause(takesMs, undefined, { signal: signal() });
    return `the answer of ${mirror}`;
  },
);

export const askMirrors = flow(
  { name: 'ask-mirrors', parameters: z.object({ firstTakesMs: z.number().default(5000) }) },
  async ({ firstTakesMs }) => {
    try {
      return await askMirror('the first mirror', firstTakesMs);
    } catch (error) {
      if (!(error instanceof AssentError) || error.kind !== 'TIMED_OUT') throw error;
      return askMirror('the second mirror', 50);
    }
  },
);

const watchForever = task({ name: 'watch-forever' }, async () => {
  try {
    await pause(3_600_000, undefined, { signal: signal() });
  } finally {
    console.log('Cleaned up.');
  }
});

export const watch = flow({ name: 'watch' }, async () => {
  // From outside: npx assent runs cancel RUN --reason "…". Here the flow plays that part itself.
  const { id } = flowRun();
  setTimeout(() => void cancelRun(id, 'seen enough'), 500);
  await watchForever();
});

if (process.argv[1] === import.meta.filename) {
  console.log(await askMirrors({}));
  await watch().catch((error: unknown) => {
    if (!(error instanceof AssentError) || error.kind !== 'CANCELLED') throw error;
    console.log(error.message);
  });
}
