/** Shapes that wait: for a time, for a person, for a message, for an event. */
import { z } from 'zod';
import {
  AssentError,
  emitEvent,
  flow,
  flowRun,
  pause,
  receive,
  resumeRun,
  send,
  sleep,
  startRun,
  suspend,
  task,
  waitForEvent,
} from '../../sdk/index.ts';
import { work } from './effects.ts';
import { numbers, squaresBelow, tellRun, type Job, type Shape } from './shape.ts';
import { add, quick } from './shapes-calls.ts';

const SHORT_SLEEP_MS = 150;
const LONG_SLEEP_MS = 700;
/** The ledger's clock and the machine's may differ by so much. */
const CLOCKS_MS = 50;

const stamp = task({ name: 'stamp' }, (_: string) => work(() => Date.now()));

/** Whether between two calls at least so much time has passed. */
async function slept(forMs: number): Promise<boolean> {
  const begunMs = await stamp('begin');
  await Promise.all([sleep(forMs), sleep(forMs / 2)]);
  return (await stamp('end')) - begunMs >= forMs - CLOCKS_MS;
}

const nap = flow({ name: 'chaos-nap' }, ({ forMs }: { forMs: number }) => slept(forMs));

const kindOf = (error: unknown): string => (error instanceof AssentError ? error.kind : 'nothing');

const answer = z.object({ number: z.int() });

const pong = flow({ name: 'chaos-pong', suspendAfter: '300ms' }, async ({ to, size }: { to: string; size: number }) => {
  for (let count = 0; count < size; count += 1) {
    const { number } = await receive('ping', { schema: answer });
    await send(to, 'pong', { number: number * number });
  }
  return size;
});
/** An engine that is away for long fails it, and that is no reason to fail the flow. */
const startPong = task(
  { name: 'start-pong', retries: 30, retryDelay: '100ms' },
  async (to: string, job: string, size: number) => {
    const { id } = await startRun(pong, { to, size }, { key: `pong of ${job}` });
    return id;
  },
);

export const waitShapes = {
  slept: {
    flow: flow({ name: 'chaos-slept' }, () => slept(SHORT_SLEEP_MS)),
    end: () => ({ type: 'COMPLETED', value: true }),
    effects: () => ({ stamp: 2 }),
  },
  'slept-suspended': {
    flow: flow({ name: 'chaos-slept-suspended', suspendAfter: '100ms' }, () => slept(LONG_SLEEP_MS)),
    modes: ['WORKER'],
    end: () => ({ type: 'COMPLETED', value: true }),
    effects: () => ({ stamp: 2 }),
  },
  'slept-in-subflow': {
    flow: flow({ name: 'chaos-slept-in-subflow', suspendAfter: '100ms' }, async ({ size }: Job) => {
      const [napped] = await Promise.all([nap({ forMs: LONG_SLEEP_MS }), nap({ forMs: SHORT_SLEEP_MS })]);
      return napped ? await add(size, 1) : 0;
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: size + 1 }),
    effects: () => ({ stamp: 4, add: 1 }),
  },
  unheard: {
    flow: flow({ name: 'chaos-unheard', suspendAfter: '100ms' }, async ({ size }: Job) => {
      const heard = await Promise.all([
        receive('nothing', { timeout: '200ms' }).catch(kindOf),
        waitForEvent('nothing', { timeout: '500ms' }).catch(kindOf),
      ]);
      return add(size, heard.filter((kind) => kind === 'TIMED_OUT').length);
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: size + 2 }),
    effects: () => ({ add: 1 }),
  },
  paused: {
    flow: flow({ name: 'chaos-paused' }, async (job: Job) => {
      tellRun(job);
      const before = await add(job.size, 1);
      const { number } = await pause({ key: 'number', input: answer });
      return add(before, number);
    }),
    push: (run, { size }) => resumeRun(run, { number: size }),
    end: ({ size }) => ({ type: 'COMPLETED', value: 2 * size + 1 }),
    effects: () => ({ add: 2 }),
  },
  suspended: {
    flow: flow({ name: 'chaos-suspended' }, async ({ size }: Job) => {
      const before = await add(size, 1);
      const { number } = await suspend({ key: 'number', input: answer });
      const { word } = await suspend({ key: 'word', input: z.object({ word: z.string() }) });
      return `${await quick(word)} ${String(before + number)}`;
    }),
    modes: ['WORKER'],
    // Each fits one of the two; the other is refused.
    push: async (run, { size }) => {
      await resumeRun(run, { number: size }).catch(() => resumeRun(run, { word: 'so' }));
    },
    end: ({ size }) => ({ type: 'COMPLETED', value: `so ${String(2 * size + 1)}` }),
    effects: () => ({ add: 1, quick: 1 }),
  },
  'ping-pong': {
    flow: flow({ name: 'chaos-ping-pong', suspendAfter: '300ms' }, async ({ job, size }: Job) => {
      const partner = await startPong(flowRun().id, job, size);
      let sum = 0;
      for (const number of numbers(size)) {
        await send(partner, 'ping', { number });
        sum += (await receive('pong', { schema: answer })).number;
      }
      return sum;
    }),
    end: ({ size }) => ({ type: 'COMPLETED', value: squaresBelow(size) }),
    effects: () => ({}),
    serves: [pong],
  },
  event: {
    flow: flow({ name: 'chaos-event', suspendAfter: '200ms' }, async (job: Job) => {
      tellRun(job);
      const { number } = await waitForEvent('go', { key: job.job, schema: answer });
      return add(number, 1);
    }),
    push: (_, { job, size }) => emitEvent('go', { number: size }, { key: job }),
    end: ({ size }) => ({ type: 'COMPLETED', value: size + 1 }),
    effects: () => ({ add: 1 }),
  },
} as const satisfies Readonly<Record<string, Shape>>;
