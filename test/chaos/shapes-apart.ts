/** Shapes whose tasks are done by other processes than their flow's. */
import { flow, signal, task, taskRun, workers } from '../../sdk/index.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { note, work } from './effects.ts';
import { numbers, squaresBelow, sumOf, type Job, type Shape } from './shape.ts';

const crunch = task({ name: 'crunch' }, (index: number) => work(() => index * index));
const shaky = task({ name: 'shaky', retries: 30, timeout: '500ms' }, async (index: number) => {
  note('BEGIN');
  if (taskRun().attempt === 1) throw new Error('not at the first attempt');
  await pause(10, undefined, { signal: signal() });
  note('END');
  return index;
});
const errand = task({ name: 'errand' }, (index: number) => work(() => index));

export const apartShapes = {
  spread: {
    flow: flow({ name: 'chaos-spread', taskRunner: workers() }, async ({ size }: Job) =>
      sumOf(await crunch.map(numbers(size)).results()),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: squaresBelow(size) }),
    effects: ({ size }) => ({ crunch: size }),
    serves: [crunch],
  },
  'spread-retried': {
    flow: flow({ name: 'chaos-spread-retried', taskRunner: workers() }, async ({ size }: Job) =>
      sumOf(await shaky.map(numbers(size)).results()),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ shaky: size }),
    serves: [shaky],
  },
  delayed: {
    flow: flow({ name: 'chaos-delayed' }, async ({ size }: Job) => {
      const runs = await Promise.all(numbers(size).map((index) => errand.delay(index)));
      return sumOf(await Promise.all(runs.map((run) => run.result())));
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ errand: size }),
    serves: [errand],
  },
} as const satisfies Readonly<Record<string, Shape>>;
