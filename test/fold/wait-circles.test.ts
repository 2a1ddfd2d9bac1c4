/** Runs that would wait for each other: the newest wish is refused DEADLOCK, with the way on which it would wait for itself. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CACHE_KEY_LIMIT, TRANSACTION_LIMIT, type RunDefinition, type SlotWish } from '../../protocol/proposals.ts';
import type { RunId } from '../../protocol/ids.ts';
import { decidingEntry, type Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed' };

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});

const idOf = (path: string): RunId => {
  const [root = '', ...calls] = path.split('.');
  return [runId(root), ...calls].join('.') as RunId;
};
const lock = (by: string): SlotWish => ({ limit: TRANSACTION_LIMIT, slots: 1, by });
const slots = (limit: string, many = 1): SlotWish => ({ limit, slots: many });
const setLimit = (limit: string, slotsMax: number): unknown =>
  desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax } });

/** A flow run of its own, or one within another (whose last name then begins with a capital), or a task. */
function begin(path: string, limits: readonly SlotWish[] = [], more: Partial<RunDefinition> = {}): Ruling {
  const run = idOf(path);
  const [root = '', ...calls] = path.split('.');
  const last = calls.at(-1);
  const kind = last === undefined || /^[A-Z]/.test(last) ? 'flow' : 'task';
  const parent = last === undefined ? {} : { parent: idOf(path.slice(0, -last.length - 1)) };
  const create: RunDefinition = { kind, name: last ?? root, limits, ...parent, ...more };
  const asked = last === undefined ? { claim: true as const } : { execution: 1 };
  return desk.ask(root, { kind, run, to: RUNNING, create, ...asked })!;
}
const end = (path: string): unknown => {
  const run = desk.run(idOf(path))!;
  return desk.ask(path.split('.')[0]!, { kind: run.kind, run: run.id, to: COMPLETED, report: true, execution: 1 });
};
const whyOf = ({ trail, outcome }: Ruling): string => {
  const { code, why } = decidingEntry(trail) ?? {};
  return `${outcome} ${code ?? ''}: ${(why ?? '').replaceAll(/0+(?=[. ;,]|$)/g, '')}`;
};

describe('two transactions in opposite order', () => {
  beforeEach(() => {
    for (const [flow, key] of [
      ['one', 'a'],
      ['two', 'b'],
    ] as const) {
      begin(flow);
      expect(begin(`${flow}.First`, [lock(key)]).outcome).toBe('accepted');
    }
  });

  test('the second wish is refused, and says for whom each waits', () => {
    expect(begin('one.First.Second', [lock('b')]).outcome).toBe('held');
    const refused = begin('two.First.Second', [lock('a')]);
    expect(whyOf(refused)).toBe(
      "rejected DEADLOCK: it would wait for itself: two.First.Second waits for 'transaction' for 'a', which one.First holds; " +
        "one.First.Second waits for 'transaction' for 'b', which two.First holds",
    );
    expect(wrongsOf(desk.workspace)).toEqual([]);
  });

  test('whoever waits goes on when the refused one has given way', () => {
    begin('one.First.Second', [lock('b')]);
    begin('two.First.Second', [lock('a')]);
    end('two.First');
    expect(desk.run(idOf('one.First.Second'))?.state.type).toBe('RUNNING');
  });

  test('and none is refused who only waits for one that waits for nobody', () => {
    expect(begin('one.First.Second', [lock('b')]).outcome).toBe('held');
    expect(begin('two.Second', [lock('c')]).outcome).toBe('accepted');
    // `two` waits, but not the run that has the lock: it may end meanwhile.
    expect(begin('two.Third', [lock('a')]).outcome).toBe('held');
    end('two.First');
    expect(desk.run(idOf('one.First.Second'))?.state.type).toBe('RUNNING');
  });

  test('none is refused either who waits for one that is being cancelled', () => {
    begin('three');
    begin('three.First', [lock('c')]);
    expect(begin('one.First.Second', [lock('b')]).outcome).toBe('held');
    expect(begin('two.First.Second', [lock('c')]).outcome).toBe('held');
    const to: State = { type: 'CANCELLING', name: 'Cancelling' };
    desk.ask('op', { kind: 'flow', run: idOf('two'), to, reason: 'enough' });
    expect(begin('three.First.Second', [lock('a')]).outcome).toBe('held');
  });

  test('a circle of three is refused', () => {
    begin('three');
    begin('three.First', [lock('c')]);
    begin('one.First.Second', [lock('b')]);
    begin('two.First.Second', [lock('c')]);
    expect(whyOf(begin('three.First.Second', [lock('a')]))).toMatch(
      /three\.First\.Second .*'a', which one\.First holds; .*'b', which two\.First holds; .*'c', which three\.First holds$/,
    );
  });
});

test('within one flow run, too', () => {
  begin('one');
  begin('one.A', [lock('a')]);
  begin('one.B', [lock('b')]);
  expect(begin('one.A.B', [lock('b')]).outcome).toBe('held');
  expect(whyOf(begin('one.B.A', [lock('a')]))).toContain('DEADLOCK');
});

describe('slots of limits that have several', () => {
  beforeEach(() => {
    setLimit('db', 2);
    setLimit('api', 1);
    begin('one', [slots('db')]);
    begin('two', [slots('api')]);
  });

  test('are no circle while somebody else may give one back', () => {
    begin('other', [slots('db')]);
    expect(begin('one.call', [slots('api')]).outcome).toBe('held');
    expect(begin('two.call', [slots('db')]).outcome).toBe('held');
    end('other');
    expect(desk.run(idOf('two.call'))?.state.type).toBe('RUNNING');
    expect(wrongsOf(desk.workspace)).toEqual([]);
  });

  test('are one when those who hold them all wait', () => {
    begin('third', [slots('db')]);
    expect(begin('one.call', [slots('api')]).outcome).toBe('held');
    expect(begin('third.call', [slots('api')]).outcome).toBe('held');
    expect(whyOf(begin('two.call', [slots('db')]))).toMatch(/^rejected DEADLOCK.*two\.call waits for 'db', which /);
  });

  test('are one for a wish that is larger than what the others leave', () => {
    expect(begin('one.call', [slots('api')]).outcome).toBe('held');
    expect(whyOf(begin('two.call', [slots('db', 2)]))).toMatch(/^rejected DEADLOCK.*'db', which one holds; one\.call/);
    expect(begin('two.small', [slots('db')]).outcome).toBe('accepted');
  });

  test('are none once the limit is closed, removed or raised', () => {
    begin('third', [slots('db')]);
    begin('one.call', [slots('api')]);
    begin('third.call', [slots('api')]);
    setLimit('db', 0);
    expect(begin('two.call', [slots('db')]).outcome).toBe('held');
    setLimit('db', 3);
    expect(desk.run(idOf('two.call'))?.state.type).toBe('RUNNING');
  });
});

test('who would wait behind one that waits for it is refused, though there is room', () => {
  setLimit('db', 1);
  setLimit('api', 1);
  begin('one', [slots('db')]);
  expect(begin('both', [slots('db'), slots('api')]).outcome).toBe('held');
  expect(whyOf(begin('one.call', [slots('api')]))).toMatch(
    /DEADLOCK.*one\.call waits for 'api' behind both; both waits for 'db', which one holds$/,
  );
});

test('who would come before one that it waits for is refused', () => {
  setLimit('db', 1);
  setLimit('api', 1);
  begin('one', [slots('db')]);
  begin('other', [slots('api')]);
  expect(begin('one.call', [slots('api')]).outcome).toBe('held');
  const urgent = begin('urgent', [slots('api'), slots('db')], { priority: 5 });
  expect(whyOf(urgent)).toMatch(
    /DEADLOCK.*urgent waits for 'db', which one holds; one\.call waits for 'api' behind urgent$/,
  );
  end('other');
  expect(desk.run(idOf('one.call'))?.state.type).toBe('RUNNING');
});

test('two cache keys in opposite order, with slots between them', () => {
  setLimit('gpu', 1);
  const once = (key: string): Partial<RunDefinition> => ({ cache: { key, once: true } });
  begin('one', [slots('gpu')]);
  begin('two', [lock('a')]);
  // The first for the key waits for the slot that `one` has; `one` would wait behind it for the key.
  expect(begin('two.call', [slots('gpu')], once('k')).outcome).toBe('held');
  expect(desk.workspace.queues.get(`${CACHE_KEY_LIMIT}[k]`)).toHaveLength(1);
  expect(whyOf(begin('one.call', [], once('k')))).toMatch(/DEADLOCK.*'k' behind two\.call; two\.call waits for 'gpu'/);
});
