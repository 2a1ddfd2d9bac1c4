/**
 * A process that begins its share of the plan's flows: a script calls them, a worker starts them for workers, of which it is
 * one. What it was answered and what it has seen of its jobs it notes in files, as it happens; started again with the same
 * folder, it goes on where it was, and has nothing else of its former life.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError, disconnect, serve, startRun } from '../../sdk/index.ts';
import { watchAnswers } from '../faults/answers.ts';
import { linesOf } from '../faults/outside-check.ts';
import type { SdkOrder } from '../faults/sdk-process.ts';
import { EFFECTS } from './effects.ts';
import { PLAN, type Plan, type PlannedJob } from './plan.ts';
import { runHere, type Job, type Shape } from './shape.ts';
import { served, shapeOf } from './shapes.ts';

/** What whoever began a flow sees of its end: the value, or the error as the shapes say it. */
export type Seen = { readonly value?: unknown } | { readonly error: string };

/** A line of the jobs file. */
export type JobNote =
  | { readonly type: 'DONE'; readonly job: string; readonly seen: Seen }
  /** Tried again: what it was at goes on elsewhere, or nobody answered. */
  | { readonly type: 'AGAIN'; readonly job: string; readonly why: string };

const PUSH_EVERY_MS = 150;
const SLOTS = 50;
/** Kinds after which a script is started again. */
const AGAIN: ReadonlySet<string> = new Set(['FENCED', 'ENGINE_UNAVAILABLE', 'NATS_UNREACHABLE', 'REJECTED']);
const isAgain = (error: unknown): boolean => error instanceof AssentError && AGAIN.has(error.kind);

const order = JSON.parse(process.argv[2] ?? '{}') as SdkOrder;
const file = (name: string): string => join(order.folder, name);
const jobsFile = file(`${order.name}.jobs`);
process.env[EFFECTS] = file('effects');

const noteJob = (line: JobNote): void => {
  appendFileSync(jobsFile, `${JSON.stringify(line)}\n`);
};

async function untilItWorks<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isAgain(error)) throw error;
      await pause(100);
    }
  }
}

/** Calls the flow, or starts it and waits for its end, and pushes it meanwhile. */
async function ended(shape: Shape, job: Job): Promise<unknown> {
  if (order.mode === 'SCRIPT') return pushed(shape, job, shape.flow(job), () => runHere(job.job));
  const run = await startRun(shape.flow, job, { key: job.job });
  return pushed(shape, job, run.result(), () => run.id);
}

async function pushed<T>({ push }: Shape, job: Job, end: Promise<T>, runOf: () => string | undefined): Promise<T> {
  if (push === undefined) return end;
  const over = new AbortController();
  const isOver = (): boolean => over.signal.aborted;
  const stop = (): void => {
    over.abort();
  };
  end.then(stop, stop);
  while (!isOver()) {
    await pause(PUSH_EVERY_MS);
    const run = runOf();
    // It is not there yet, or over already, or nobody answers just now.
    if (run !== undefined && !isOver()) await push(run, job).catch(() => undefined);
  }
  return end;
}

async function seenOf(job: Job): Promise<Seen> {
  try {
    return { value: await ended(shapeOf(job.shape), job) };
  } catch (error) {
    if (isAgain(error)) throw error;
    if (error instanceof AssentError) return { error: error.kind };
    return { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

async function begin({ afterMs, ...job }: PlannedJob, beginsNs: bigint): Promise<void> {
  const passedMs = Number((process.hrtime.bigint() - beginsNs) / 1_000_000n);
  if (passedMs < afterMs) await pause(afterMs - passedMs);
  for (;;) {
    try {
      noteJob({ type: 'DONE', job: job.job, seen: await seenOf(job) });
      return;
    } catch (error) {
      noteJob({ type: 'AGAIN', job: job.job, why: String(error) });
      await pause(50);
    }
  }
}

watchAnswers(file(`${order.name}.answers`));
process.on('disconnect', () => process.exit(1));
const plan = JSON.parse(readFileSync(file(PLAN), 'utf8')) as Plan;
const done = new Set(linesOf<JobNote>(jobsFile).flatMap(({ type, job }) => (type === 'DONE' ? [job] : [])));
const own = (plan.jobs[order.name] ?? []).filter(({ job }) => !done.has(job));
const worker = order.mode === 'WORKER' ? await untilItWorks(() => serve(served(), { slots: SLOTS })) : undefined;
await Promise.all(own.map((job) => begin(job, BigInt(plan.beginsNs))));
// As long as there is somebody who kills, there is somebody to be killed.
while (!existsSync(file('finish'))) await pause(50);
writeFileSync(file(`${order.name}.over`), '');
if (worker !== undefined) {
  // Another's runs may still need this worker.
  while (!existsSync(file('all-over'))) await pause(50);
  await worker.stop();
}
await disconnect();
process.exit(0);
