/** Shapes of what is kept or undone together: caches, transactions, hooks, variables and artifacts. */
import { artifacts, cancelRun, flow, flowRun, INPUTS, task, transaction, variables } from '../../sdk/index.ts';
import { noteHook, work } from './effects.ts';
import { numbers, squaresBelow, sumOf, tellRun, type Job, type Shape } from './shape.ts';
import { add, endless, hopeless } from './shapes-calls.ts';

/** The task whose results are kept: equal calls of all runs compute once. */
export const KEPT = 'compute';
const compute = task({ name: KEPT, cachePolicy: INPUTS }, (group: number, index: number) => work(() => group + index));

const reserve = task(
  {
    name: 'reserve',
    onCommit: () => work(() => undefined),
    onRollback: () => work(() => undefined),
  },
  (what: number) => work(() => what * what),
);

const hooked = task(
  {
    name: 'hooked',
    onRunning: ({ runId, attempt }) => {
      noteHook('onRunning', runId, attempt);
    },
    onCompletion: [
      ({ runId, attempt }) => {
        noteHook('onCompletion', runId, attempt);
      },
      () => {
        throw new Error('a hook changes nothing');
      },
    ],
  },
  (index: number) => work(() => index),
);

export const keptShapes = {
  cached: {
    flow: flow({ name: 'chaos-cached' }, async ({ size, group }: Job) =>
      sumOf(await Promise.all(numbers(size).map((index) => compute(group, index)))),
    ),
    end: ({ size, group }) => ({ type: 'COMPLETED', value: sumOf(numbers(size).map((index) => group + index)) }),
    effects: ({ size }) => ({ [KEPT]: [0, size] }),
  },
  committed: {
    flow: flow({ name: 'chaos-committed' }, async ({ size }: Job) =>
      transaction('stock', async () => {
        const inner = await transaction('more', () => reserve(100));
        return inner + sumOf(await Promise.all(numbers(size).map((what) => reserve(what))));
      }),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: 10_000 + squaresBelow(size) }),
    effects: ({ size }) => ({ reserve: size + 1, 'commit reserve': size + 1 }),
  },
  'rolled-back': {
    flow: flow({ name: 'chaos-rolled-back' }, async ({ size }: Job) => {
      try {
        await transaction('journey', async () => {
          for (const what of numbers(size)) await reserve(what);
          await transaction('more', () => reserve(100));
          await hopeless(size);
        });
        return 'kept';
      } catch (error) {
        return error instanceof Error ? error.message : 'nothing';
      }
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: `never ${String(size)}` }),
    effects: ({ size }) => ({ reserve: size + 1, hopeless: 1, 'rollback reserve': size + 1 }),
  },
  'failed-with-rollback': {
    flow: flow({ name: 'chaos-failed-with-rollback' }, async ({ size }: Job) => {
      await add(size, size);
      await transaction('journey', async () => {
        await Promise.all(numbers(size).map((what) => reserve(what)));
        throw new RangeError('no room');
      });
    }),
    end: () => ({ type: 'FAILED', error: 'RangeError: no room' }),
    effects: ({ size }) => ({ add: 1, reserve: size, 'rollback reserve': size }),
  },
  'rolled-back-and-retried': {
    flow: flow({ name: 'chaos-rolled-back-and-retried', retries: 30, retryDelay: '20ms' }, async ({ size }: Job) =>
      transaction('journey', async () => {
        const booked = sumOf(await Promise.all(numbers(size).map((what) => reserve(what))));
        if (flowRun().attempt === 1) throw new Error('not at the first attempt');
        return booked;
      }),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: squaresBelow(size) }),
    // Whose process died in the first attempt goes on with it in the second.
    effects: ({ size }) => ({
      reserve: [size, 2 * size],
      'rollback reserve': [0, size],
      'commit reserve': size,
    }),
  },
  'cancelled-in-transaction': {
    flow: flow({ name: 'chaos-cancelled-in-transaction' }, async (job: Job) => {
      tellRun(job);
      await transaction('journey', async () => {
        await Promise.all(numbers(job.size).map((what) => reserve(what)));
        await endless();
      });
    }),
    push: (run) => cancelRun(run, 'somebody asked for it'),
    end: () => ({ type: 'CANCELLED', error: 'CANCELLED' }),
    effects: ({ size }) => ({ reserve: [0, size], endless: [0, 1], 'rollback reserve': [0, size] }),
  },
  'one-at-a-time': {
    flow: flow({ name: 'chaos-one-at-a-time' }, async ({ size, group }: Job) =>
      transaction({ name: 'turn', key: `turn ${String(group)}`, isolation: 'serializable' }, async () => {
        let sum = 0;
        for (const index of numbers(size)) sum = await add(sum, index);
        return sum;
      }),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ add: size }),
  },
  hooked: {
    flow: flow(
      {
        name: 'chaos-hooked',
        onRunning: ({ runId, attempt }) => {
          noteHook('onRunning', runId, attempt);
        },
        onCompletion: ({ runId, attempt }) => {
          noteHook('onCompletion', runId, attempt);
        },
      },
      async ({ size }: Job) => sumOf(await Promise.all(numbers(size).map((index) => hooked(index)))),
    ),
    end: ({ size }) => ({ type: 'COMPLETED', value: sumOf(numbers(size)) }),
    effects: ({ size }) => ({ hooked: size }),
  },
  shown: {
    flow: flow({ name: 'chaos-shown' }, async ({ job, size }: Job) => {
      await variables.set(job, size);
      await artifacts.markdown('report', `# ${job}`);
      await artifacts.table(
        'rows',
        numbers(size).map((row) => ({ row })),
      );
      return (await variables.get<number>(job, 0)) + (await add(size, 0));
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: 2 * size }),
    effects: () => ({ add: 1 }),
  },
} as const satisfies Readonly<Record<string, Shape>>;
