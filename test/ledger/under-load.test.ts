/**
 * As only-the-ledger.test.ts, under load and without a word of warning: every process is killed with -9 while it works, the
 * ledger's bytes are put into a fresh nats-server, and nothing else is kept but what the client processes noted for
 * themselves. Started again, they find their runs and end them.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { StoredMessage } from '../../engine/log/port.ts';
import { ensureStreams } from '../../engine/log/streams.ts';
import type { Shape } from '../faults/flows.ts';
import { ledgerOf, readLedger } from '../faults/ledger-check.ts';
import { setNarrow, wrongAtTheEnd } from '../faults/load.ts';
import { Rig } from '../faults/rig.ts';
import { startNats } from '../support/nats.ts';
import { replayedDigests } from './ledger-copy.ts';

/** Those that leave something behind that has to go on: held proposals, timers, open calls. */
const shapes: readonly Shape[] = ['fan', 'timeout', 'nested', 'retry', 'fan', 'timeout'];
/** One segment at a time, so that the state after each one is seen by itself. */
const ONE_BY_ONE = { inFlightMax: 1 };

async function stored(rig: Rig): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for await (const { seq, subject, bytes } of ledgerOf(await rig.server.connect()).read(1)) {
    messages.push({ seq, subject, bytes: Uint8Array.from(bytes) });
  }
  return messages;
}

async function give(rig: Rig, messages: readonly StoredMessage[]): Promise<void> {
  const connection = await rig.server.connect();
  await ensureStreams(connection, { workspace: 'default', durability: 'power' });
  const ledger = ledgerOf(connection);
  for (const { seq, bytes } of messages) {
    expect(await ledger.append(bytes, seq - 1)).toEqual({ type: 'OK', seq });
  }
}

test('everything is killed under load; from the ledger’s bytes alone all goes on, to the same state everywhere', async () => {
  const before = await Rig.start();
  onTestFinished(() => before.end());
  const active = await before.addArbiter({ ...ONE_BY_ONE, alone: true }, true);
  await active.until(() => active.isActive);
  const standby = await before.addArbiter(ONE_BY_ONE, true);
  await standby.until(() => standby.standing.role === 'STANDBY');
  await setNarrow(before, 1);
  // No workers: the hints that were lost with their queue are given again too, but only after a minute.
  for (const seed of [11, 12, 13]) await before.addSdk({ seed, lanes: 6, mode: 'SCRIPT', shapes });
  const ledger = ledgerOf(await before.server.connect());
  await expect.poll(async () => (await ledger.bounds()).last, { timeout: 30_000 }).toBeGreaterThan(150);
  const isPending = async (): Promise<boolean> => {
    const { workspace } = await readLedger(ledger);
    return [workspace.held, workspace.timers, workspace.queues].every((table) => table.size > 0);
  };
  await expect.poll(isPending, { timeout: 10_000, interval: 20 }).toBe(true);

  for (const member of [...before.arbiters, ...before.sdks]) member.signal('SIGKILL');
  const bytes = await stored(before);
  await before.leave();

  const after = new Rig(await startNats({ durability: 'power' }), before.folder);
  onTestFinished(() => after.end());
  await give(after, bytes);
  const restarted = await after.addArbiter({ ...ONE_BY_ONE, alone: true }, true);
  await restarted.until(() => restarted.isActive);
  for (const { order } of before.sdks) await after.addSdk(order);
  expect(await wrongAtTheEnd(after)).toEqual([]);

  const replayed = await replayedDigests(await stored(after));
  const projected = restarted.viewDigests;
  await expect.poll(() => projected.size, { timeout: 10_000 }).toBe(replayed.size);
  for (const [whose, digests] of Object.entries({
    active: active.digests,
    standby: standby.digests,
    'the projector beside it': active.viewDigests,
    'the one that went on': restarted.digests,
    'its projector': projected,
  })) {
    expect(digests.size, whose).toBeGreaterThan(100);
    const wrong = [...digests].filter(([seq, digest]) => replayed.get(seq) !== digest).map(([seq]) => seq);
    expect(wrong, whose).toEqual([]);
  }
});
