/**
 * Histories that an earlier version wrote, named for what happens in them and for that version. They are never edited: a
 * change that breaks one needs a reader of the old form, or a decision record that says why not. New ones are made by
 * scripts/golden-record.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FOLD_VERSION } from '../../engine/fold/workspace.ts';
import { bytesOf, endOf, readHistory, type GoldenEnd, type GoldenSegment } from './history.ts';

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
    expect({ ...now, fold: 0, digest: '' }).toEqual({ ...end, fold: 0, digest: '' });
    // Another version of the fold keeps other rows; what they mean stays the same.
    if (end.fold === FOLD_VERSION) expect(now.digest).toBe(end.digest);
  });
});
