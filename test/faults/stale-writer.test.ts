/**
 * An arbiter that writes on after another took over. Its first late segment is refused, but the server compares sequences
 * only: the next ones fit again and are stored. They must be void for every reader, and nobody is answered for them.
 */
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Answer } from '../../protocol/messages.ts';
import { rawSession } from '../support/raw-session.ts';
import { ledgerOf, placeOf, readLedger, ruledTwice, unreproduced } from './ledger-check.ts';
import { Rig } from './rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.end());

test('segments that were held up until another arbiter had taken over are void, and it goes on', async () => {
  const first = await rig.addArbiter({ alone: true });
  await first.until(() => first.isActive);
  const second = await rig.addArbiter();
  await second.until(() => second.standing.role === 'STANDBY');
  const connection = await rig.server.connect();
  const session = await rawSession(connection, 'default', 'sdk');
  const answers: Answer[] = [];
  let asking = 0;
  const ask = (): void => {
    asking += 1;
    void session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'any', slotsMax: 1 } }).then((answer) => {
      answers.push(answer);
      asking -= 1;
    });
  };
  const load = setInterval(ask, 5);
  onTestFinished(() => {
    clearInterval(load);
  });
  await expect.poll(() => answers.length).toBeGreaterThan(20);

  first.proxy.hold('TO_SERVER');
  await second.until(() => second.isActive);
  first.proxy.release('TO_SERVER');
  // The late segments take places that the new one counted on, so who leads in the end is open.
  await first.until(() => (first.counted.at(-1)?.abandoned.length ?? 0) > 0);
  await rig.whenActive(1);
  const before = answers.length;
  await expect.poll(() => answers.length).toBeGreaterThan(before + 20);
  clearInterval(load);
  await expect.poll(() => asking).toBe(0);

  const ledger = await readLedger(ledgerOf(connection));
  expect(ledger.voids.length).toBeGreaterThan(0);
  expect(ruledTwice(ledger.rulings)).toEqual([]);
  expect(await unreproduced(ledger)).toEqual([]);
  const places = new Map(ledger.rulings.map((one) => [placeOf(one), one.ruling]));
  for (const answer of answers) {
    const ruling = places.get(placeOf(answer));
    expect([ruling?.proposal.id, ruling?.outcome]).toEqual([`${session.id}:${String(answer.counter)}`, answer.outcome]);
  }
  for (const member of [first, second]) {
    expect(member.said.join('\n')).not.toContain('LEDGER_BROKEN');
    await expect.poll(() => member.counted.at(-1)?.voidSegments).toBe(ledger.voids.length);
  }
});
