/** The keeper of the arbiter's thread, when the thread never gets anywhere. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startEngine } from '../../engine/main.ts';
import { freePort } from '../../engine/server/free-port.ts';

test('an engine whose server is not there says so, and does not wait for a thread that has ended already', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'assent-keeper-'));
  try {
    const url = `nats://127.0.0.1:${String(await freePort())}`;
    await expect(startEngine({ url, dataDir })).rejects.toMatchObject({ name: 'AssentError' });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
