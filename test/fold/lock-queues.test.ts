/** Who waits for a lock (a cache key, a transaction) and for other limits besides: nobody else waits behind it for those (K4). */
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { TRANSACTION_LIMIT, type RunDefinition } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { stateDigest } from '../../engine/fold/workspace.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed' };
const FAILED: State = { type: 'FAILED', name: 'Failed' };
const GPU: Partial<RunDefinition> = { limits: [{ limit: 'gpu', slots: 1 }] };
const ONCE: Partial<RunDefinition> = { cache: { key: 'features', once: true } };

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'gpu', slotsMax: 1 } });
});

const callOf = (name: string): RunId => `${runId(name)}.call` as RunId;

/** A task of this name, under a flow run of its own. */
function call(name: string, more: Partial<RunDefinition>): Ruling['outcome'] | undefined {
  const flow: RunDefinition = { kind: 'flow', name };
  if (desk.run(runId(name)) === undefined)
    desk.ask(`s${name}`, { kind: 'flow', run: runId(name), to: RUNNING, claim: true, create: flow });
  const create: RunDefinition = { kind: 'task', name: 'compute', parent: runId(name), ...more };
  return desk.ask(`s${name}`, { kind: 'task', run: callOf(name), to: RUNNING, execution: 1, create })?.outcome;
}
const report = (name: string, to: State): unknown =>
  desk.ask(`s${name}`, { kind: 'task', run: callOf(name), to, report: true, execution: 1 });
const running = (): string[] =>
  desk
    .runs()
    .filter(({ kind, state }) => kind === 'task' && state.type === 'RUNNING')
    .map(({ parent = '' }) => parent.replace(/0+$/, ''))
    .sort();

function expectSound(): void {
  expect(wrongsOf(desk.workspace)).toEqual([]);
  desk.seal();
  expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
}

describe('who waits for a cache key, and for a slot besides', () => {
  test('keeps nobody from the slot who waits for it alone', () => {
    call('computing', ONCE);
    expect(call('waiting', { ...ONCE, ...GPU })).toBe('held');
    expect(call('other', GPU)).toBe('accepted');
    expect(running()).toEqual(['computing', 'other']);
    expectSound();
  });

  test('nor those who wait for it already, when it comes first by its priority', () => {
    call('busy', GPU);
    call('computing', ONCE);
    expect(call('other', GPU)).toBe('held');
    expect(call('urgent', { ...ONCE, ...GPU, priority: 5 })).toBe('held');
    report('busy', COMPLETED);
    expect(running()).toEqual(['computing', 'other']);
    expectSound();
  });

  test('has its first place in the queue of the slot once the key is free: nobody who came later starts before it', () => {
    call('busy', GPU);
    call('computing', ONCE);
    call('first', { ...ONCE, ...GPU });
    call('second', GPU);
    report('computing', FAILED);
    // It waits for both now, and holds the key for nobody.
    expect(desk.workspace.queues.get('gpu')).toHaveLength(2);
    report('busy', COMPLETED);
    expect(running()).toEqual(['first']);
    report('first', COMPLETED);
    expect(running()).toEqual(['second']);
    expectSound();
  });

  test('leaves the queue of the slot again when somebody of a higher priority takes the key', () => {
    call('busy', GPU);
    call('computing', ONCE);
    call('first', { ...ONCE, ...GPU });
    call('second', GPU);
    report('computing', FAILED);
    expect(call('urgent', { ...ONCE, priority: 5 })).toBe('accepted');
    report('busy', COMPLETED);
    expect(running()).toEqual(['second', 'urgent']);
    report('urgent', COMPLETED);
    expect(desk.run(callOf('first'))?.state.name).toBe('Cached');
    expectSound();
  });

  test('and when somebody of a higher priority comes first for the key', () => {
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'cpu', slotsMax: 0 } });
    call('busy', GPU);
    call('computing', ONCE);
    call('first', { ...ONCE, ...GPU });
    call('second', GPU);
    report('computing', FAILED);
    expect(call('urgent', { ...ONCE, limits: [{ limit: 'cpu', slots: 1 }], priority: 5 })).toBe('held');
    report('busy', COMPLETED);
    expect(running()).toEqual(['second']);
    expectSound();
  });

  test('leaves it under whoever takes over as well', () => {
    call('busy', GPU);
    call('computing', ONCE);
    call('first', { ...ONCE, ...GPU });
    call('second', GPU);
    report('computing', FAILED);
    desk.seal();
    // The segment with the word of the one is stored, what follows from it is not.
    desk.sealAfter = 2;
    call('urgent', { ...ONCE, priority: 5 });
    desk.takeOver();
    report('busy', COMPLETED);
    expect(running()).toEqual(['second', 'urgent']);
    expectSound();
  });
});

test('who waits for a transaction, which may sleep for days, keeps nobody from a slot either', () => {
  const lock = { limit: TRANSACTION_LIMIT, slots: 1, by: 'orders' };
  call('inside', { limits: [lock] });
  expect(call('waiting', { limits: [lock, { limit: 'gpu', slots: 1 }] })).toBe('held');
  expect(call('other', GPU)).toBe('accepted');
  report('inside', COMPLETED);
  expect(running()).toEqual(['other']);
  report('other', COMPLETED);
  expect(running()).toEqual(['waiting']);
  expectSound();
});
