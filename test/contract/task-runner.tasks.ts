/** Tasks for the contract of the runners: in this process, in its threads and in worker processes. */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AssentError,
  completed,
  failed,
  flowRun,
  runLogger,
  signal,
  task,
  taskRun,
  type Task,
} from '../../sdk/index.ts';

/** Where a task leaves a trace, whatever process it is in. */
const note = (file: string, line: string): void => {
  appendFileSync(file, `${line}\n`);
};

export const echo = task({ name: 'echo' }, (value: unknown) => value);

export const throws = task({ name: 'throws' }, (what: 'type' | 'assent' | 'own' | 'text') => {
  if (what === 'type') throw new TypeError('no cheese', { cause: new RangeError('too far') });
  if (what === 'assent') throw new AssentError('BAD_PARAMETERS', 'The cheese is wrong.');
  if (what === 'own') throw Object.assign(new Error('mine'), { name: 'CheeseError', code: 'E_CHEESE' });
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- what is thrown need not be an error.
  throw 'just text';
});

export const tellRun = task({ name: 'tell-run', retries: 2 }, (failures: number) => {
  const { attempt, idempotencyKey, id, name, flowRunId } = taskRun();
  if (attempt <= failures) throw new Error(`attempt ${String(attempt)} of ${idempotencyKey}`);
  return { attempt, idempotencyKey, id, name, flowRunId, flow: flowRun().name };
});

export const final = task(
  { name: 'final', retries: 5, retryIf: (error) => !(error instanceof TypeError) },
  (file: string) => {
    note(file, `attempt ${String(taskRun().attempt)}`);
    throw new TypeError('this will not get better');
  },
);

export const patient = task({ name: 'patient', timeout: '1500ms' }, async (file: string) => {
  await untilStopped(file);
});

export const stoppable = task({ name: 'stoppable' }, async (file: string) => {
  await untilStopped(file);
});

async function untilStopped(file: string): Promise<void> {
  note(file, 'begun');
  try {
    await pause(60_000, undefined, { signal: signal() });
  } catch (error) {
    note(file, `stopped: ${(signal().reason as AssentError).kind}`);
    throw error;
  }
}

export const logs = task({ name: 'logs' }, (word: string) => {
  for (let n = 1; n <= 3; n += 1) runLogger().info({ n }, `${word} ${String(n)}`);
});

export const slowly = task({ name: 'slowly' }, async (n: number, file: string) => {
  note(file, '+');
  await pause(100 + 20 * (n % 3));
  note(file, '-');
  return n * n;
});

export const ends = task({ name: 'ends' }, (how: 'completed' | 'failed') =>
  how === 'completed'
    ? completed({ name: 'Skipped', value: 7, message: 'nothing to do' })
    : failed({ error: new RangeError('found nothing') }),
);

/** Nothing reaches it but the end of its thread. */
export const endless = task({ name: 'endless', timeout: '1s' }, (file: string) => {
  note(file, 'begun');
  for (;;);
});

export const exits = task({ name: 'exits' }, () => process.exit(3));

/** Whoever loads this file has not defined it. */
export const definedLater = (): Task<() => number> => task({ name: 'local' }, () => 1);

/** The effect of a task, and the time that it takes. */
export const works = task({ name: 'works' }, async (n: number, file: string, ms: number) => {
  note(file, `begin ${String(n)} ${String(process.pid)}`);
  await pause(ms);
  note(file, `end ${String(n)} ${String(process.pid)}`);
  return n;
});

export const all = [echo, throws, tellRun, final, patient, stoppable, logs, slowly, ends, endless, exits, works];
