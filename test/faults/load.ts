/** Setting processes to work in a rig, and bringing their work to its end. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { rawSession } from '../support/raw-session.ts';
import { NARROW } from './flows.ts';
import { ledgerOf, leftovers, readLedger, unreproduced, type LedgerRead } from './ledger-check.ts';
import { problemsOf } from './outside-check.ts';
import type { Rig } from './rig.ts';

const FINISH_LIMIT_MS = 40_000;
const SETTLE_LIMIT_MS = 15_000;

/** Bounds the limit that the flows ask for. */
export async function setNarrow(rig: Rig, slots: number): Promise<void> {
  const operator = await rawSession(await rig.server.connect('operator'), 'default', 'sdk');
  await operator.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: NARROW, slotsMax: slots } });
}

/** Everybody ends what was begun; says who could not. */
export async function finish(rig: Rig, note: (line: string) => void = () => undefined): Promise<string[]> {
  writeFileSync(join(rig.folder, 'finish'), '');
  void allowToEnd(rig);
  const limit = pause(FINISH_LIMIT_MS, undefined, { ref: false });
  const problems: string[] = [];
  for (const member of rig.sdks) {
    const { name } = member.order;
    await Promise.race([member.ended(), limit]);
    if (!member.hasEnded) problems.push(`process ${name} did not finish`);
    else if (member.child.exitCode !== 0) problems.push(`process ${name} ended with ${String(member.child.exitCode)}`);
    note(`${name} has finished`);
  }
  return problems;
}

/** A worker that has no job of its own any more may still be needed by others. */
async function allowToEnd({ folder, sdks }: Rig): Promise<void> {
  const isOver = (): boolean => sdks.every(({ order }) => existsSync(join(folder, `${order.name}.over`)));
  while (existsSync(folder) && !isOver()) await pause(50);
  if (existsSync(folder)) writeFileSync(join(folder, 'all-over'), '');
}

/** The ledger as soon as nothing is left to be done, or when that takes too long. */
export async function settledLedger(rig: Rig): Promise<LedgerRead> {
  const ledger = ledgerOf(await rig.server.connect('checker'));
  const untilMs = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const read = await readLedger(ledger);
    if (leftovers(read).length === 0 || performance.now() > untilMs) return read;
    await pause(200);
  }
}

/** Ends the work, and says what is wrong with what it left. */
export async function wrongAtTheEnd(rig: Rig): Promise<string[]> {
  const late = await finish(rig);
  const names = rig.sdks.map(({ order }) => order.name);
  const ledger = await settledLedger(rig);
  return [...late, ...problemsOf(rig.folder, names, ledger), ...(await unreproduced(ledger))];
}
