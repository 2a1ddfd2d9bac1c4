/** nats-server is killed with -9 under load, again and again: everybody comes back by themselves. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { NatsVersion } from '../support/nats.ts';
import { setNarrow, wrongAtTheEnd } from './load.ts';
import { Rig } from './rig.ts';

describe.each<NatsVersion>(['newest', '2.10'])('nats-server (%s) killed with -9 under load', (version) => {
  let rig: Rig;
  afterEach(() => rig.end());

  test('three times: nothing is lost, nothing is done twice, every run ends', async () => {
    rig = await Rig.start({ version });
    for (let count = 0; count < 2; count += 1) await rig.addArbiter();
    await rig.whenActive();
    await setNarrow(rig, 2);
    await rig.addSdk({ seed: 3, lanes: 6, mode: 'SCRIPT' });
    await rig.addSdk({ seed: 4, lanes: 6, mode: 'WORKER' });
    for (const downMs of [0, 300, 1500]) {
      const { epoch } = (await rig.whenActive()).standing;
      await pause(700);
      await rig.server.kill();
      await pause(downMs);
      await rig.server.start();
      await rig.whenActive(epoch);
    }
    expect(await wrongAtTheEnd(rig)).toEqual([]);
  });
});
