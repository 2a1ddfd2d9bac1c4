/**
 * The store is full. Of the ledger: nothing more is ruled on, the engine says why, nothing settled is lost, and everything
 * goes on when there is room again. Of the proposals: what is ruled on makes room by itself.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterEach, expect, test } from 'vitest';
import { ensureStreams, type StreamsOptions } from '../../engine/log/streams.ts';
import { streams } from '../../protocol/subjects.ts';
import { ledgerOf } from './ledger-check.ts';
import { wrongAtTheEnd } from './load.ts';
import { Rig } from './rig.ts';

const MB = 1_000_000;
const small = (proposals: number): NonNullable<StreamsOptions['limits']> => ({
  proposals: { maxBytes: proposals * MB },
  work: { maxBytes: MB },
  logs: { maxBytes: MB },
  events: { maxBytes: MB },
});

/** To fill a disk takes what it takes; a busy machine takes longer. */
const LIMIT_MS = 240_000;

let rig: Rig;
afterEach(() => rig.end());

async function begin(maxFileStore: string, proposals: number): Promise<void> {
  rig = await Rig.start({ maxFileStore });
  const connection = await rig.server.connect();
  // What exists keeps its limits.
  await ensureStreams(connection, { workspace: 'default', durability: 'power', limits: small(proposals) });
  const arbiter = await rig.addArbiter({ alone: true });
  await arbiter.until(() => arbiter.isActive);
}

test(
  'a full ledger: the engine says so, once in a while; with more room, all goes on',
  { timeout: LIMIT_MS },
  async () => {
    // 43 MB are kept for the other streams; a few are left for the ledger.
    await begin('48MB', 40);
    const [arbiter] = rig.arbiters;
    await rig.addSdk({ seed: 1, lanes: 4, mode: 'SCRIPT', shapes: ['bulky'], size: 40 });
    const refusals = (): string[] => arbiter!.said.filter((line) => line.includes('1011 STREAM_REFUSED'));
    await expect.poll(() => refusals().length, { timeout: LIMIT_MS / 2 }).toBeGreaterThan(2);
    expect(refusals()[0]).toContain('insufficient');
    const ledger = ledgerOf(await rig.server.connect());
    const { last } = await ledger.bounds();
    const saidBefore = arbiter!.said.length;
    await expect.poll(() => refusals().length, { timeout: LIMIT_MS / 4 }).toBeGreaterThan(4);
    // It does not write itself full with complaints, nor the ledger with anything.
    expect(arbiter!.said.length - saidBefore).toBeLessThan(20);
    expect((await ledger.bounds()).last).toBe(last);

    await rig.server.kill();
    await rig.server.start('1GB');
    await arbiter!.until(() => arbiter!.isActive);
    expect(await wrongAtTheEnd(rig)).toEqual([]);
  },
);

test('full proposals: what is ruled on is forgotten, and the others find room', { timeout: LIMIT_MS }, async () => {
  await begin('1GB', 2);
  await rig.addSdk({ seed: 2, lanes: 4, mode: 'SCRIPT', shapes: ['bulky'], size: 60 });
  const connection = await rig.server.connect();
  const manager = await jetstreamManager(connection);
  const first = async (): Promise<number> => (await manager.streams.info(streams.proposals('default'))).state.first_seq;
  // Far more than it holds at once has been proposed.
  await expect.poll(first, { timeout: LIMIT_MS / 2 }).toBeGreaterThan(300);
  expect(await wrongAtTheEnd(rig)).toEqual([]);
});
