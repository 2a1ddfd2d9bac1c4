/**
 * A reminder in three days should not hold a process for three days. When a flow that a worker executes has nothing to do
 * but to wait, the worker lets go of it; when it is time, any worker goes on. Here a worker has room for one flow only, and
 * three reminders wait at the same time.
 *
 *   npx node examples/28-let-go-of-the-process.ts 1500ms
 *   npx node examples/28-let-go-of-the-process.ts 1m starter          (and in another terminal, now and then: 1m worker)
 */
import { flow, serve, sleep, startRun, task, type Duration } from 'assent';
import { z } from 'zod';

const tell = task({ name: 'tell' }, (who: string, what: string) => {
  console.log(`${who}: ${what}`);
});

export const remind = flow(
  {
    name: 'remind',
    parameters: z.object({ who: z.string(), after: z.string() }),
    // Default: ten seconds. What is over sooner is waited for in the process.
    suspendAfter: '100ms',
  },
  async ({ who, after }) => {
    await tell(who, 'your trial begins');
    await sleep(after as Duration);
    await tell(who, 'your trial is over');
    return who;
  },
);

if (process.argv[1] === import.meta.filename) {
  const [, , after = '1500ms', role = 'both'] = process.argv;
  const worker = role === 'starter' ? undefined : await serve([remind], { slots: 1 });
  if (role === 'worker') {
    console.log('the worker is ready');
    process.once('SIGTERM', () => void worker?.stop());
  } else {
    const runs = await Promise.all(['Ada', 'Grace', 'Barbara'].map((who) => startRun(remind, { who, after })));
    console.log(await Promise.all(runs.map((run) => run.result())));
    await worker?.stop();
  }
}
