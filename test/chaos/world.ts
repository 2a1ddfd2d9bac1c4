/** One world: an engine, workers and scripts, flows of every shape, and a killer; and what is wrong with it afterwards. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stateDigest } from '../../engine/fold/workspace.ts';
import {
  brokenRuns,
  ledgerOf,
  placeOf,
  readLedger,
  repeatedCalls,
  ruledTwice,
  unreproduced,
  type LedgerRead,
} from '../faults/ledger-check.ts';
import { finish, setNarrow, settledLedger } from '../faults/load.ts';
import { linesOf, lostAnswers } from '../faults/outside-check.ts';
import type { AnswerLine } from '../faults/answers.ts';
import { ArbiterMember } from '../faults/processes.ts';
import { Rig, SHORT } from '../faults/rig.ts';
import type { Effect } from './effects.ts';
import { judged } from './judgment.ts';
import { Killer, type Misfortune } from './killer.ts';
import { PLAN, planned, type Plan } from './plan.ts';
import type { JobNote } from './process.ts';
import type { Job, Mode } from './shape.ts';

export type WorldPlan = {
  readonly seed: number;
  readonly flows: number;
  /** For how long flows are begun and processes killed. */
  readonly spanMs: number;
  readonly modes: readonly Mode[];
};

export type World = {
  readonly problems: readonly string[];
  readonly met: readonly Misfortune[];
  readonly shapes: readonly string[];
  /** Runs that lost their process, and went on. */
  readonly crashes: number;
  readonly log: readonly string[];
};

const SLOTS_OF_NARROW = 2;
/** A standby whose digests are to be compared has so long to become active. */
const DIGEST_LIMIT_MS = 15_000;

export async function world({ seed, flows, spanMs, modes }: WorldPlan): Promise<World> {
  const rig = await Rig.start();
  const log: string[] = [];
  const startedMs = performance.now();
  const note = (line: string): void => {
    log.push(`${(performance.now() - startedMs).toFixed(0)} ms: ${line}`);
  };
  try {
    for (let count = 0; count < 2; count += 1) await rig.addArbiter();
    await rig.whenActive();
    await setNarrow(rig, SLOTS_OF_NARROW);
    const plan = planned(seed, { flows, spanMs, modes });
    writeFileSync(join(rig.folder, PLAN), JSON.stringify(plan));
    for (const mode of modes) await rig.addSdk({ seed, lanes: 0, mode }, '../chaos/process.ts');
    const killer = new Killer(rig, seed, note);
    await killer.run(spanMs);
    note('calm');
    const late = await finish(rig, note);
    const ledger = await settledLedger(rig);
    note(`${String(ledger.rulings.length)} rulings, ${String(ledger.voids.length)} void segments`);
    const jobs = Object.values(plan.jobs).flat();
    const problems = [...late, ...problemsOf(rig, { jobs, ledger }), ...(await unreproduced(ledger))];
    problems.push(...(await otherStates(rig)));
    note('judged');
    log.push(...rig.arbiters.flatMap(({ said }, index) => said.map((line) => `arbiter ${String(index)}: ${line}`)));
    keep(rig, { ledger, problems, log, plan });
    const shapes = [...new Set(jobs.map(({ shape }) => shape))];
    return { problems, met: killer.met, shapes, crashes: crashesOn(ledger), log };
  } finally {
    await rig.end();
  }
}

function problemsOf(rig: Rig, { jobs, ledger }: { jobs: readonly Job[]; ledger: LedgerRead }): string[] {
  const of = <T>(kind: string): T[] =>
    rig.sdks.flatMap(({ order }) => linesOf<T>(join(rig.folder, `${order.name}.${kind}`)));
  const answers = of<AnswerLine>('answers');
  const effects = linesOf<Effect>(join(rig.folder, 'effects'));
  return [
    ...judged({ jobs, notes: of<JobNote>('jobs'), answers, effects, ledger }),
    ...ruledTwice(ledger.rulings),
    ...brokenRuns(ledger.rulings),
    ...repeatedCalls(ledger.rulings),
    ...lostAnswers(answers, ledger),
  ];
}

const crashesOn = ({ rulings }: LedgerRead): number =>
  rulings.filter(({ ruling: { proposal, outcome } }) => {
    return proposal.kind !== 'workspace' && proposal.to.type === 'CRASHED' && outcome !== 'rejected';
  }).length;

/**
 * What an arbiter has stored of the fold, through all that befell it, is the fold of the whole ledger: each is started once
 * more from its folder, and says the digest of its state.
 */
async function otherStates(rig: Rig): Promise<string[]> {
  const problems: string[] = [];
  await Promise.all(rig.arbiters.map((member) => member.kill()));
  const connection = await rig.server.connect('digests');
  for (const index of rig.arbiters.keys()) {
    const dataDir = join(rig.folder, `arbiter-${String(index)}`);
    const again = new ArbiterMember(await rig.proxy(), { dataDir, settings: { ...SHORT, alone: true }, digests: true });
    try {
      const limit = pause(DIGEST_LIMIT_MS, undefined, { ref: false });
      await Promise.race([again.until(() => again.digests.size > 0), limit]);
      const [found] = again.digests;
      if (found === undefined) {
        problems.push(`arbiter ${String(index)} told no digest`);
        continue;
      }
      const [seq, digest] = found;
      const { workspace } = await readLedger(ledgerOf(connection), seq);
      if (digest !== stateDigest(workspace))
        problems.push(`arbiter ${String(index)} has another state at ${String(seq)}`);
    } finally {
      await again.kill();
    }
  }
  return problems;
}

type Left = { readonly ledger: LedgerRead; readonly problems: string[]; readonly log: string[]; readonly plan: Plan };

/** With `KEEP=folder` in the environment, all that the world has left is kept there for whoever wants to understand it. */
function keep(rig: Rig, { ledger, problems, log, plan }: Left): void {
  const folder = process.env['KEEP'];
  if (folder === undefined) return;
  cpSync(rig.folder, folder, { recursive: true });
  writeFileSync(join(folder, 'rulings'), ledger.rulings.map((one) => `${placeOf(one)} ${one.line}\n`).join(''));
  writeFileSync(join(folder, 'entries'), ledger.entries.map((one) => `${JSON.stringify(one)}\n`).join(''));
  writeFileSync(join(folder, 'problems'), problems.join('\n'));
  writeFileSync(join(folder, 'log'), log.join('\n'));
  writeFileSync(join(folder, 'jobs'), JSON.stringify(plan, undefined, 1));
}
