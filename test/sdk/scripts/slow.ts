/** A plain script whose flow takes a while: it says when it is in the middle, and waits there for a line. */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { flow, task } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';
const input = createInterface({ input: process.stdin });

const step = task({ name: 'step' }, async (n: number) => {
  if (n === 3) {
    console.log('MIDDLE');
    await new Promise((resolve) => input.once('line', resolve));
    input.close();
    process.stdin.destroy();
  }
  appendFileSync(effects, `${String(n)}\n`);
  return n;
});

const slow = flow({ name: 'slow', resume: false }, async () => {
  let sum = 0;
  for (let n = 1; n <= 6; n += 1) sum += await step(n);
  return sum;
});

console.log(`SUM ${String(await slow())}`);
