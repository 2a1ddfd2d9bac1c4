/**
 * One program on trial: run undisturbed, then once for each ruling that its process hears, killed at that ruling (a sample
 * of them when there are many). What the processes that were cut off do afterwards is drawn by the seed.
 */
import type { Fate } from './cuttable-link.ts';
import { outcomeText, type Outcome } from './explanation.ts';
import { linesText } from './ledger.ts';
import type { Program } from './program.ts';
import { chanceOf } from './values.ts';
import { runWorld, setWorldLimit, type Life, type Plan, type Report, type Universe } from './world.ts';

export type Trial = {
  readonly program: Program;
  readonly seed: number;
  /** Kill points that are tried at most. */
  readonly worldsMax: number;
  /** Worlds at once. */
  readonly lanes: number;
  /** Hears of every world that is over. */
  readonly seen?: (report: Report, plan: Plan) => void;
};

/** What is wrong, for people; undefined if nothing is. */
export async function tryProgram(universe: Universe, trial: Trial): Promise<string | undefined> {
  const undisturbed = await tryPlan(universe, trial, planOf(trial, []));
  if ('failure' in undisturbed) return undisturbed.failure;
  const { heard, outcome } = undisturbed.report;
  const plans = killPoints(trial, heard).map((at) => planOf(trial, livesFrom(at, heard, trial.seed)));
  let failure: string | undefined;
  const lane = async (): Promise<void> => {
    for (let plan = plans.shift(); plan !== undefined && failure === undefined; plan = plans.shift()) {
      const tried = await tryPlan(universe, trial, plan, outcome);
      if ('failure' in tried) failure ??= tried.failure;
    }
  };
  await Promise.all(Array.from({ length: trial.lanes }, lane));
  return failure;
}

type Tried = { readonly report: Report } | { readonly failure: string };

async function tryPlan(universe: Universe, trial: Trial, plan: Plan, undisturbed?: Outcome): Promise<Tried> {
  const { program, seen } = trial;
  try {
    await setWorldLimit(universe, program, plan.name);
    const report = await runWorld(universe, program, plan);
    seen?.(report, plan);
    const problems = [...report.problems, ...differences(program, report.outcome, undisturbed)];
    return problems.length === 0 ? { report } : { failure: failureText(plan, problems, linesText(report.lines)) };
  } catch (error) {
    return { failure: failureText(plan, [error instanceof Error ? error.message : String(error)]) };
  }
}

/** What an open program comes to depends on the order of ends; its explanation has seen to that. */
function differences(program: Program, outcome: Outcome | undefined, undisturbed: Outcome | undefined): string[] {
  if (program.isOpen || undisturbed === undefined) return [];
  // Which of several failures is the first depends on that order too.
  const isSame =
    undisturbed.type === 'FAILED'
      ? outcome?.type === 'FAILED'
      : outcome !== undefined && outcomeText(outcome, 'hidden') === outcomeText(undisturbed, 'hidden');
  if (isSame) return [];
  const came = outcome === undefined ? 'nothing' : outcomeText(outcome, 'hidden');
  return [`it came to ${came}, undisturbed to ${outcomeText(undisturbed, 'hidden')}`];
}

function failureText({ lives }: Plan, problems: readonly string[], lines = ''): string {
  const processes = lives.map(lifeText);
  return ['Processes:', ...processes, 'the last one lives', 'Problems:', ...problems, 'Ledger:', lines].join('\n  ');
}

function lifeText({ at, fate, lastWords, wakesAt }: Life): string {
  const words = lastWords ? 'with last words' : 'without a word more';
  const wakes =
    fate === 'DEAD'
      ? ''
      : `, wakes ${wakesAt === undefined ? 'at the end' : `at its successor's ruling ${String(wakesAt)}`}`;
  return `${fate} at ruling ${String(at)} ${words}${wakes}`;
}

let worlds = 0;

const planOf = ({ seed }: Trial, lives: readonly Life[]): Plan => ({
  name: `w${String((worlds += 1))}`,
  seed: seed + lives.length,
  lives,
});

/** Every one from "before it hears anything" to the last; or as many as are wanted, the ends always among them. */
function killPoints({ seed, worldsMax }: Trial, heard: number): number[] {
  const all = Array.from({ length: heard + 1 }, (_, at) => at);
  const chance = chanceOf(seed, heard);
  while (all.length > worldsMax) all.splice(1 + Math.floor(chance() * (all.length - 2)), 1);
  return all;
}

const FATES: readonly Fate[] = ['DEAD', 'STOPPED', 'PARTED'];
const SECOND_KILL = 0.3;
const WAKES_EARLY = 0.7;

function livesFrom(at: number, heard: number, seed: number): Life[] {
  const chance = chanceOf(seed, at, heard);
  const within = (count: number): number => Math.floor(chance() * count);
  const life = (ruling: number): Life => ({
    at: ruling,
    // One that has not asked for its run when it falls asleep would begin another when it wakes.
    fate: ruling === 0 ? 'DEAD' : (FATES[within(FATES.length)] ?? 'DEAD'),
    lastWords: chance() < 0.5,
    ...(chance() < WAKES_EARLY ? { wakesAt: within(heard) } : {}),
  });
  const lives = [life(at)];
  // The crash is reported, then the run is claimed: from the second ruling on it has something to lose.
  while (chance() < SECOND_KILL) lives.push(life(2 + within(heard)));
  return lives;
}
