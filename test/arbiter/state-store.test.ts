/** The settled state in a file: what is read back is what was folded, whatever left the memory in the meantime. */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StateStore } from '../../engine/arbiter/state-store.ts';
import { stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import { chanceOf, Monkey, steps } from '../support/worlds-random.ts';
import { Desk, foldAnew } from '../support/worlds.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assent-store-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A desk whose settled state goes into a store now and then, as an arbiter's does. */
function deskOn(store: StateStore, flushEvery: number): { desk: Desk; asleep: () => string[] } {
  const asleep = (): string[] => [...store.asleep()];
  const workspace = new Workspace((id) => store.fetchRun(id));
  store.load(workspace);
  const desk = new Desk({
    chance: chanceOf(3),
    workspace,
    asleep,
    sealed: (journal, seq) => {
      store.record(journal);
      if (seq % flushEvery === 0) store.flush(seq);
    },
  });
  return { desk, asleep };
}

describe('a state store', () => {
  test('gives back what was folded: in this process, and in the next one', () => {
    let slept = 0;
    fc.assert(
      fc.property(steps(150), fc.integer({ min: 1, max: 7 }), (list, flushEvery) => {
        const path = join(mkdtempSync(join(folder, 'x')), 'state.sqlite');
        const store = new StateStore(path);
        const { desk, asleep } = deskOn(store, flushEvery);
        const monkey = new Monkey(desk);
        for (const step of list) monkey.do(step);
        desk.seal();
        const folded = stateDigest(foldAnew(desk.segments));
        expect(desk.digest).toBe(folded);
        slept += asleep().length;
        store.flush(desk.segments.length);
        store.close();

        const next = new StateStore(path);
        const workspace = new Workspace((id) => next.fetchRun(id));
        next.load(workspace);
        expect(stateDigest(workspace, next.asleep())).toBe(folded);
        next.close();
      }),
      { numRuns: 40 },
    );
    expect(slept).toBeGreaterThan(0);
  });

  test('finds a run that has left the memory, with all that it called, and forgets it again', () => {
    const store = new StateStore(':memory:');
    const { desk, asleep } = deskOn(store, 1);
    const monkey = new Monkey(desk);
    const chance = chanceOf(11);
    for (let i = 0; i < 400; i += 1) {
      monkey.do([0, 0, 0, 0, 0].map(() => Math.floor(chance() * 1000)) as never);
      if (i % 20 === 0) desk.seal();
    }
    desk.seal();
    const [row = ''] = asleep();
    const [, id = ''] = row.split(' ');
    expect(desk.workspace.runs.isPlaced(id)).toBe(false);
    const before = desk.digest;
    expect(desk.run(id)).toMatchObject({ id });
    expect(desk.workspace.runs.isPlaced(id)).toBe(true);
    expect(desk.digest).toBe(before);
  });

  test('that is cleared is as new', () => {
    const store = new StateStore(':memory:');
    const { desk } = deskOn(store, 1);
    desk.ask('s', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
    desk.seal();
    store.clear();
    const workspace = new Workspace();
    store.load(workspace);
    expect(stateDigest(workspace)).toBe(stateDigest(new Workspace()));
  });

  test('of another version of the fold is emptied, to be folded anew', async () => {
    const path = join(folder, 'old.sqlite');
    const store = new StateStore(path);
    const { desk } = deskOn(store, 1);
    desk.ask('s', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
    desk.seal();
    store.close();
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(path);
    db.exec('UPDATE fold SET version = -1');
    db.close();
    const next = new StateStore(path);
    const workspace = new Workspace();
    next.load(workspace);
    expect(workspace.meta.head.seq).toBe(0);
    next.close();
  });
});
