/**
 * One flow, many processes: the lines of a picture are computed by whichever worker is free, on this machine or on others.
 * A worker may be killed: what it was at is computed by another one, and what it had computed is not computed again.
 *
 *   npx node examples/22-worker-processes.ts 2                 (starts two workers of its own)
 *   npx assent worker examples/22-worker-processes.ts --queue pictures --slots 1         (in as many terminals as you like)
 *   npx node examples/22-worker-processes.ts 0
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, serve, task, workers } from 'assent';
import { z } from 'zod';

export const paintLine = task({ name: 'paint-line' }, async (line: number, lines: number) => {
  await pause(100);
  const columns = 2.6 * lines;
  const painted = Array.from({ length: columns }, (_, column) => {
    const steps = stepsAt((column / columns) * 3 - 2.2, (line / (lines - 1)) * 2.4 - 1.2);
    return ' .:-=+*#%@'[Math.min(9, Math.floor(steps / 5))] ?? ' ';
  }).join('');
  console.log(`line ${String(line)} is painted by ${String(process.pid)}`);
  return painted;
});

/** How many steps a point takes to leave: the Mandelbrot set are those that never do. */
function stepsAt(x: number, y: number): number {
  let [a, b, steps] = [0, 0, 0];
  for (; steps < 50 && a * a + b * b < 4; steps += 1) [a, b] = [a * a - b * b + x, 2 * a * b + y];
  return steps;
}

export const paint = flow(
  {
    name: 'paint',
    parameters: z.object({ lines: z.int().min(2) }),
    taskRunner: workers({ queue: 'pictures' }),
  },
  async ({ lines }) => {
    const painted = await paintLine
      .map(
        Array.from({ length: lines }, (_, line) => line),
        lines,
      )
      .results();
    return painted.join('\n');
  },
);

async function work(): Promise<void> {
  const worker = await serve([paintLine], { queue: 'pictures', slots: 1 });
  console.log(`worker ${String(process.pid)} is ready`);
  process.once('disconnect', () => void worker.stop());
}

if (process.argv[1] === import.meta.filename) {
  const [, , command = '2'] = process.argv;
  if (command === 'worker') {
    await work();
  } else {
    const children: ChildProcess[] = [];
    for (let count = 0; count < Number(command); count += 1) children.push(fork(import.meta.filename, ['worker']));
    console.log(await paint({ lines: 18 }));
    for (const child of children) {
      if (child.connected) child.disconnect();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
}
