/** A flow that the worker and its driver both know. */
import { flow, task } from '../../../sdk/index.ts';

const square = task({ name: 'square' }, (n: number) => {
  if (n === 13) throw new RangeError('thirteen brings bad luck');
  return n * n;
});

export const squares = flow({ name: 'squares' }, ({ numbers }: { numbers: number[] }) =>
  Promise.all(numbers.map((n) => square(n))),
);
