/** A worker, and who starts the runs: two flows with rejections that nobody handles, and one that is none the worse for it. */
import { disconnect, flow, serve, sleep, startRun, task } from '../../../sdk/index.ts';

const step = task({ name: 'step' }, (n: number) => n);
const breaks = task({ name: 'breaks' }, () => {
  throw new Error('broken');
});
const strays = task({ name: 'strays' }, async () => {
  void Promise.reject(new Error('lost in a task'));
  await new Promise((resolve) => setTimeout(resolve, 5000).unref());
});

const flows = {
  forgets: flow({ name: 'forgets' }, () => {
    for (const n of [1, 2, 3]) void step(n).then(() => step(10 * n));
    return 'ended';
  }),
  fails: flow({ name: 'fails' }, async () => {
    void breaks().then(() => undefined);
    await sleep('5s');
  }),
  inTask: flow({ name: 'in-task' }, () => strays()),
  honest: flow({ name: 'honest' }, async () => {
    await sleep(1500);
    return 'well';
  }),
};

const worker = await serve(Object.values(flows));
const runs = await Promise.all(Object.values(flows).map((one) => startRun(one as typeof flows.honest)));
const ends = await Promise.all(
  runs.map((run) =>
    run.result().catch((error: unknown) => {
      const { kind, cause } = error as { kind?: string; cause?: Error };
      return [kind, cause?.message];
    }),
  ),
);
console.log(JSON.stringify(ends));
await worker.stop();
await disconnect();
