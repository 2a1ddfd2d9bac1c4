/** What is of no use any more goes with the rulings that come later: kept results, and rates of keys. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Expiries } from '../../engine/fold/expiries.ts';
import { limitKey, stateDigest, Workspace } from '../../engine/fold/workspace.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { RunDefinition } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const FLOW = runId('flow');

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  desk.ask('p', { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } });
});

function call(name: string, more: Partial<RunDefinition>): Ruling | undefined {
  const run = `${FLOW}.${name}` as RunId;
  const create: RunDefinition = { kind: 'task', name: 't', parent: FLOW, ...more };
  const ruling = desk.ask('p', { kind: 'task', run, to: RUNNING, execution: 1, create });
  const to = { type: 'COMPLETED', name: 'Completed' } as const;
  desk.ask('p', { kind: 'task', run, to, report: true, execution: 1 });
  return ruling;
}
const anything = (): unknown =>
  desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_REMOVED', limit: 'nobody’s' } });

function expectSameAnew(): void {
  desk.seal();
  expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
}

describe('a kept result', () => {
  test('goes when its time to live is over, with the next ruling', () => {
    call('a', { cache: { key: 'short', ttlMs: 100 } });
    call('b', { cache: { key: 'long', ttlMs: 1000 } });
    call('c', { cache: { key: 'for ever' } });
    desk.pass(100);
    anything();
    expect([...desk.workspace.cache.entries()].map(([key]) => key)).toEqual(['long', 'for ever']);
    desk.pass(10_000);
    anything();
    expect([...desk.workspace.cache.entries()].map(([key]) => key)).toEqual(['for ever']);
    expectSameAnew();
  });

  test('that was made anew in the meantime stays for its new time', () => {
    call('a', { cache: { key: 'k', ttlMs: 100 } });
    desk.pass(50);
    call('b', { cache: { key: 'k', ttlMs: 100, refresh: true } });
    desk.pass(60);
    anything();
    expect(desk.workspace.cache.size).toBe(1);
    desk.pass(50);
    anything();
    expect(desk.workspace.cache.size).toBe(0);
    expectSameAnew();
  });

  test('that an undo brings back goes all the same', () => {
    call('a', { cache: { key: 'k', ttlMs: 100 } });
    desk.seal();
    desk.pass(200);
    anything();
    expect(desk.workspace.cache.size).toBe(0);
    desk.abandon();
    expect(desk.workspace.cache.size).toBe(1);
    anything();
    expect(desk.workspace.cache.size).toBe(0);
  });
});

describe('a limit by key', () => {
  const rate = (by: string): Ruling | undefined => call(by, { limits: [{ limit: 'rate', slots: 1, by }] });
  const keys = (): string[] => [...desk.workspace.limits.entries()].map(([key]) => key);
  beforeEach(() => {
    const event = { type: 'LIMIT_SET', limit: 'rate', slotsMax: 2, slotsPerSecond: 10 } as const;
    desk.ask('op', { kind: 'workspace', event });
  });

  test('of which all slots have come back leaves no row, and has as many as before', () => {
    rate('a');
    expect(keys()).toEqual(['rate', 'rate[a]']);
    desk.pass(100);
    rate('b');
    expect(keys()).toEqual(['rate', 'rate[b]']);
    expect(desk.workspace.limitOf({ limit: 'rate', by: 'a' })).toMatchObject({ used: 0, slotsMax: 2, emptyAtMs: 0 });
    expectSameAnew();
  });

  test('of 10,000 keys leaves none, a bounded number with each ruling', () => {
    for (let key = 0; key < 1000; key += 1) rate(String(key));
    expect(desk.workspace.limits.size).toBe(1001);
    desk.pass(10_000);
    anything();
    expect(desk.workspace.limits.size).toBeGreaterThan(900);
    for (let ruling = 0; ruling < 20; ruling += 1) anything();
    expect(keys()).toEqual(['rate']);
    expectSameAnew();
  });

  test('that has bounds of its own stays', () => {
    const own = limitKey({ limit: 'rate', by: 'a' });
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: own, slotsMax: 5, slotsPerSecond: 10 } });
    rate('a');
    desk.pass(10_000);
    anything();
    expect(keys()).toEqual(['rate', 'rate[a]']);
  });
});

describe('the order in which rows go', () => {
  const rows = new Map<string, number>();
  const expiriesOf = (): Expiries => new Expiries((key) => rows.get(key) as EpochMs | undefined);
  beforeEach(() => {
    rows.clear();
  });

  test('follows from the rows, not from how they came to be', () => {
    const grown = expiriesOf();
    for (let key = 0; key < 200; key += 1) {
      rows.set(String(key), (key * 7919) % 100);
      grown.note(String(key));
    }
    for (let key = 0; key < 200; key += 3) {
      rows.set(String(key), 100 - ((key * 31) % 90));
      grown.note(String(key));
    }
    const loaded = expiriesOf();
    for (const key of [...rows.keys()].sort()) loaded.note(key);
    const [one, other] = [grown, loaded].map((expiries) => expiries.due(150 as EpochMs));
    expect(one).toHaveLength(64);
    expect(one).toEqual(other);
  });

  test('takes no room for each change of one row', () => {
    const expiries = expiriesOf();
    for (let atMs = 0; atMs < 10_000; atMs += 1) {
      rows.set('key', atMs);
      expiries.note('key');
    }
    expect(expiries.due(9998 as EpochMs)).toEqual([]);
    expect(expiries.due(9999 as EpochMs)).toEqual(['key']);
    expect(expiries.due(9999 as EpochMs)).toEqual([]);
  });
});

test('a workspace without such rows looks at none', () => {
  const workspace = new Workspace();
  workspace.dropExpired(1 as EpochMs);
  expect(stateDigest(workspace)).toBe(stateDigest(new Workspace()));
});
