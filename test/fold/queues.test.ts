/** Who waits for slots, in which order, and who is woken when (K1, K2, H1). */
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import type { RunDefinition, SlotWish } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});

const setLimit = (limit: string, slotsMax: number): unknown =>
  desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax } });
const wishes = (limits: Record<string, number>): SlotWish[] =>
  Object.entries(limits).map(([limit, slots]) => ({ limit, slots }));

function start(name: string, limits: Record<string, number>, more: Partial<RunDefinition> = {}): Ruling | undefined {
  const create: RunDefinition = { kind: 'flow', name, limits: wishes(limits), ...more };
  return desk.ask(name, { kind: 'flow', run: runId(name), to: RUNNING, claim: true, create });
}
const end = (name: string): unknown => {
  const { execution } = desk.run(runId(name))!;
  return desk.ask(name, {
    kind: 'flow',
    run: runId(name),
    to: { type: 'COMPLETED', name: 'C' },
    report: true,
    execution,
  });
};
const runs = (): string[] =>
  desk
    .runs()
    .filter(({ state }) => state.type === 'RUNNING')
    .map(({ name }) => name);

describe('the order', () => {
  test('is that of asking', () => {
    setLimit('db', 1);
    for (const name of ['a', 'b', 'c']) start(name, { db: 1 });
    expect(runs()).toEqual(['a']);
    end('a');
    expect(runs()).toEqual(['b']);
    end('b');
    expect(runs()).toEqual(['c']);
  });

  test('is by priority first', () => {
    setLimit('db', 1);
    start('a', { db: 1 });
    start('low', { db: 1 }, { priority: -1 });
    start('usual', { db: 1 });
    start('high', { db: 1 }, { priority: 5 });
    for (const [ending, next] of [
      ['a', 'high'],
      ['high', 'usual'],
      ['usual', 'low'],
    ] as const) {
      end(ending);
      expect(runs()).toEqual([next]);
    }
  });

  test('lets nobody past who came later and would fit', () => {
    setLimit('db', 3);
    start('a', { db: 2 });
    start('large', { db: 3 });
    expect(start('small', { db: 1 })).toMatchObject({ outcome: 'held' });
    end('a');
    expect(runs()).toEqual(['large']);
  });

  test('lets past whoever has the higher priority and fits', () => {
    setLimit('db', 3);
    start('a', { db: 2 });
    start('large', { db: 3 });
    expect(start('urgent', { db: 1 }, { priority: 1 })).toMatchObject({ outcome: 'accepted' });
  });
});

describe('whoever is first and fits is woken', () => {
  test('when a limit is raised, and so is the next', () => {
    setLimit('db', 0);
    for (const name of ['a', 'b', 'c']) start(name, { db: 1 });
    expect(runs()).toEqual([]);
    setLimit('db', 2);
    expect(runs()).toEqual(['a', 'b']);
  });

  test('when a limit is removed', () => {
    setLimit('db', 0);
    for (const name of ['a', 'b']) start(name, { db: 1 });
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'db' } });
    expect(runs()).toEqual(['a', 'b']);
  });

  test('when the last of several limits has room', () => {
    setLimit('db', 1);
    setLimit('api', 1);
    start('d', { db: 1 });
    start('p', { api: 1 });
    start('both', { db: 1, api: 1 });
    end('d');
    expect(runs()).toEqual(['p']);
    end('p');
    expect(runs()).toEqual(['both']);
  });

  test('when the one before it is withdrawn with its session', () => {
    setLimit('db', 1);
    start('a', { db: 1 });
    start('b', { db: 1 });
    start('c', { db: 1 });
    desk.hear({
      id: 'liveness/b/closed' as never,
      kind: 'workspace',
      by: 'engine',
      epoch: desk.epoch,
      event: { type: 'SESSION_CLOSED', session: 'b', silentSinceMs: 0 as never },
    });
    end('a');
    expect(runs()).toEqual(['c']);
  });

  test('when it has the slot of its deployment, and waits for others', () => {
    setLimit('deployment:nightly', 1);
    setLimit('db', 1);
    start('a', { db: 1 });
    const create: RunDefinition = { kind: 'flow', name: 'n', deployment: 'nightly', limits: wishes({ db: 1 }) };
    const pending = { kind: 'flow', run: runId('n'), to: { type: 'PENDING', name: 'Pending' }, create } as const;
    expect(desk.ask('n', pending)).toMatchObject({ outcome: 'accepted' });
    const asked = desk.ask('n', { kind: 'flow', run: runId('n'), to: RUNNING, claim: true });
    // What it has it does not wait for: it would wait behind its own slot for ever.
    expect(asked).toMatchObject({ outcome: 'held', waits: { limits: [{ limit: 'db', slots: 1 }] } });
    end('a');
    expect(runs()).toEqual(['n']);
    expect(desk.run(runId('n'))?.slots.map(({ limit }) => limit)).toEqual(['deployment:nightly', 'db']);
  });

  test('by whoever takes over, if its predecessor did not come to it', () => {
    setLimit('db', 1);
    start('a', { db: 1 });
    start('b', { db: 1 });
    desk.seal();
    desk.sealAfter = 1;
    end('a');
    expect(runs()).toEqual(['b']);
    // The segment with the end of `a` was stored, the one that wakes `b` was not.
    desk.takeOver();
    expect(runs()).toEqual(['b']);
  });
});

describe('whoever can never be served is told so', () => {
  test('when its limit is lowered below what it asks for, and makes room for those behind it', () => {
    setLimit('db', 2);
    start('a', { db: 1 });
    start('large', { db: 2 });
    start('small', { db: 1 });
    expect(runs()).toEqual(['a']);
    setLimit('db', 1);
    expect(desk.ruled.at(-1)?.ruling).toMatchObject({
      outcome: 'rejected',
      trail: [expect.anything(), expect.anything(), expect.anything(), { code: 'NEVER_FITS' }],
    });
    end('a');
    expect(runs()).toEqual(['small']);
  });

  test('when only an ancestor could make room any more', () => {
    setLimit('db', 2);
    start('a', { db: 1 });
    start('b', { db: 1 });
    const run = `${runId('a')}.task` as RunId;
    const create: RunDefinition = { kind: 'task', name: 't', parent: runId('a'), limits: wishes({ db: 1 }) };
    expect(desk.ask('a', { kind: 'task', run, to: RUNNING, execution: 1, create })).toMatchObject({ outcome: 'held' });
    setLimit('db', 1);
    expect(desk.ruled.at(-1)?.ruling).toMatchObject({ outcome: 'rejected', proposal: { run } });
    expect(JSON.stringify(desk.ruled.at(-1)?.ruling.trail)).toContain('DEADLOCK');
  });
});

describe('a wait that only an ancestor of the waiter could end is refused', () => {
  const callUnder = (flow: string, limits: Record<string, number>): Ruling | undefined => {
    const create: RunDefinition = { kind: 'task', name: 't', parent: runId(flow), limits: wishes(limits) };
    return desk.ask(flow, { kind: 'task', run: `${runId(flow)}.task` as RunId, to: RUNNING, execution: 1, create });
  };

  test('when the ancestor holds what is asked for', () => {
    setLimit('db', 1);
    start('a', { db: 1 });
    expect(callUnder('a', { db: 1 })).toMatchObject({ outcome: 'rejected' });
  });

  test('when somebody waits before it for what the ancestor holds', () => {
    setLimit('db', 2);
    start('a', { db: 1 });
    start('large', { db: 2 });
    expect(JSON.stringify(callUnder('a', { db: 1 })?.trail)).toContain('DEADLOCK');
  });

  test('when two flow runs would wait for each other’s slots', () => {
    setLimit('db', 2);
    start('a', { db: 1 });
    start('b', { db: 1 });
    expect(callUnder('a', { db: 1 })).toMatchObject({ outcome: 'held' });
    expect(JSON.stringify(callUnder('b', { db: 1 })?.trail)).toContain('DEADLOCK');
    end('b');
    expect(desk.run(`${runId('a')}.task`)?.state.type).toBe('RUNNING');
  });

  test('and not when a stranger can end it', () => {
    setLimit('db', 2);
    start('a', { db: 1 });
    start('stranger', { db: 1 });
    expect(callUnder('a', { db: 1 })).toMatchObject({ outcome: 'held' });
    end('stranger');
    expect(desk.run(`${runId('a')}.task`)?.state.type).toBe('RUNNING');
  });
});

test('a call that is made again in a later execution does not queue behind the slot that its fenced one held', () => {
  setLimit('db', 1);
  const task = (name: string): RunId => `${runId('f')}.${name}` as RunId;
  const call = (name: string, execution: number): Ruling | undefined => {
    const create: RunDefinition = { kind: 'task', name, parent: runId('f'), limits: wishes({ db: 1 }) };
    return desk.ask('f', { kind: 'task', run: task(name), to: RUNNING, execution, create });
  };
  start('f', {});
  call('one', 1);
  desk.ask('f', { kind: 'flow', run: runId('f'), to: { type: 'PAUSED', name: 'P' }, execution: 1 });
  desk.ask('g', { kind: 'flow', run: runId('f'), to: RUNNING, claim: true });
  expect(call('two', 2)).toMatchObject({ outcome: 'accepted' });
  expect(call('one', 2)).toMatchObject({ outcome: 'held' });
  desk.ask('f', { kind: 'task', run: task('two'), to: { type: 'COMPLETED', name: 'C' }, report: true, execution: 2 });
  const state = { type: 'RUNNING', name: 'Rerunning' };
  expect(desk.run(task('one'))).toMatchObject({ state, attempt: 2, slots: [{ limit: 'db', slots: 1 }] });
});
