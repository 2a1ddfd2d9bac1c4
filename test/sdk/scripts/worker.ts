/** A worker process: says READY, executes `squares` until it is told to stop. */
import { serve } from '../../../sdk/index.ts';
import { squares } from './squares.ts';

const worker = await serve([squares], { slots: 4 });
console.log('READY');
process.once('SIGTERM', () => {
  void worker.stop().then(() => {
    console.log('STOPPED');
  });
});
