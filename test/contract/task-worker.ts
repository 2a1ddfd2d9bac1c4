/** A worker process for the contract of the runners: serves its tasks in the queue that it is given, until it is killed. */
import { serve } from '../../sdk/index.ts';
import { all } from './task-runner.tasks.ts';

const [, , queue = 'default', slots = '10'] = process.argv;
await serve(all, { queue, slots: Number(slots) });
console.log('READY');
