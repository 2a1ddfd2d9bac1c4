/**
 * Durable execution for any program: generated flow programs, run by real flows through the public SDK on a real engine,
 * with latencies that differ between executions, killed at every ruling, with the zombie waking up later. The bulk of the
 * processes live in this one and are cut off at their links (cuttable-link.ts); real processes, killed and stopped by
 * signals, are in killed-processes.test.ts. Outside effects are counted in a file.
 *
 * What is promised of a run, and checked (checks.ts, explanation.ts):
 * - It ends as the ledger explains it: the program, run again with nothing but the ends of its calls, in the order in
 *   which the ledger has them, comes to the same outcome, and makes every call that the ledger has. So no execution has
 *   seen what another has not: the flow never diverges.
 * - A task completes once, its effect stands once by the key that outside systems see, and it never runs after that. A
 *   body may run again only as long as its completion was not ruled on.
 * - Whoever was cut off and comes back is FENCED, or hears the run's real outcome; nothing that it asks for is heard.
 * - Nothing is left over: no slot, held proposal, timer or open call.
 * - Where the order in which concurrent calls end cannot show in the outcome, that is the undisturbed run's.
 *
 * What that allows flow functions, across executions: Promise.race, containers and sequences filled in the order of ends,
 * equal calls told apart by their order, errors of which the first counts. The SDK hands ends over in the ledger's order.
 *
 * What is not promised, and not generated: that a race between calls that have not ended comes out the same in another
 * run; flow functions that wait for anything but their calls (timers, files, what subflows share in memory); inputs that
 * cannot be told apart by their contents; that a body which was granted its start before its process was cut off does
 * not run once more when the process wakes (its completion is refused, and outside systems know its key).
 *
 * SEED=<seed> or SEED=<seed>:<path> tries one seed of fast-check, or one program of it; SEEDS=<n> tries n programs.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printed } from './printed.ts';
import { anyProgram } from './programs.ts';
import { Reach } from './reach.ts';
import { tryProgram } from './trial.ts';
import { startUniverse, type RunningUniverse } from './universe.ts';

const [seedText = '', ...path] = (process.env['SEED'] ?? '').split(':');
const SEED = seedText === '' ? 20_261_122 : Number(seedText);
const PROGRAMS = Number(process.env['SEEDS'] ?? 40);
const WORLDS_MAX = 16;
const LANES = 8;
/** Then the engine begins with an empty folder. */
const PROGRAMS_OF_ENGINE = 250;
/** One program of a run, shrunk as far as it gets, is better than none. */
const SHRINK_LIMIT_MS = 10 * 60_000;

let universe: RunningUniverse;

beforeAll(async () => {
  universe = await startUniverse();
});

afterAll(async () => {
  await universe.stop();
});

test(
  'a generated flow that is killed at any ruling ends as if nothing had happened',
  { timeout: 60_000 + PROGRAMS * 30_000 + SHRINK_LIMIT_MS },
  async () => {
    const reach = new Reach();
    let tried = 0;
    let last: string | undefined;
    let failedSinceMs: number | undefined;
    const property = fc.asyncProperty(anyProgram, fc.nat(), async (program, seed) => {
      if (failedSinceMs !== undefined && performance.now() - failedSinceMs > SHRINK_LIMIT_MS) return;
      tried += 1;
      if (tried % PROGRAMS_OF_ENGINE === 0) {
        await universe.stop();
        universe = await startUniverse();
      }
      const failure = await tryProgram(universe, {
        program,
        seed,
        worldsMax: WORLDS_MAX,
        lanes: LANES,
        seen: (report, plan) => {
          reach.see(report, plan);
        },
      });
      if (failure === undefined) return;
      failedSinceMs ??= performance.now();
      last = `${printed(program)}\n\n${failure}`;
      throw new Error('it failed');
    });
    const details = await fc.check(property, {
      seed: SEED,
      numRuns: PROGRAMS,
      ...(path.length === 0 ? {} : { path: path.join(':') }),
    });
    if (details.failed) {
      const again = `SEED=${String(details.seed)}:${details.counterexamplePath ?? ''} npx vitest run test/generated`;
      throw new Error(`A generated program failed (again: ${again})\n\n${last ?? String(details.errorInstance)}`);
    }
    console.log(reach.text());
    if (PROGRAMS >= 40 && process.env['SEED'] === undefined) expect(reach.missing()).toEqual([]);
  },
);
