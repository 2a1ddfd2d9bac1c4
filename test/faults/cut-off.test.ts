/** Connections that are half closed, or go silent without a word, in either direction, of the arbiter and of a client. */
import { expect, test } from 'vitest';
import { subjects } from '../../protocol/subjects.ts';
import type { Direction, Fate, TcpProxy } from '../support/tcp-proxy.ts';
import { setNarrow, wrongAtTheEnd } from './load.ts';
import { Rig } from './rig.ts';

async function atWork(): Promise<Rig> {
  const rig = await Rig.start();
  const arbiter = await rig.addArbiter({ alone: true });
  await arbiter.until(() => arbiter.isActive);
  await setNarrow(rig, 2);
  await rig.addSdk({ seed: 5, lanes: 6, mode: 'SCRIPT' });
  return rig;
}

/** Frames that pass before it happens. */
const LATER = 150;

/** What happens happens to the connection that proposes, or writes the ledger: a process may have others. */
async function strike(proxy: TcpProxy, direction: Direction, fate: Exclude<Fate, object>): Promise<void> {
  const before = proxy.met[fate];
  let victim = 0;
  let left = LATER;
  proxy.follow((frame) => {
    const { subject = '', operation, connection } = frame;
    const writes = operation === 'HPUB' && subject === subjects.ledger('default');
    if (writes || subject.startsWith('assent.default.propose.')) victim = connection;
    if (connection !== victim || frame.direction !== direction) return 'PASS';
    left -= 1;
    return left === 0 ? fate : 'PASS';
  });
  await expect.poll(() => proxy.met[fate], { timeout: 20_000 }).toBe(before + 1);
}

test('half closed, one after the other: everybody goes on by themselves', async () => {
  const rig = await atWork();
  try {
    for (const member of [...rig.arbiters, ...rig.sdks]) {
      await strike(member.proxy, 'TO_SERVER', 'HALF_CLOSE');
      await strike(member.proxy, 'TO_CLIENT', 'HALF_CLOSE');
    }
    expect(await wrongAtTheEnd(rig)).toEqual([]);
  } finally {
    await rig.end();
  }
});

test.concurrent.each<{ whose: 'arbiter' | 'client'; direction: Direction }>([
  { whose: 'arbiter', direction: 'TO_SERVER' },
  { whose: 'arbiter', direction: 'TO_CLIENT' },
  { whose: 'client', direction: 'TO_SERVER' },
  { whose: 'client', direction: 'TO_CLIENT' },
])('silent without a word, the $whose $direction: it is noticed, and work goes on', async ({ whose, direction }) => {
  const rig = await atWork();
  try {
    const [member] = whose === 'arbiter' ? rig.arbiters : rig.sdks;
    await strike(member!.proxy, direction, 'SILENCE');
    expect(await wrongAtTheEnd(rig)).toEqual([]);
  } finally {
    await rig.end();
  }
});
