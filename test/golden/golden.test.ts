/**
 * Histories that an earlier version wrote, named for what happens in them and for that version. They are never edited: a
 * change that breaks one needs a reader of the old form, or a decision record that says why not. New ones are made by
 * scripts/golden-record.ts. The policies that they were ruled by lie in policies/, each under the digest that the rulings
 * name, as the sources that they were in that version.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FOLD_VERSION } from '../../engine/fold/workspace.ts';
import { loadBundle } from '../../engine/policy/index.ts';
import { replayLedger, type JudgesOf } from '../../engine/replay/replay.ts';
import { storedOn } from '../../engine/replay/stored.ts';
import { court, type Policies } from '../../rules/judge.ts';
import { problemsIn } from '../support/replayed.ts';
import { bytesOf, endOf, logOf, readHistory, type GoldenEnd, type GoldenSegment } from './history.ts';

const folder = new URL('.', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));

test('there are histories', () => {
  expect(names).not.toEqual([]);
});

describe.each(names)('%s', (name) => {
  const lines = readFileSync(new URL(name, folder), 'utf8').trim().split('\n');
  const golden = lines.map((line) => JSON.parse(line) as GoldenSegment | GoldenEnd);
  const end = golden.at(-1) as GoldenEnd;
  const segments = (golden.slice(0, -1) as GoldenSegment[]).map(bytesOf);

  test('is still a ledger from its first segment to its last', async () => {
    expect((await readHistory(segments)).counted).toBe(segments.length);
  });

  test('still folds to the state that it ended in', async () => {
    const now = endOf((await readHistory(segments)).workspace);
    expect(comparable(now, end.fold)).toEqual(comparable(end, end.fold));
    // Another version of the fold keeps other rows; what they mean stays the same.
    if (end.fold === FOLD_VERSION) expect(now.digest).toBe(end.digest);
  });

  test('still comes out ruling by ruling, byte for byte, under the rules of its time', async () => {
    // Facts that this version gathers may have come since; those that were recorded are what was judged.
    const report = await replayLedger(storedOn(logOf(segments)), { judgesOf: policyOfItsTime });
    expect(problemsIn(report)).toEqual([]);
    expect(report.reproduced + report.unjudged).toBe(end.rulings);
    expect(report.reproduced).toBeGreaterThan(0);
  });
});

/**
 * Since version 3 of the fold, a call that is made again after it ended counts its retries anew, and a run that goes on
 * after a pause goes on with its attempt: in older histories, these two numbers have come to mean something else.
 */
function comparable(end: GoldenEnd, writtenBy: number): Omit<GoldenEnd, 'fold' | 'digest'> {
  const { fold: _, digest: __, ...known } = end;
  if (writtenBy >= 3) return known;
  const runs = Object.entries(known.runs).map(([id, run]) => [id, run.replace(/ a\d+ r\d+/, '')]);
  return { ...known, runs: Object.fromEntries(runs) as GoldenEnd['runs'] };
}

const policyOfItsTime: JudgesOf = async (policy) => {
  const bundle = new URL(`policies/${policy}.js`, folder);
  if (existsSync(bundle)) {
    const loaded = loadBundle(readFileSync(bundle, 'utf8'), { trusted: true });
    expect(loaded.digest.slice(0, 16)).toBe(policy);
    return loaded;
  }
  const file = new URL(`policies/${policy}.mjs`, folder);
  if (!existsSync(file)) return undefined;
  const { policies } = (await import(file.href)) as { policies: Partial<Policies> };
  const theCourt = court(policies);
  return { courtOf: () => theCourt };
};
