/** Starts runs for a worker, and prints how they end. */
import { startRun } from '../../../sdk/index.ts';
import { squares } from './squares.ts';

const runs = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => startRun(squares, { numbers: [n, n + 1] })));
console.log(JSON.stringify(await Promise.all(runs.map((run) => run.result()))));
const unlucky = await startRun(squares, { numbers: [13] });
console.log(
  await unlucky
    .result()
    .then(String, (error: unknown) => (error instanceof RangeError ? error.message : 'another error')),
);
