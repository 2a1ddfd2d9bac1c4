import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pairs, Recorder, Table, undo, type Journal } from '../../engine/fold/table.ts';

type Change = { readonly what: 'set' | 'delete' | 'add' | 'remove'; readonly key: string; readonly value: string };

const key = fc.constantFrom('a', 'b', 'c');
const change: fc.Arbitrary<Change> = fc.record({
  what: fc.constantFrom('set', 'delete', 'add', 'remove'),
  key,
  // A member may hold a space; a key may not.
  value: fc.constantFrom('x', 'y z', 'z'),
});

test('undoing the newest journals first restores what was before each', () => {
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 8 }), { maxLength: 6 }), (batches) => {
      const recorder = new Recorder();
      const table = new Table<string>('table', recorder);
      const pairs = new Pairs('pairs', recorder);
      const rows = (): unknown => [new Map(table.entries()), new Set([...pairs.entries()].map(([pair]) => pair))];
      const done: { journal: Journal; before: unknown }[] = [];
      for (const batch of batches) {
        const journal: Journal = [];
        done.push({ journal, before: rows() });
        recorder.journal = journal;
        for (const { what, key, value } of batch) {
          if (what === 'set') table.set(key, value);
          else if (what === 'delete') table.delete(key);
          else if (what === 'add') pairs.add(key, value);
          else pairs.remove(key, value);
        }
      }
      for (const { journal, before } of done.reverse()) {
        undo(journal);
        expect(rows()).toEqual(before);
      }
    }),
  );
});

test('nothing is written down while no journal is open', () => {
  const recorder = new Recorder();
  const table = new Table<string>('table', recorder);
  table.set('a', '1');
  recorder.journal = [];
  table.set('a', '2');
  expect(recorder.journal).toHaveLength(1);
});

test('a row that is not in memory is asked for, and not again once it is', () => {
  const asked: string[] = [];
  const table = new Table<string>('table', new Recorder(), (key) => {
    asked.push(key);
    return undefined;
  });
  expect(table.get('a')).toBeUndefined();
  table.set('a', '1');
  expect(table.get('a')).toBe('1');
  expect(asked).toEqual(['a']);
});
