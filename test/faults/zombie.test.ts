/**
 * A process that is stopped until its run went on elsewhere, and then wakes up. It is told that it is fenced, and stops;
 * of what it was granted before, or in its sleep, it begins nothing any more.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateAfter } from '../../protocol/rulings.ts';
import { disconnect, startRun } from '../../sdk/index.ts';
import { expectedOf, mixed, type Effect, type Job } from './flows.ts';
import { brokenRuns, ledgerOf, readLedger, repeatedCalls, ruledTwice, unreproduced } from './ledger-check.ts';
import { linesOf, lostAnswers, wrongEffects } from './outside-check.ts';
import type { SdkMember } from './processes.ts';
import { Rig } from './rig.ts';
import type { AnswerLine } from './answers.ts';

const LONG: Job = { job: 'long', shape: 'sequence', size: 120 };

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
  process.env['ASSENT_URL'] = rig.server.url;
  const arbiter = await rig.addArbiter({ alone: true });
  await arbiter.until(() => arbiter.isActive);
  // Workers without jobs of their own.
  writeFileSync(join(rig.folder, 'finish'), '');
  for (let count = 0; count < 2; count += 1) await rig.addSdk({ seed: 1, lanes: 1, mode: 'WORKER' });
});
afterEach(async () => {
  await disconnect();
  await rig.end();
});

const effects = (): Effect[] => linesOf<Effect>(join(rig.folder, 'effects'));
const begunBy = (member: SdkMember, run: string): number =>
  effects().filter(({ pid, at, key }) => pid === member.child.pid && at === 'BEGIN' && key.startsWith(run)).length;

/** The worker that has begun at least `count` tasks of the run. */
async function executing(run: string, count: number): Promise<SdkMember> {
  const find = (): SdkMember | undefined => rig.sdks.find((member) => begunBy(member, run) >= count);
  await expect.poll(find, { interval: 5, timeout: 20_000 }).toBeDefined();
  return find()!;
}

/** Resolves when the member has executed a run that began after this call. */
async function executesAnother(member: SdkMember): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const run = await startRun(mixed, { job: `small ${String(tries)}`, shape: 'sequence', size: 2 });
    await run.result();
    if (begunBy(member, run.id) > 0) return;
  }
  throw new Error('it takes no work any more');
}

async function expectSound(): Promise<void> {
  const connection = await rig.server.connect();
  const ledger = await readLedger(ledgerOf(connection));
  const answers = rig.sdks.flatMap(({ order }) => linesOf<AnswerLine>(join(rig.folder, `${order.name}.answers`)));
  const { rulings } = ledger;
  expect([...ruledTwice(rulings), ...brokenRuns(rulings), ...repeatedCalls(rulings)]).toEqual([]);
  expect(await unreproduced(ledger)).toEqual([]);
  expect([...lostAnswers(answers, ledger), ...wrongEffects(effects(), answers, ledger)]).toEqual([]);
}

test('stopped in the middle of a task: its report is fenced, and it begins nothing more', async () => {
  const run = await startRun(mixed, LONG);
  const zombie = await executing(run.id, 20);
  zombie.signal('SIGSTOP');
  expect(await run.result()).toBe(expectedOf(LONG));
  const begun = begunBy(zombie, run.id);
  zombie.signal('SIGCONT');

  const answers = join(rig.folder, `${zombie.order.name}.answers`);
  await expect
    .poll(() => linesOf<AnswerLine>(answers).some((line) => 'code' in line && line.code === 'FENCED'))
    .toBe(true);
  await executesAnother(zombie);
  expect(begunBy(zombie, run.id)).toBe(begun);
  await expectSound();
});

test('a start that it was granted before, and hears of when it wakes, is not made use of', async () => {
  const run = await startRun(mixed, LONG);
  const zombie = await executing(run.id, 20);
  // Its next start is granted, and on its way.
  zombie.proxy.hold('TO_CLIENT');
  const ledger = ledgerOf(await rig.server.connect());
  const granted = async (): Promise<number> => {
    const { rulings } = await readLedger(ledger);
    return rulings.filter(({ ruling }) => {
      const { proposal } = ruling;
      const isStart = proposal.kind === 'task' && stateAfter(ruling)?.type === 'RUNNING';
      return isStart && proposal.run.startsWith(run.id);
    }).length;
  };
  await expect.poll(async () => (await granted()) > begunBy(zombie, run.id), { interval: 5 }).toBe(true);
  zombie.signal('SIGSTOP');
  zombie.proxy.release('TO_CLIENT');
  expect(await run.result()).toBe(expectedOf(LONG));
  const begun = begunBy(zombie, run.id);
  zombie.signal('SIGCONT');

  await executesAnother(zombie);
  expect(begunBy(zombie, run.id)).toBe(begun);
  await expectSound();
});
