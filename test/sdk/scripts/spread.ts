/** A script whose flow calls tasks in workers: says its run, then prints the sum of what they gave. */
import { flow, flowRun, workers } from '../../../sdk/index.ts';
import { works } from '../../contract/task-runner.tasks.ts';

const [, , file = '', queue = ''] = process.argv;
const spread = flow({ name: 'spread', taskRunner: workers({ queue }) }, async () => {
  console.log(`RUN ${flowRun().id}`);
  const done = await works.map([1, 2, 3], file, 700).results();
  return done.reduce((sum, n) => sum + n, 0);
});
console.log(`SUM ${String(await spread())}`);
