/** A changed byte of a stored segment: LEDGER_BROKEN at exactly that sequence, for a reader and for an engine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startEngine } from '../../engine/main.ts';
import { chainOver } from '../../engine/fold/chain.ts';
import type { StoredMessage } from '../../engine/log/port.ts';
import { proposeRaw } from '../support/raw-session.ts';
import { chanceOf } from '../support/worlds-random.ts';
import { giveLedger, inMemory, takeLedger } from './ledger-copy.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const FLIPS = 100;
let ledger: readonly StoredMessage[] = [];
const dataDir = mkdtempSync(join(tmpdir(), 'assent-broken-'));

beforeAll(async () => {
  const engine = await startEngine({ dataDir });
  const session = await proposeRaw(dataDir);
  for (let slotsMax = 1; slotsMax <= 120; slotsMax += 1) {
    await session.ask({
      kind: 'workspace',
      event: { type: 'LIMIT_SET', limit: `limit-${String(slotsMax % 7)}`, slotsMax },
    });
  }
  await session.close();
  ledger = await takeLedger(dataDir);
  await engine.stop();
});

afterAll(() => {
  rmSync(dataDir, { recursive: true, force: true });
});

function flipped(damaged: number, byte: number, bit: number): readonly StoredMessage[] {
  return ledger.map((message) => {
    if (message.seq !== damaged) return message;
    const bytes = Uint8Array.from(message.bytes);
    const at = byte % bytes.length;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
    return { ...message, bytes };
  });
}

async function verify(messages: readonly StoredMessage[]): Promise<string> {
  const chain = chainOver(inMemory(messages), { seq: 0, hash: '' });
  for (const message of messages) {
    try {
      await chain.take(message);
    } catch (error) {
      return String(error);
    }
  }
  return 'whole';
}

test(`one flipped bit in each of ${String(FLIPS)} entries is found at its sequence (again: SEED=${String(SEED)})`, async () => {
  expect(await verify(ledger)).toBe('whole');
  const chance = chanceOf(SEED);
  for (let flip = 0; flip < FLIPS; flip += 1) {
    const damaged = 1 + Math.floor(chance() * ledger.length);
    const said = await verify(flipped(damaged, Math.floor(chance() * 1e6), Math.floor(chance() * 8)));
    expect(said).toContain(`broken at sequence ${String(damaged)}:`);
  }
});

test('an engine that finds a damaged segment says where, and does not write on', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'assent-broken-live-'));
  onTestFinished(() => {
    rmSync(copy, { recursive: true, force: true });
  });
  const damaged = Math.floor(ledger.length / 2);
  await giveLedger(copy, flipped(damaged, 300, 3));
  const said: string[] = [];
  const roles: string[] = [];
  const engine = await startEngine({
    dataDir: copy,
    say: (line) => said.push(line),
    onRole: (role) => roles.push(role),
  });
  expect(roles).toContain('BROKEN');
  expect(roles).not.toContain('ACTIVE');
  expect(said.join('\n')).toContain(`broken at sequence ${String(damaged)}:`);
  expect((await takeLedger(copy)).length).toBe(ledger.length);
  await engine.stop();
});
