/** The workloads W1 to W6, the same as the peers': see docs/benchmarks.md. */
import { startRun } from 'assent';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fan, sequence } from './flows.ts';
import { round3, type Machine } from './machine.ts';
import type { Processes } from './processes.ts';
import { latency, steps } from './statistics.ts';

export type Sizes = {
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  readonly w4: number;
  readonly w5: number;
};

export const FULL: Sizes = { w1: 300, w2: 1000, w3: 1000, w4: 500, w5: 10_000 };
/** Enough to see that everything still runs. */
export const SMALL: Sizes = { w1: 10, w2: 50, w3: 50, w4: 20, w5: 100 };

const W4_STEPS = 10;
const W4_IN_FLIGHT = 100;
const W6_KILL_AT = 0.45;

type Measured = Record<string, unknown>;

let runs = 0;
async function run(flow: typeof sequence, n: number, times = false): Promise<void> {
  runs += 1;
  const handle = await startRun(flow, { id: `r${String(runs)}`, n, ...(times ? { times } : {}) });
  const result = await handle.result();
  if (result.n !== n) throw new Error(`a flow of ${String(n)} steps says ${JSON.stringify(result)}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** A flow of one task, one after the other: from the start to the result at the caller. */
export async function w1(machine: Machine, n: number): Promise<Measured> {
  for (let i = 0; i < Math.min(20, n); i += 1) await run(sequence, 1);
  await machine.quiet();
  const mark = machine.mark();
  const all: number[] = [];
  const wall = await timed(async () => {
    for (let i = 0; i < n; i += 1) all.push(await timed(() => run(sequence, 1)));
  });
  return { n, wall_s: round3(wall / 1000), ...latency(all), res: machine.since(mark, n) };
}

/** One flow of sequential tasks (W2, and W5 with many). */
export async function sequential(machine: Machine, processes: Processes, n: number): Promise<Measured> {
  await machine.quiet();
  const mark = machine.mark();
  const told = processes.fromWorker<{ type: 'times'; startMs: number; timesMs: number[] }>('times');
  const wall = await timed(() => run(sequence, n, true));
  const { startMs, timesMs } = await told;
  return { n, wall_s: round3(wall / 1000), ...steps(timesMs, startMs), res: machine.since(mark, n) };
}

/** One flow, all tasks at once. */
export async function w3(machine: Machine, n: number): Promise<Measured> {
  await machine.quiet();
  const mark = machine.mark();
  const wall = await timed(() => run(fan, n));
  return { n, wall_s: round3(wall / 1000), tasks_per_s: round3((n * 1000) / wall), res: machine.since(mark, n) };
}

/** Many flows of ten sequential tasks, a hundred in flight. */
export async function w4(machine: Machine, flows: number): Promise<Measured> {
  await machine.quiet();
  const mark = machine.mark();
  const { wall, all } = await manyFlows(flows);
  const tasks = flows * W4_STEPS;
  return {
    n: flows,
    wall_s: round3(wall / 1000),
    flows_per_s: round3((flows * 1000) / wall),
    tasks_per_s: round3((tasks * 1000) / wall),
    ...latency(all),
    res: machine.since(mark, tasks),
  };
}

async function manyFlows(flows: number): Promise<{ wall: number; all: readonly number[] }> {
  const all: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < flows) {
      next += 1;
      all.push(await timed(() => run(sequence, W4_STEPS)));
    }
  };
  const wall = await timed(async () => {
    await Promise.all(Array.from({ length: Math.min(W4_IN_FLIGHT, flows) }, lane));
  });
  return { wall, all };
}

/** W4 with a kill -9 of the worker or of the whole server when 45 % of the bodies were seen; started again at once. */
export async function w6(
  machine: Machine,
  processes: Processes,
  options: { readonly flows: number; readonly victim: 'worker' | 'server'; readonly executions: string },
): Promise<Measured> {
  const { flows, victim, executions } = options;
  await machine.quiet();
  const tasks = flows * W4_STEPS;
  const all = manyFlows(flows);
  while (lines(executions).length < tasks * W6_KILL_AT) await sleep(5);
  await processes.kill(victim);
  const killedMs = performance.now();
  const before = lines(executions).length;
  const again = victim === 'worker' ? processes.startWorker() : processes.startServer();
  let firstMs: number | undefined;
  const watch = setInterval(() => {
    if (firstMs === undefined && lines(executions).length > before) firstMs = performance.now();
  }, 10);
  await again;
  const { wall } = await all;
  clearInterval(watch);
  const distinct = new Set(lines(executions)).size;
  const extra = lines(executions).length - distinct;
  return {
    n: flows,
    wall_s: round3(wall / 1000),
    recovery_s: round3((performance.now() - killedMs) / 1000),
    kill_to_first_task_s: firstMs === undefined ? null : round3((firstMs - killedMs) / 1000),
    executed_at_kill: before,
    executions: lines(executions).length,
    distinct_tasks: distinct,
    tasks_executed_twice_or_more: twice(lines(executions)),
    extra_executions: extra,
    tasks_never_executed: tasks - distinct,
    flows_lost: 0, // A lost flow would never end: the window would fail by its time limit.
  };
}

function lines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

function twice(all: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const line of all) counts.set(line, (counts.get(line) ?? 0) + 1);
  return [...counts.values()].filter((count) => count > 1).length;
}
