/** One world: an engine and its users under load, with faults in flight, and what can be found wrong with it afterwards. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Seeded } from '../support/seeded.ts';
import { placeOf, unreproduced, type LedgerRead } from './ledger-check.ts';
import { finish, setNarrow, settledLedger } from './load.ts';
import { linesOf, problemsOf } from './outside-check.ts';
import { framePlan } from './plan.ts';
import { Rig } from './rig.ts';
import { MOODS, Schedule, type Mood } from './schedule.ts';
import type { AnswerLine } from './answers.ts';

/** What a world met; the worlds between them must meet all of it. */
export type Met = {
  voidSegments: number;
  unknownFatesStored: number;
  answeredFromRecord: number;
  fenced: number;
  takeoversWithTwoInFlight: number;
  republished: number;
};

export type World = { readonly problems: readonly string[]; readonly met: Met; readonly log: readonly string[] };

const FAULTS_MS = 6000;

export async function world(seed: number): Promise<World> {
  const dice = new Seeded(seed);
  const rig = await Rig.start();
  const log: string[] = [];
  const startedMs = performance.now();
  const note = (line: string): void => {
    log.push(`${(performance.now() - startedMs).toFixed(0)} ms: ${line}`);
  };
  try {
    const arbiters = dice.chance(0.75) ? 2 : 1;
    for (let count = 0; count < arbiters; count += 1) await rig.addArbiter();
    await rig.whenActive();
    await setNarrow(rig, dice.whole(1, 3));
    const processes = dice.whole(2, 3);
    const mode = dice.chance(0.5) ? 'SCRIPT' : 'WORKER';
    const mood = dice.pick(Object.keys(MOODS) as Mood[]);
    for (let count = 0; count < processes; count += 1) await rig.addSdk({ seed: seed * 10 + count, lanes: 6, mode });
    note(`${String(arbiters)} arbiters, ${String(processes)} processes (${mode}), trouble for ${mood}`);
    await trouble(rig, dice, { mood, log: note });
    const late = await finish(rig, note);
    const ledger = await settledLedger(rig);
    note(`${String(ledger.rulings.length)} rulings, ${String(ledger.voids.length)} void segments`);
    const names = rig.sdks.map(({ order }) => order.name);
    const problems = [...late, ...problemsOf(rig.folder, names, ledger), ...(await unreproduced(ledger))];
    log.push(...rig.arbiters.flatMap((member) => member.said.map((line) => `${nameOf(rig, member)}: ${line}`)));
    keep(rig, { ledger, problems, log });
    return { problems, met: metBy(rig, ledger), log };
  } finally {
    await rig.end();
  }
}

const nameOf = (rig: Rig, member: Rig['arbiters'][number]): string => `arbiter ${String(rig.arbiters.indexOf(member))}`;

/** Frames are lost and late, and processes are killed and stopped, while everybody is at work. */
async function trouble(
  rig: Rig,
  dice: Seeded,
  { mood, log }: { mood: Mood; log: (line: string) => void },
): Promise<void> {
  const plans = [
    ...rig.arbiters.map((member) => ({ member, plan: framePlan(dice.branch(), { least: 100, most: 1500 }) })),
    ...rig.sdks.map((member) => ({ member, plan: framePlan(dice.branch(), { least: 30, most: 300 }) })),
  ];
  for (const { member, plan } of plans) member.proxy.follow(plan.fateOf);
  await new Schedule(rig, dice, { mood, log }).run(FAULTS_MS);
  for (const { plan } of plans) plan.calm();
  log('calm');
}

/** With `KEEP=folder` in the environment, all that the world has left is kept there for whoever wants to understand it. */
function keep(rig: Rig, { ledger, problems, log }: { ledger: LedgerRead; problems: string[]; log: string[] }): void {
  const folder = process.env['KEEP'];
  if (folder === undefined) return;
  cpSync(rig.folder, folder, { recursive: true });
  writeFileSync(join(folder, 'rulings'), ledger.rulings.map((one) => `${placeOf(one)} ${one.line}\n`).join(''));
  writeFileSync(join(folder, 'problems'), problems.join('\n'));
  writeFileSync(join(folder, 'log'), log.join('\n'));
}

function metBy(rig: Rig, { voids, rulings }: LedgerRead): Met {
  const counters = rig.arbiters.flatMap((member) => member.counted.filter(Boolean));
  const sum = (of: (one: (typeof counters)[number]) => number): number =>
    counters.reduce((all, one) => all + of(one), 0);
  const answers = rig.sdks.flatMap(({ order }) => linesOf<AnswerLine>(join(rig.folder, `${order.name}.answers`)));
  const fenced = rulings.filter(({ ruling }) =>
    ruling.trail.some((entry) => typeof entry === 'object' && entry.code === 'FENCED'),
  );
  return {
    voidSegments: voids.length,
    unknownFatesStored: sum((one) => one.unknownFatesStored),
    answeredFromRecord: sum((one) => one.answeredFromRecord),
    fenced: fenced.length,
    takeoversWithTwoInFlight: sum((one) => one.abandoned.filter((inFlight) => inFlight >= 2).length),
    republished: answers.reduce((all, line) => all + (line.type === 'REPUBLISHED' ? line.count : 0), 0),
  };
}
