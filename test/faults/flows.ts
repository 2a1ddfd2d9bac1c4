/**
 * Flows of every shape for the worlds with faults. What each must give is known beforehand, whatever happens in between,
 * and every task's body notes its begin and its end in a file under its idempotency key.
 */
import { randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError, cancelRun, flow, flowRun, signal, startRun, task, taskRun } from '../../sdk/index.ts';

export type Job = {
  /** Unique in its world; a process that starts again finds its unfinished run by it. */
  readonly job: string;
  readonly shape: Shape;
  /** How many of whatever the shape has. */
  readonly size: number;
};

export const SHAPES = [
  'sequence',
  'fan',
  'retry',
  'timeout',
  'nested',
  'race',
  'caught',
  'large',
  'again',
  'cancelled',
] as const;
/** `bulky` is only for a store that is to be filled. */
export type Shape = (typeof SHAPES)[number] | 'bulky';

/** A line of the effects file. */
export type Effect = {
  readonly key: string;
  readonly at: 'BEGIN' | 'END';
  readonly attempt: number;
  readonly pid: number;
  /** On the machine's monotonic clock, which all its processes share. */
  readonly ns: string;
};

export const EFFECTS = 'FAULTS_EFFECTS';
/** The name of the limit that `setLimit` bounds in each world. */
export const NARROW = 'narrow';
const LARGE_CHARACTERS = 20_000;

function note(at: Effect['at']): void {
  const file = process.env[EFFECTS];
  if (file === undefined) return;
  const { idempotencyKey: key, attempt } = taskRun();
  const effect: Effect = { key, at, attempt, pid: process.pid, ns: String(process.hrtime.bigint()) };
  appendFileSync(file, `${JSON.stringify(effect)}\n`);
}

/** A body that is seen from outside, and whose length is left to chance: nothing may depend on it. */
async function work<T>(value: () => T): Promise<T> {
  note('BEGIN');
  await pause(Math.random() * 15);
  const made = value();
  note('END');
  return made;
}

const add = task({ name: 'add' }, (sum: number, index: number) => work(() => sum + index));
const narrow = task({ name: 'narrow', limits: [NARROW] }, (index: number) => work(() => index * index));
const flaky = task({ name: 'flaky', retries: 30, retryDelay: '20ms', retryJitter: 0.5 }, (index: number) =>
  work(() => {
    // A crash costs an attempt too, so a later one may be the first that gets here.
    if (taskRun().attempt <= 2) throw new Error(`not yet ${String(index)}`);
    return index;
  }),
);
const patient = task({ name: 'patient', retries: 30, timeout: '150ms' }, async (index: number) => {
  note('BEGIN');
  if (taskRun().attempt === 1) await pause(2000, undefined, { signal: signal() });
  note('END');
  return index;
});
const hopeless = task({ name: 'hopeless' }, (index: number) =>
  work(() => {
    throw new RangeError(`never ${String(index)}`);
  }),
);
const large = task({ name: 'large' }, (index: number) => work(() => String(index).repeat(LARGE_CHARACTERS)));
const quick = task({ name: 'quick' }, (text: string) => work(() => text));
const bulky = task({ name: 'bulky' }, (index: number) => work(() => `${String(index)} ${noise()}`));
const slow = task({ name: 'slow' }, async () => {
  note('BEGIN');
  await pause(300, undefined, { signal: signal() }).catch(() => undefined);
  note('END');
  return 'one of them';
});
const endless = task({ name: 'endless' }, async () => {
  note('BEGIN');
  await pause(600_000, undefined, { signal: signal() });
});

/** Fits inline, and does not pack. */
const noise = (): string => randomBytes(BULK_BYTES / 2).toString('hex');
const BULK_BYTES = 12_000;

const numbers = (size: number): number[] => Array.from({ length: size }, (_, index) => index);
const sumOf = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0);

const child = flow({ name: 'child' }, async ({ from, size }: { from: number; size: number }) => {
  const squares = await Promise.all(numbers(size).map((index) => add(from, index)));
  return sumOf(squares);
});

const stubborn = flow({ name: 'stubborn', retries: 30 }, async ({ size }: { size: number }) => {
  const sum = await add(size, 1);
  if (flowRun().attempt === 1) throw new Error('not at the first attempt');
  return sum;
});

const bodies: Readonly<Record<Shape, (size: number) => Promise<unknown>>> = {
  sequence: async (size) => {
    let sum = 0;
    for (const index of numbers(size)) sum = await add(sum, index);
    return sum;
  },
  fan: async (size) => sumOf(await Promise.all(numbers(3 * size).map((index) => narrow(index)))),
  retry: async (size) => sumOf(await Promise.all(numbers(size).map((index) => flaky(index)))),
  timeout: async (size) => sumOf(await Promise.all(numbers(Math.min(size, 3)).map((index) => patient(index)))),
  nested: async (size) => sumOf(await Promise.all([child({ from: 1, size }), child({ from: 2, size })])),
  race: async (size) => {
    const first = await Promise.race([slow(), quick('one of them')]);
    return `${first} of ${String(size)}`;
  },
  caught: async (size) => {
    const caught: string[] = [];
    for (const index of numbers(Math.min(size, 3))) {
      await hopeless(index).catch((error: unknown) => caught.push(error instanceof Error ? error.name : 'nothing'));
    }
    return caught.join(' ');
  },
  large: async (size) => (await large(size)).length + (await add(size, size)),
  again: (size) => stubborn({ size }),
  bulky: async (size) => {
    for (const index of numbers(size)) await bulky(index);
    return size;
  },
  cancelled: async () => {
    const waiting = endless();
    await cancelRun(flowRun().id, 'it asked for it');
    return waiting;
  },
};

const expected: Readonly<Record<Shape, (size: number) => unknown>> = {
  sequence: (size) => sumOf(numbers(size)),
  fan: (size) => sumOf(numbers(3 * size).map((index) => index * index)),
  retry: (size) => sumOf(numbers(size)),
  timeout: (size) => sumOf(numbers(Math.min(size, 3))),
  nested: (size) => sumOf(numbers(size).flatMap((index) => [1 + index, 2 + index])),
  race: (size) => `one of them of ${String(size)}`,
  caught: (size) =>
    numbers(Math.min(size, 3))
      .map(() => 'RangeError')
      .join(' '),
  large: (size) => String(size).length * LARGE_CHARACTERS + 2 * size,
  again: (size) => size + 1,
  bulky: (size) => size,
  cancelled: () => 'CANCELLED',
};

/** What the job gives, or the kind of the error with which it ends. */
export const expectedOf = ({ shape, size }: Job): unknown => expected[shape](size);

/** The one flow of the worlds: a run's parameters say what it does. */
export const mixed = flow({ name: 'mixed' }, async ({ shape, size }: Job) => bodies[shape](size));

/** As {@link expectedOf}, from a real run, called here or started for a worker; throws what is to be tried again. */
export async function outcomeOf(job: Job, mode: 'SCRIPT' | 'WORKER'): Promise<unknown> {
  try {
    if (mode === 'SCRIPT') return await mixed(job);
    const run = await startRun(mixed, job, { key: job.job });
    return await run.result();
  } catch (error) {
    if (job.shape === 'cancelled' && error instanceof AssentError && error.kind === 'CANCELLED') return error.kind;
    throw error;
  }
}
