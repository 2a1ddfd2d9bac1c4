/** A plain script: one task with a cache key, which says when it computes, and waits there for a line. */
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { flow, INPUTS, task } from '../../../sdk/index.ts';

const effects = process.argv[2] ?? 'effects.txt';

const compute = task({ name: 'compute', cachePolicy: INPUTS }, async (n: number) => {
  console.log('COMPUTING');
  const input = createInterface({ input: process.stdin });
  await new Promise((resolve) => input.once('line', resolve));
  input.close();
  process.stdin.destroy();
  appendFileSync(effects, 'computed\n');
  return n * 2;
});

const features = flow({ name: 'features', resume: false }, async () => {
  console.log('ASKING');
  return compute(21);
});

console.log(`FEATURES ${String(await features())}`);
process.stdin.destroy();
