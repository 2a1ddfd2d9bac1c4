/** Calls with one cache key that asks to be computed once: a slot of a limit that nobody has set. */
import { describe, expect, test } from 'vitest';
import { CACHE_KEY_LIMIT, type RunDefinition } from '../../protocol/proposals.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import { limitKey } from '../../engine/fold/workspace.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const ONCE = { key: 'features', once: true } as const;
const value = (inline: string): Value => ({ digest: '0'.repeat(64) as Value['digest'], size: inline.length, inline });
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed', result: value('42') };
const FAILED: State = { type: 'FAILED', name: 'Failed' };

/** A flow of each name, in a process of its own; each calls one task. */
function begun(desk: Desk, ...names: readonly string[]): void {
  for (const name of names) {
    const create: RunDefinition = { kind: 'flow', name };
    desk.ask(`s${name}`, { kind: 'flow', run: runId(name), to: RUNNING, claim: true, create });
  }
}
const callOf = (name: string): RunId => `${runId(name)}.call` as RunId;
function call(desk: Desk, name: string, more: Partial<RunDefinition> = {}): Ruling {
  const { execution } = desk.run(runId(name))!;
  const create: RunDefinition = { kind: 'task', name: 'compute', parent: runId(name), cache: ONCE, ...more };
  return desk.ask(`s${name}`, { kind: 'task', run: callOf(name), to: RUNNING, execution, create })!;
}
function report(desk: Desk, name: string, to: State): Ruling {
  const { execution } = desk.run(runId(name))!;
  return desk.ask(`s${name}`, { kind: 'task', run: callOf(name), to, report: true, execution })!;
}
const stateOf = (desk: Desk, name: string): State | undefined => desk.run(callOf(name))?.state;

describe('the same key at the same time', () => {
  test('is computed by one run, and the others are answered with its result', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two', 'three');
    expect(['one', 'two', 'three'].map((name) => call(desk, name).outcome)).toEqual(['accepted', 'held', 'held']);
    report(desk, 'one', COMPLETED);
    for (const name of ['two', 'three']) {
      expect(stateOf(desk, name)).toEqual({ type: 'COMPLETED', name: 'Cached', result: value('42') });
      expect(desk.run(callOf(name))?.attempt).toBe(0);
    }
    // Nothing stays behind: the key is not a limit that anybody has set.
    expect([...desk.workspace.limits.entries()]).toEqual([]);
    desk.seal();
    expect(foldAnew(desk.segments).limits.size).toBe(0);
  });

  test('is computed by the next when the first fails for good', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two', 'three');
    for (const name of ['one', 'two', 'three']) call(desk, name);
    report(desk, 'one', FAILED);
    expect([stateOf(desk, 'two')?.type, stateOf(desk, 'three')?.type]).toEqual(['RUNNING', undefined]);
    report(desk, 'two', COMPLETED);
    expect(stateOf(desk, 'three')?.name).toBe('Cached');
  });

  test('is computed by the next while the first waits for its retry, which is then answered', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two');
    call(desk, 'one', { retry: { retriesMax: 1, delaysMs: [60_000], jitter: 0 } });
    call(desk, 'two');
    report(desk, 'one', FAILED);
    expect([stateOf(desk, 'one')?.name, stateOf(desk, 'two')?.name]).toEqual(['AwaitingRetry', 'Running']);
    const { execution } = desk.run(runId('one'))!;
    const again = { kind: 'task', run: callOf('one'), to: { type: 'RUNNING', name: 'Retrying' }, execution } as const;
    expect(desk.ask('sone', again)?.outcome).toBe('held');
    desk.pass(61_000);
    // It waits for who computes now.
    expect(stateOf(desk, 'one')?.name).toBe('AwaitingRetry');
    report(desk, 'two', COMPLETED);
    expect(stateOf(desk, 'one')?.name).toBe('Cached');
  });

  test('is computed by the next when the process of the first is found dead', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two');
    call(desk, 'one');
    call(desk, 'two');
    desk.hear(desk.engineProposal(desk.run(runId('one'))!, { type: 'CRASHED', name: 'Crashed' }));
    expect(stateOf(desk, 'two')?.type).toBe('RUNNING');
  });

  test('is computed by each that does not ask for it to be once, or asks for a fresh result', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two', 'three', 'four');
    call(desk, 'one');
    expect(call(desk, 'two', { cache: { key: 'features' } }).outcome).toBe('accepted');
    expect(call(desk, 'three', { cache: { ...ONCE, refresh: true } }).outcome).toBe('accepted');
    expect(call(desk, 'four', { cache: { ...ONCE, key: 'others' } }).outcome).toBe('accepted');
  });

  test('is waited for until the result that is kept has expired, and is then computed once again', () => {
    const desk = new Desk();
    begun(desk, 'one', 'two', 'three');
    call(desk, 'one', { cache: { ...ONCE, ttlMs: 1000 } });
    report(desk, 'one', COMPLETED);
    desk.pass(2000);
    expect([call(desk, 'two').outcome, call(desk, 'three').outcome]).toEqual(['accepted', 'held']);
  });

  test('is waited for with a slot of another limit: neither is held while the other is not to be had', () => {
    const desk = new Desk();
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'gpu', slotsMax: 1 } });
    begun(desk, 'one', 'two', 'three');
    const gpu = { limits: [{ limit: 'gpu', slots: 1 }] };
    call(desk, 'one');
    expect(call(desk, 'two', gpu).outcome).toBe('held');
    // It waits behind the other for the slot, as it would for any limit, and holds nothing meanwhile.
    expect(desk.workspace.limits.get('gpu')?.used).toBe(0);
    report(desk, 'one', COMPLETED);
    expect(stateOf(desk, 'two')?.name).toBe('Cached');
    expect(desk.workspace.limits.get('gpu')?.used).toBe(0);
  });
});

describe('a limit of the engine’s own', () => {
  test('bounds a run that asks for it by a key: a lock that everybody has', () => {
    const desk = new Desk();
    const limits = [{ limit: 'transaction', slots: 1, by: 'orders' }];
    const ask = (name: string): Ruling | undefined =>
      desk.ask(`s${name}`, {
        kind: 'flow',
        run: runId(name),
        to: RUNNING,
        claim: true,
        create: { kind: 'flow', name, limits },
      });
    expect([ask('one')?.outcome, ask('two')?.outcome]).toEqual(['accepted', 'held']);
    desk.ask('sone', { kind: 'flow', run: runId('one'), to: COMPLETED, report: true, execution: 1 });
    expect(desk.run(runId('two'))?.state.type).toBe('RUNNING');
  });

  test('has one slot for each key, whoever holds it', () => {
    const desk = new Desk();
    begun(desk, 'one');
    call(desk, 'one');
    const wish = { limit: CACHE_KEY_LIMIT, by: 'features' };
    expect(desk.workspace.limitOf(wish)).toEqual({ slotsMax: 1, used: 1 });
    expect(desk.workspace.limits.get(limitKey(wish))).toEqual({ used: 1 });
    expect(desk.workspace.limitOf({ ...wish, by: 'others' })).toEqual({ slotsMax: 1, used: 0 });
  });
});
