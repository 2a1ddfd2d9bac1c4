import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import type { Log } from '../../engine/log/port.ts';
import { answerRulings } from '../../engine/projections/answer-rulings.ts';
import { Bodies } from '../../engine/projections/bodies.ts';
import { Projector, type ProjectorParts } from '../../engine/projections/projector.ts';
import type { ViewFile } from '../../engine/projections/view-file.ts';
import { stateDigest } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import { History } from './history.ts';

const folder = mkdtempSync(join(tmpdir(), 'assent-view-'));
const open: Projector[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((projector) => projector.stop()));
});
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
const newPath = (): string => join(folder, `${String((files += 1))}.sqlite`);

function projectorOf(ledger: Log, path: string, more: Partial<ProjectorParts> = {}): Projector & { lines: string[] } {
  const lines: string[] = [];
  const say = (line: string): number => lines.push(line);
  const projector = new Projector({ ledger, path, say, flushMs: 5, ...more });
  open.push(projector);
  projector.start();
  return Object.assign(projector, { lines });
}

async function stop(projector: Projector): Promise<void> {
  open.splice(open.indexOf(projector), 1);
  await projector.stop();
}

/** All rows of a view, but for the time at which the segments were folded. */
const contents = (view: ViewFile): unknown =>
  ['runs', 'rulings', 'segments', 'voids', 'epochs', 'held', 'limits', 'slots', 'sessions', 'counters'].map((table) =>
    view
      .all(`SELECT * FROM ${table}`)
      .map((row) => JSON.stringify(row))
      .sort(),
  );

const reached = async (projector: Projector, seq: number): Promise<void> => {
  expect(await projector.reached(seq, 5000)).toBe(true);
};

/** Resolves when it holds; the event is the projector's own, at its next turn. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
};

describe('the projector', () => {
  test('goes on where it was when it is started again', async () => {
    const history = new History(7).grow(100);
    const path = newPath();
    const first = projectorOf(history.log, path);
    await reached(first, history.seq);
    const before = history.rulings.length;
    await stop(first);
    history.grow(50);
    const second = projectorOf(history.log, path);
    await reached(second, history.seq);
    expect(second.cost.foldedRulings).toBe(history.rulings.length - before);
    const fresh = projectorOf(history.log, newPath());
    await reached(fresh, history.seq);
    expect(contents(second.serving)).toEqual(contents(fresh.serving));
  });

  test('writes nothing while nobody waits, and at once when somebody does', async () => {
    const history = new History(8);
    const projector = projectorOf(history.log, newPath(), { flushMs: 3_600_000 });
    await reached(projector, history.seq);
    const { seq } = projector;
    history.grow(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(projector.seq).toBe(seq);
    await reached(projector, history.seq);
    expect(projector.seq).toBe(history.seq);
    expect(await projector.reached(history.seq + 1, 10)).toBe(false);
  });

  test('counts segments of a stale writer as void, once, also when it meets them again', async () => {
    const history = new History(9).grow(20);
    history.addVoid();
    history.addVoid();
    const path = newPath();
    const first = projectorOf(history.log, path);
    await reached(first, history.seq);
    await stop(first);
    const second = projectorOf(history.log, path);
    await reached(second, history.seq);
    expect(second.serving.one('SELECT count(*) AS count FROM voids')).toEqual({ count: 2 });
  });

  test('folds a rewound ledger anew', async () => {
    const history = new History(10).grow(120);
    const projector = projectorOf(history.log, newPath());
    await reached(projector, history.seq);
    const back = history.seq - 5;
    history.log.rewindTo(back);
    projector.disturb();
    await until(() => projector.seq === back);
    expect(projector.lines.join()).toContain('LEDGER_REWOUND');
    const fresh = projectorOf(history.log, newPath());
    await reached(fresh, back);
    expect(contents(projector.serving)).toEqual(contents(fresh.serving));
  });

  test('stops at a broken segment, says so, answers what it has, and goes on when the ledger is whole again', async () => {
    const history = new History(11).grow(100);
    const path = newPath();
    const broken = Math.floor(history.seq / 2);
    const whole = await history.log.get(broken);
    const bytes = Buffer.from(whole?.bytes ?? []);
    bytes[40]! ^= 1;
    history.log.overwrite(broken, bytes);
    const projector = projectorOf(history.log, path);
    await until(() => projector.broken !== undefined);
    expect(projector.broken).toContain(`sequence ${String(broken)}`);
    expect(projector.seq).toBe(broken - 1);
    expect(projector.serving.head.head.seq).toBe(broken - 1);
    history.log.overwrite(broken, whole?.bytes ?? new Uint8Array());
    projector.disturb();
    await reached(projector, history.seq);
    expect(projector.broken).toBeUndefined();
  });

  test('makes a new view beside one of an earlier version, which serves in the meantime', async () => {
    const history = new History(12).grow(100);
    const path = newPath();
    const first = projectorOf(history.log, path);
    await reached(first, history.seq);
    const was = contents(first.serving);
    const seqBefore = history.seq;
    await stop(first);
    const db = new DatabaseSync(path);
    db.exec("UPDATE head SET version = '0.0'; DELETE FROM counters");
    db.close();
    history.grow(20);
    const gate = Promise.withResolvers<undefined>();
    const slow: Log = {
      ...history.log,
      async *read(from) {
        let count = 0;
        for await (const message of history.log.read(from)) {
          if ((count += 1) === 10) await gate.promise;
          yield message;
        }
      },
    };
    const second = projectorOf(slow, path);
    expect(second.isRebuilding).toBe(true);
    expect(second.seq).toBe(seqBefore);
    expect(contents(second.serving)).not.toEqual(was);
    expect(second.serving.isOld).toBe(true);
    expect(await second.reached(history.seq, 5000)).toBe(false);
    gate.resolve(undefined);
    await until(() => !second.isRebuilding);
    await reached(second, history.seq);
    expect(second.serving.isOld).toBe(false);
    const fresh = projectorOf(history.log, newPath());
    await reached(fresh, history.seq);
    expect(contents(second.serving)).toEqual(contents(fresh.serving));
    await stop(second);
    const third = projectorOf(history.log, path);
    await reached(third, history.seq);
    expect(third.cost.foldedRulings).toBe(0);
  });

  test('makes a file anew that is no view', async () => {
    const history = new History(13).grow(50);
    const path = newPath();
    writeFileSync(path, 'this is no database, but it is long enough to be looked at as one. '.repeat(100));
    const projector = projectorOf(history.log, path);
    await reached(projector, history.seq);
    expect(projector.lines.join()).toContain('built anew');
    expect(projector.serving.head.rulings).toBe(history.rulings.length);
  });

  test('folds the whole state beside the view, to digests that are equal to the fold of the arbiter', async () => {
    const history = new History(14).grow(100);
    const path = newPath();
    const first = projectorOf(history.log, path);
    await reached(first, history.seq);
    await stop(first);
    const digests = new Map<number, string>();
    const second = projectorOf(history.log, path, {
      folded: (workspace) => digests.set(workspace.meta.head.seq, stateDigest(workspace)),
    });
    await until(() => digests.has(history.seq));
    expect(digests.size).toBe(history.seq);
    expect(digests.get(history.seq)).toBe(stateDigest(history.workspace));
    history.grow(10);
    await reached(second, history.seq);
    expect(digests.get(history.seq)).toBe(stateDigest(history.workspace));
    expect(second.serving.head.rulings).toBe(history.rulings.length);
  });
});

describe('ruling bodies', () => {
  test('are read from the ledger, and refused when they are not what was folded', async () => {
    const history = new History(15).grow(60);
    const projector = projectorOf(history.log, newPath());
    await reached(projector, history.seq);
    const row = projector.serving.one(
      'SELECT runs.id AS id, count(*) AS count FROM rulings JOIN runs ON runs.num = rulings.root GROUP BY 1 ORDER BY 2 DESC',
    );
    const run = String(row?.['id']) as RunId;
    const query = { v: 1, type: 'RULINGS', run, lines: true } as const;
    const { rulings } = await answerRulings(projector.serving, new Bodies(history.log), query);
    expect(rulings.length).toBe(row?.['count']);
    const expected = history.rulings.filter(
      ({ proposal }) => proposal.kind !== 'workspace' && proposal.run.startsWith(run),
    );
    expect(rulings.map(({ line }) => JSON.parse(line ?? '') as unknown)).toEqual(expected);

    const { seq } = rulings[0]!;
    const other = await history.log.get(seq === 2 ? 3 : 2);
    history.log.overwrite(seq, other?.bytes ?? new Uint8Array());
    await expect(answerRulings(projector.serving, new Bodies(history.log), query)).rejects.toThrow('LEDGER_REWOUND');
    history.log.overwrite(seq, Buffer.from('rubbish'));
    await expect(answerRulings(projector.serving, new Bodies(history.log), query)).rejects.toThrow(
      `broken at sequence ${String(seq)}`,
    );
  });
});
