import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startEngine } from '../../engine/main.ts';
import { proposeRaw } from '../support/raw-session.ts';

test('an arbiter whose state is gone begins from the snapshot, and folds only what came after it', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'assent-snapshot-'));
  onTestFinished(() => {
    rmSync(dataDir, { recursive: true, force: true });
  });
  const first = await startEngine({ dataDir });
  const session = await proposeRaw(dataDir);
  for (let slotsMax = 1; slotsMax <= 20; slotsMax += 1) {
    await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax } });
  }
  // What is settled is written within a second; the snapshot copies what is written.
  await expect.poll(() => first.snapshot(), { timeout: 5000 }).toBeGreaterThan(10);
  const later = await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'api', slotsMax: 99 } });
  expect(later.outcome).toBe('accepted');
  await session.close();
  await first.stop();

  rmSync(join(dataDir, 'state'), { recursive: true });
  const said: string[] = [];
  const second = await startEngine({ dataDir, say: (line) => said.push(line) });
  expect(said.join('\n')).toMatch(/the state begins from a snapshot at \d\d/);
  const again = await proposeRaw(dataDir);
  const answer = await again.ask({ kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'api' } });
  expect(answer.seq).toBeGreaterThan(later.seq);
  await again.close();
  await second.stop();
});
