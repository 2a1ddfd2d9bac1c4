/**
 * The same promises as in generated-flows.test.ts, for real processes: scripts and workers that are ended by kill -9, or
 * stopped until their runs went on elsewhere, at a ruling drawn by the seed.
 *
 * SEED=<seed> draws other programs; SEEDS=<n> runs n / 10 worlds, if that is more than usual.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printed } from './printed.ts';
import { runProcesses, type ProcessPlan } from './processes.ts';
import type { ProcessSignal } from './process-main.ts';
import { callsMax, type Program } from './program.ts';
import { anyProgram } from './programs.ts';
import { startUniverse, type RunningUniverse } from './universe.ts';
import { chanceOf } from './values.ts';

const SEED = Number((process.env['SEED'] ?? '').split(':')[0] || 20_261_122);
/** A process costs as much as a hundred worlds in one. */
const WORLDS = Math.max(24, Math.ceil(Number(process.env['SEEDS'] ?? 0) / 10));
const LANES = 6;
const HEARTBEAT_LIMIT_MS = 3000;

let universe: RunningUniverse;

beforeAll(async () => {
  universe = await startUniverse({ heartbeatLimitMs: HEARTBEAT_LIMIT_MS });
});

afterAll(async () => {
  await universe.stop();
});

test(
  'a flow whose process is killed or stopped ends as if nothing had happened',
  { timeout: 120_000 + WORLDS * 20_000 },
  async () => {
    const worthwhile = anyProgram.filter((program) => callsMax(program) > 3);
    const programs = fc.sample(worthwhile, { seed: SEED, numRuns: WORLDS });
    const worlds = programs.map((program, index) => ({ program, plan: planOf(index) }));
    const failures: string[] = [];
    const lane = async (): Promise<void> => {
      for (let next = worlds.shift(); next !== undefined && failures.length === 0; next = worlds.shift()) {
        const problems = await runProcesses(universe, next.program, next.plan);
        if (problems.length > 0) failures.push(failureText(next.program, next.plan, problems));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(failures.join('\n\n')).toBe('');
  },
);

const failureText = (program: Program, plan: ProcessPlan, problems: readonly string[]): string =>
  [
    `again: SEED=${String(SEED)} SEEDS=${String(WORLDS * 10)} npx vitest run test/generated/killed-processes`,
    JSON.stringify(plan),
    printed(program),
    ...problems,
  ].join('\n');

/** Every sixth world is a worker's: there a death is noticed by silence alone where the engine is elsewhere. */
function planOf(index: number): ProcessPlan {
  const chance = chanceOf(SEED, index);
  const as = index % 6 === 5 ? 'WORKER' : 'SCRIPT';
  const signals = [signalOf(chance, index % 3 === 1 ? 'SIGSTOP' : 'SIGKILL')];
  if (chance() < 0.4) signals.push(signalOf(chance, 'SIGKILL'));
  return {
    world: `p${String(index)}`,
    seed: SEED + index,
    as,
    signals,
    ...(chance() < 0.6 ? { wakesAt: Math.floor(chance() * 6) } : {}),
  };
}

function signalOf(chance: () => number, name: ProcessSignal['name']): ProcessSignal {
  return { name, at: 1 + Math.floor(chance() * 14), when: chance() < 0.5 ? 'BEFORE' : 'AFTER' };
}
