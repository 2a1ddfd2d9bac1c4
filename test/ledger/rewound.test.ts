/** The store folder put back to an earlier copy: LEDGER_REWOUND, recorded, and one history. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startEngine } from '../../engine/main.ts';
import type { EpochEntry } from '../../protocol/rulings.ts';
import { decodeEntry, decodeSegment } from '../../protocol/segment.ts';
import { proposeRaw } from '../support/raw-session.ts';
import { replayedDigests, takeLedger } from './ledger-copy.ts';

async function setLimits(dataDir: string, limit: string, many: number): Promise<void> {
  const session = await proposeRaw(dataDir);
  for (let slotsMax = 1; slotsMax <= many; slotsMax += 1) {
    const { outcome } = await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax } });
    expect(outcome).toBe('accepted');
  }
  await session.close();
}

test('an engine that knows a later ledger than the one it finds says so, records what is lost, and goes on', async () => {
  const root = mkdtempSync(join(tmpdir(), 'assent-rewound-'));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const dataDir = join(root, 'data');
  const first = await startEngine({ dataDir });
  await setLimits(dataDir, 'early', 5);
  await first.stop();
  cpSync(join(dataDir, 'nats'), join(root, 'backup'), { recursive: true });

  const second = await startEngine({ dataDir });
  await setLimits(dataDir, 'lost', 7);
  const known = (await takeLedger(dataDir)).length;
  await second.stop();
  rmSync(join(dataDir, 'nats'), { recursive: true });
  cpSync(join(root, 'backup'), join(dataDir, 'nats'), { recursive: true });

  const said: string[] = [];
  const digests = new Map<number, string>();
  const third = await startEngine({
    dataDir,
    say: (line) => said.push(line),
    settings: { inFlightMax: 1 },
    onDigest: (seq, digest) => digests.set(seq, digest),
  });
  expect(said.join('\n')).toContain('LEDGER_REWOUND');
  await setLimits(dataDir, 'after', 3);
  const ledger = await takeLedger(dataDir);
  const epochs = ledger.flatMap(({ bytes }) => {
    const decoded = decodeSegment(bytes);
    const entries = decoded.ok ? decoded.segment.lines.map(decodeEntry) : [];
    return entries.filter((entry): entry is EpochEntry => entry.type === 'EPOCH');
  });
  expect(epochs.at(-1)?.rewound).toMatchObject({ seq: known });
  expect(epochs.slice(0, -1).every(({ rewound }) => rewound === undefined)).toBe(true);
  const replayed = await replayedDigests(ledger);
  expect([...digests]).toEqual([...replayed].slice(-digests.size));
  await third.stop();
});
