/**
 * A process that runs flows, for tests that kill it and stop it. What it was answered and what it has done it notes in
 * files, as it happens; started again with the same folder, it goes on where it was: a job that had begun is called
 * again, as a script that is started again does, and finds its unfinished run.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError, disconnect, serve } from '../../sdk/index.ts';
import { Seeded } from '../support/seeded.ts';
import { watchAnswers } from './answers.ts';
import { EFFECTS, mixed, outcomeOf, SHAPES, type Job, type Shape } from './flows.ts';

export type SdkOrder = {
  readonly name: string;
  /** `<name>.jobs`, `<name>.answers` and `effects` lie here. The file `finish` says that enough has begun, `all-over` that all is done. */
  readonly folder: string;
  readonly seed: number;
  /** Jobs at once. */
  readonly lanes: number;
  /** Of which shapes its jobs are, and of which size; left out, of every one. */
  readonly shapes?: readonly Shape[];
  readonly size?: number;
  /** Whether it calls its flows, or starts them for workers, of which it is one. */
  readonly mode: 'SCRIPT' | 'WORKER';
};

/** A line of the jobs file. */
export type JobLine =
  | ({ readonly type: 'BEGUN' } & Job)
  | { readonly type: 'DONE'; readonly job: string; readonly value: unknown }
  | { readonly type: 'AGAIN'; readonly job: string; readonly why: string }
  | { readonly type: 'WRONG'; readonly job: string; readonly why: string };

const order = JSON.parse(process.argv[2] ?? '{}') as SdkOrder;
const jobsFile = join(order.folder, `${order.name}.jobs`);
const answersFile = join(order.folder, `${order.name}.answers`);
process.env[EFFECTS] = join(order.folder, 'effects');

const noteJob = (line: JobLine): void => {
  appendFileSync(jobsFile, `${JSON.stringify(line)}\n`);
};

function linesOf(file: string): JobLine[] {
  if (!existsSync(file)) return [];
  // What a killed process wrote last may be half a line.
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as JobLine);
}

class Jobs {
  readonly #unfinished: Job[];
  #next: number;

  constructor(lines: readonly JobLine[]) {
    const done = new Set(lines.flatMap((line) => (line.type === 'DONE' ? [line.job] : [])));
    const begun = lines.flatMap((line) => (line.type === 'BEGUN' ? [line] : []));
    this.#next = begun.length;
    this.#unfinished = begun.filter(({ job }) => !done.has(job)).map(({ job, shape, size }) => ({ job, shape, size }));
  }

  next(): Job | undefined {
    const left = this.#unfinished.shift();
    if (left !== undefined) return left;
    if (existsSync(join(order.folder, 'finish'))) return undefined;
    const number = this.#next;
    this.#next += 1;
    const dice = new Seeded(order.seed * 10_000 + number);
    const shape = dice.pick(order.shapes ?? SHAPES);
    const job = { job: `${order.name}-${String(number)}`, shape, size: order.size ?? dice.whole(2, 6) };
    noteJob({ type: 'BEGUN', ...job });
    return job;
  }
}

/** Kinds after which a script is started again: what it was at goes on elsewhere, or nobody answers just now. */
const AGAIN: ReadonlySet<string> = new Set(['FENCED', 'ENGINE_UNAVAILABLE', 'NATS_UNREACHABLE', 'REJECTED']);

async function lane(jobs: Jobs): Promise<void> {
  for (let job = jobs.next(); job !== undefined; job = jobs.next()) {
    for (let over = false; !over;) {
      try {
        noteJob({ type: 'DONE', job: job.job, value: await outcomeOf(job, order.mode) });
        over = true;
      } catch (error) {
        over = !(error instanceof AssentError && AGAIN.has(error.kind));
        noteJob({ type: over ? 'WRONG' : 'AGAIN', job: job.job, why: String(error) });
        await pause(20);
      }
    }
  }
}

async function untilItWorks<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof AssentError && AGAIN.has(error.kind))) throw error;
      await pause(100);
    }
  }
}

watchAnswers(answersFile);
process.on('disconnect', () => process.exit(1));
const jobs = new Jobs(linesOf(jobsFile));
const worker = order.mode === 'WORKER' ? await untilItWorks(() => serve([mixed], { slots: 50 })) : undefined;
await Promise.all(Array.from({ length: order.lanes }, () => lane(jobs)));
writeFileSync(join(order.folder, `${order.name}.over`), '');
if (worker !== undefined) {
  // Another's runs may still need this worker.
  while (!existsSync(join(order.folder, 'all-over'))) await pause(50);
  await worker.stop();
}
await disconnect();
process.exit(0);
