/** Shapes of calls: plain ones, retried, limited, mapped, raced, nested, with time-outs, cancelled, and ends that are returned. */
import { setTimeout as pause } from 'node:timers/promises';
import { allowFailure, cancelRun, completed, failed, flow, flowRun, signal, task, taskRun } from '../../sdk/index.ts';
import { note, work } from './effects.ts';
import { numbers, squaresBelow, sumOf, tellRun, type Job, type Shape } from './shape.ts';

/** The name of the limit that is set in each world. */
export const NARROW = 'narrow';
/** A run may lose some attempts to the death of its process. */
const RETRIES = 30;
const LARGE_CHARACTERS = 20_000;

export const add = task({ name: 'add' }, (sum: number, index: number) => work(() => sum + index));
export const quick = task({ name: 'quick' }, (text: string) => work(() => text));
export const hopeless = task({ name: 'hopeless' }, (index: number) =>
  work(() => {
    throw new RangeError(`never ${String(index)}`);
  }),
);
const narrow = task({ name: 'narrow', limits: [NARROW] }, (index: number) => work(() => index * index));
const flaky = task({ name: 'flaky', retries: RETRIES, retryDelay: '20ms', retryJitter: 0.5 }, (index: number) =>
  work(() => {
    if (taskRun().attempt <= 2) throw new Error(`not yet ${String(index)}`);
    return index;
  }),
);
/** Every other one fails in its first attempt by itself, about when its time is over. */
const patient = task({ name: 'patient', retries: RETRIES, timeout: '200ms' }, async (index: number) => {
  note('BEGIN');
  if (taskRun().attempt === 1) {
    await pause(index % 2 === 0 ? 5000 : 200, undefined, { signal: signal() });
    throw new Error('not in time');
  }
  note('END');
  return index;
});
const double = task({ name: 'double' }, (index: number) => work(() => 2 * index));
const increase = task({ name: 'increase' }, (index: number) => work(() => index + 1));
const total = task({ name: 'total' }, (list: readonly number[]) => work(() => sumOf(list)));
const tell = task({ name: 'tell' }, (what: unknown) => work(() => (what instanceof Error ? what.message : 'nothing')));
const large = task({ name: 'large' }, (index: number) => work(() => String(index).repeat(LARGE_CHARACTERS)));
const slow = task({ name: 'slow' }, async () => {
  note('BEGIN');
  await pause(300, undefined, { signal: signal() });
  note('END');
  return 'one of them';
});
export const endless = task({ name: 'endless' }, async () => {
  note('BEGIN');
  await pause(600_000, undefined, { signal: signal() });
});

const child = flow({ name: 'chaos-child' }, async ({ from, size }: { from: number; size: number }) => {
  const sums = await Promise.all(numbers(size).map((index) => add(from, index)));
  return sumOf(sums);
});
const broken = flow({ name: 'chaos-broken' }, async ({ size }: { size: number }) => {
  await add(size, size);
  throw new RangeError(`broken ${String(size)}`);
});

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : 'nothing');

export const callShapes = {
  sequence: {
    flow: flow({ name: 'chaos-sequence' }, async ({ size }: Job) => {
      let sum = 0;
      for (const index of numbers(size)) sum = await add(sum, index);
      return sum;
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ add: size }),
  },
  limited: {
    flow: flow({ name: 'chaos-limited' }, async ({ size }: Job) =>
      sumOf(await Promise.all(numbers(2 * size).map((index) => narrow(index)))),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: squaresBelow(2 * size) }),
    effects: ({ size }) => ({ narrow: 2 * size }),
  },
  retried: {
    flow: flow({ name: 'chaos-retried' }, async ({ size }: Job) =>
      sumOf(await Promise.all(numbers(size).map((index) => flaky(index)))),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ flaky: size }),
  },
  mapped: {
    flow: flow({ name: 'chaos-mapped' }, async ({ size }: Job) => {
      const doubled = double.map(numbers(size));
      return total.submit([...increase.map(doubled)]);
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size).map((index) => 2 * index + 1)) }),
    effects: ({ size }) => ({ double: size, increase: size, total: 1 }),
  },
  'not-ready': {
    flow: flow({ name: 'chaos-not-ready' }, async ({ size }: Job) => {
      const bad = hopeless.submit(size);
      const { name } = await increase.submit(bad).state();
      return `${name} ${await tell(allowFailure(bad))}`;
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: `NotReady never ${String(size)}` }),
    effects: () => ({ hopeless: 1, tell: 1 }),
  },
  caught: {
    flow: flow({ name: 'chaos-caught' }, async ({ size }: Job) => {
      const caught: string[] = [];
      await hopeless(size).catch((error: unknown) => caught.push(nameOf(error)));
      await broken({ size }).catch((error: unknown) => caught.push(nameOf(error)));
      return caught.join(' ');
    }),
    end: () => ({ type: 'COMPLETED', value: 'RangeError RangeError' }),
    effects: () => ({ hopeless: 1, add: 1 }),
  },
  thrown: {
    flow: flow({ name: 'chaos-thrown' }, async ({ size }: Job) => {
      await add(size, 1);
      await hopeless(size);
    }),
    end: ({ size }) => ({ type: 'FAILED', name: 'Failed', error: `RangeError: never ${String(size)}` }),
    effects: () => ({ add: 1, hopeless: 1 }),
  },
  nested: {
    flow: flow({ name: 'chaos-nested', retries: RETRIES, retryDelay: '20ms' }, async ({ size }: Job) => {
      const sums = await Promise.all([child({ from: 1, size }), child({ from: 2, size })]);
      if (flowRun().attempt === 1) throw new Error('not at the first attempt');
      return sumOf(sums);
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size).flatMap((index) => [1 + index, 2 + index])) }),
    effects: ({ size }) => ({ add: 2 * size }),
  },
  race: {
    flow: flow({ name: 'chaos-race' }, async ({ size }: Job) => {
      const first = await Promise.race([slow(), quick('one of them')]);
      return `${first} of ${String(size)}`;
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: `one of them of ${String(size)}` }),
    effects: () => ({ slow: [0, 1], quick: [0, 1] }),
  },
  any: {
    flow: flow({ name: 'chaos-any' }, ({ size }: Job) => Promise.any([hopeless(size), quick('the good one')])),
    end: () => ({ type: 'COMPLETED', value: 'the good one' }),
    effects: () => ({ hopeless: [0, 1], quick: 1 }),
  },
  'task-time-out': {
    flow: flow({ name: 'chaos-task-time-out' }, async ({ size }: Job) =>
      sumOf(await Promise.all(numbers(size).map((index) => patient(index)))),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ patient: size }),
  },
  'flow-time-out': {
    flow: flow({ name: 'chaos-flow-time-out', timeout: '400ms' }, async ({ size }: Job) => {
      await endless();
      return size;
    }),
    end: () => ({ type: 'FAILED', name: 'TimedOut', error: 'TIMED_OUT' }),
    effects: () => ({ endless: [0, 1] }),
  },
  cancelled: {
    flow: flow({ name: 'chaos-cancelled' }, async (job: Job) => {
      tellRun(job);
      await quick(job.job);
      await endless();
    }),
    push: (run) => cancelRun(run, 'somebody asked for it'),
    end: () => ({ type: 'CANCELLED', error: 'CANCELLED' }),
    effects: () => ({ quick: [0, 1], endless: [0, 1] }),
  },
  'failed-state': {
    flow: flow({ name: 'chaos-failed-state' }, async ({ size }: Job) => {
      await add(size, size);
      return failed({ name: 'Unlucky', message: `${String(size)} are too many` });
    }),
    end: () => ({ type: 'FAILED', name: 'Unlucky', error: 'FLOW_FAILED' }),
    effects: () => ({ add: 1 }),
  },
  'named-state': {
    flow: flow({ name: 'chaos-named-state' }, async ({ size }: Job) =>
      completed({ name: 'Skipped', message: 'nothing to do', value: await add(size, size) }),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', name: 'Skipped', value: 2 * size }),
    effects: () => ({ add: 1 }),
  },
  'list-of-states': {
    flow: flow({ name: 'chaos-list-of-states' }, async ({ size }: Job) => {
      const first = increase.map(numbers(size));
      return Promise.resolve(first);
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: numbers(size).map((index) => index + 1) }),
    effects: ({ size }) => ({ increase: size }),
  },
  large: {
    flow: flow({ name: 'chaos-large' }, async ({ size }: Job) => (await large(size)).length + (await add(size, size))),
    end: ({ size }) => ({ type: 'COMPLETED', value: String(size).length * LARGE_CHARACTERS + 2 * size }),
    effects: () => ({ large: 1, add: 1 }),
  },
  strict: {
    flow: flow({ name: 'chaos-strict', strict: true, retries: RETRIES }, async ({ size }: Job) => {
      const sums = await Promise.all(numbers(size).map((index) => add(1, index)));
      const sum = await flaky(sumOf(sums));
      if (flowRun().attempt === 1) throw new Error('not at the first attempt');
      return add(sum, 100);
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: 100 + sumOf(numbers(size).map((index) => 1 + index)) }),
    effects: ({ size }) => ({ add: size + 1, flaky: 1 }),
  },
} as const satisfies Readonly<Record<string, Shape>>;
