/** Hints to workers that a hook of a run is to be called: of a run that ended in nobody's hands, at least once. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hintId } from '../../engine/arbiter/effects.ts';
import type { RunDefinition } from '../../protocol/proposals.ts';
import { runId } from '../support/worlds.ts';
import { replayProblems } from '../support/replayed.ts';
import { SmallWorld } from './small-world.ts';

const RUN = runId('run');
const WORK = { pool: 'p', queue: 'q' };
const PENDING = { type: 'PENDING', name: 'Pending' };
const RUNNING = { type: 'RUNNING', name: 'Running' };
const CANCELLING = { type: 'CANCELLING', name: 'Cancelling' };
const HOOKS = ['onCompletion', 'onFailure', 'onCancellation', 'onCrashed'] as const;

let world: SmallWorld;
beforeEach(() => {
  world = new SmallWorld();
});
afterEach(async () => {
  expect(await replayProblems(world.ledger)).toEqual([]);
});

const asked = (counter: number, more: object): object => ({ kind: 'task', run: RUN, counter, ...more });
function created(counter: number, to: object, more: Partial<RunDefinition> = {}): object {
  return asked(counter, { to, create: { kind: 'task', name: 'b', work: WORK, hooks: HOOKS, ...more } });
}
const hookHints = (): unknown[] => world.hints.flatMap(({ hook }) => hook ?? []);
const scheduled = (inMs: number): object => ({
  type: 'SCHEDULED',
  name: 'Scheduled',
  dueAtMs: world.kernel.nowMs + inMs,
});

describe('of a run that waits for a worker', () => {
  test('a hint says that it is a task’s, and what it was started with', async () => {
    const parameters = { digest: '0'.repeat(64), size: 2, inline: '[]' };
    world.begin();
    world.propose('one', created(0, PENDING, { parameters: parameters as never }));
    await world.pass(100);
    expect(world.hints).toEqual([{ run: RUN, version: 1, name: 'b', kind: 'task', ...WORK, parameters }]);
  });

  test('the hook is due when it is cancelled, with the state that it entered', async () => {
    world.begin();
    world.propose('one', created(0, scheduled(60_000)), asked(1, { to: CANCELLING }));
    await world.pass(100);
    const state = { type: 'CANCELLED', name: 'Cancelled' };
    expect(world.hints).toEqual([
      { run: RUN, version: 2, name: 'b', kind: 'task', ...WORK, hook: { hook: 'onCancellation', state } },
    ]);
  });

  test.each([
    { what: 'it has no hook for that state', more: { hooks: ['onFailure'] as const } },
    { what: 'it has no hooks', more: { hooks: [] } },
  ])('nothing is due if $what', async ({ more }) => {
    world.begin();
    world.propose('one', created(0, scheduled(60_000), more), asked(1, { to: CANCELLING }));
    await world.pass(100);
    expect(world.hints).toEqual([]);
  });
});

describe('of a run that a process executes', () => {
  const claimed = (): void => {
    world.propose('one', created(0, PENDING));
    world.propose('worker', asked(0, { to: RUNNING, basedOn: 1, claim: true }));
  };
  const report = (counter: number, to: object): object => asked(counter, { to, report: true, execution: 1 });

  test('no hook is due when it ends: that process calls it', async () => {
    world.begin();
    claimed();
    world.propose('worker', report(1, { type: 'COMPLETED', name: 'Completed' }));
    await world.pass(100);
    expect(hookHints()).toEqual([]);
  });

  test('nor when it ends while its process waits to try it again', async () => {
    world.begin();
    world.propose('one', created(0, PENDING, { retry: { retriesMax: 1, delaysMs: [60_000], jitter: 0 } }));
    world.propose('worker', asked(0, { to: RUNNING, basedOn: 1, claim: true }));
    world.propose('worker', report(1, { type: 'FAILED', name: 'Failed' }));
    world.propose('one', asked(1, { to: CANCELLING }));
    await world.pass(100);
    expect((await world.rulings()).at(-1)?.state?.type).toBe('CANCELLED');
    expect(hookHints()).toEqual([]);
  });

  test('the hook is due when that process did not end in its grace, and the engine ended the run', async () => {
    world.begin();
    claimed();
    world.propose('one', asked(1, { to: CANCELLING }));
    await world.pass(60_000);
    expect(hookHints()).toMatchObject([{ hook: 'onCancellation', state: { type: 'CANCELLED' } }]);
  });

  test('the hook is due when that process is dead and nobody may go on with the run', async () => {
    world.begin();
    claimed();
    await world.pass(100);
    // A crash that an operator puts on the ledger stands: no rule resumes it.
    world.propose('op', asked(0, { to: { type: 'CRASHED', name: 'Crashed' }, force: true, reason: 'it is gone' }));
    await world.pass(100);
    expect(hookHints()).toMatchObject([{ hook: 'onCrashed', state: { type: 'CRASHED' } }]);
  });

  test('the hook of another end is due when an operator changes the end; that of the same is not', async () => {
    world.begin();
    claimed();
    world.propose('worker', report(1, { type: 'FAILED', name: 'Failed', retriable: false }));
    const force = (name: string, type = 'COMPLETED'): object => ({
      to: { type, name },
      force: true,
      reason: 'by hand',
    });
    world.propose('op', asked(0, force('Completed')), asked(1, force('ByHand')));
    await world.pass(100);
    expect(hookHints()).toMatchObject([{ hook: 'onCompletion' }]);
  });
});

describe('the hint', () => {
  const cancelled = (): void => {
    world.propose('one', created(0, scheduled(60_000)), asked(1, { to: CANCELLING }));
  };
  const anyRuling = (): void => {
    world.propose('two', { kind: 'workspace', counter: 0, event: { type: 'LIMIT_SET', limit: 'a', slotsMax: 1 } });
  };

  test('has an id of its own: it is not taken for that of the run', async () => {
    world.begin();
    world.propose('one', created(0, PENDING), asked(1, { to: CANCELLING }));
    await world.pass(100);
    expect(world.hints.map(hintId)).toEqual([`${RUN}.1`, `${RUN}.2.hook`]);
  });

  test('is given again by a successor if it was not stored, and by none after that', async () => {
    world.stored = () => new Promise(() => undefined);
    const first = world.begin();
    cancelled();
    await world.pass(100);
    anyRuling();
    await world.pass(100);
    first.process.kill();
    world.stored = () => Promise.resolve();
    const second = world.begin('B');
    await world.pass(100);
    expect(world.hints).toHaveLength(2);
    expect(world.hints[1]).toEqual(world.hints[0]);
    world.propose('three', { kind: 'workspace', counter: 0, event: { type: 'LIMIT_REMOVED', limit: 'a' } });
    await world.pass(100);
    expect(second.arbiter.workspace.hooksOwed.size).toBe(0);
    second.process.kill();
    world.begin('C');
    await world.pass(100);
    expect(world.hints).toHaveLength(2);
  });

  test('is given again even if a successor could not store it either', async () => {
    world.stored = () => new Promise(() => undefined);
    const first = world.begin();
    cancelled();
    await world.pass(100);
    first.process.kill();
    world.stored = () => Promise.reject(new Error('no stream'));
    const second = world.begin('B');
    await world.pass(100);
    anyRuling();
    await world.pass(100);
    second.process.kill();
    world.begin('C');
    await world.pass(100);
    expect(world.hints).toHaveLength(3);
  });

  test('tells the end that it is about, though the run was opened again meanwhile', async () => {
    world.stored = () => new Promise(() => undefined);
    const first = world.begin();
    cancelled();
    world.propose('op', asked(0, { to: scheduled(120_000), reason: 'once more' }));
    await world.pass(100);
    first.process.kill();
    world.begin('B');
    await world.pass(100);
    expect(hookHints()).toHaveLength(2);
    expect(hookHints()[1]).toMatchObject({ hook: 'onCancellation', state: { type: 'CANCELLED' } });
  });
});
