/**
 * A trial ends after three days, and nobody wants to keep a process for that, or to wait for it in a test. A sleep stands
 * on the ledger: kill the process and start it again, and it sleeps only what is left. In virtual time it takes no time.
 *
 *   npx node examples/19-sleep-for-days.ts              (three days, in virtual time)
 *   npx node examples/19-sleep-for-days.ts 3s           (three real seconds; try to kill it)
 */
import { flow, sleep, task, type Duration } from 'assent';
import { runInVirtualTime } from 'assent/testing';
import { z } from 'zod';

const note = task({ name: 'note' }, (what: string) => {
  console.log(`${new Date().toISOString()}  ${what}`);
  return Date.now();
});

export const trial = flow(
  { name: 'trial', parameters: z.object({ lasts: z.string().default('3d') }) },
  async ({ lasts }) => {
    const beganMs = await note('the trial begins');
    await sleep(lasts as Duration);
    const endedMs = await note('the trial is over');
    return { tookMs: endedMs - beganMs };
  },
);

if (process.argv[1] === import.meta.filename) {
  const lasts = process.argv[2];
  if (lasts === undefined) {
    const beganMs = performance.now();
    const run = await runInVirtualTime(trial, {});
    console.log(run.value(), `in ${String(Math.round(performance.now() - beganMs))} ms`);
  } else {
    console.log(await trial({ lasts }));
  }
}
