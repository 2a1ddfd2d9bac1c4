import { describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import type { RunDefinition } from '../../protocol/proposals.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, foldAnew, runId, type DraftOfWish } from '../support/worlds.ts';

const FLOW = runId('flow');
const TASK = `${FLOW}.task` as RunId;
const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const COMPLETED: State = { type: 'COMPLETED', name: 'Completed' };
const FAILED: State = { type: 'FAILED', name: 'Failed' };
const retry = { retriesMax: 1, delaysMs: [100], jitter: 0 };

function started(definition: Partial<RunDefinition> = {}): Desk {
  const desk = new Desk();
  desk.ask('one', {
    kind: 'flow',
    run: FLOW,
    to: RUNNING,
    claim: true,
    create: { kind: 'flow', name: 'f', ...definition },
  });
  return desk;
}
const call = (execution: number, more: Partial<RunDefinition> = {}): DraftOfWish => ({
  kind: 'task',
  run: TASK,
  to: RUNNING,
  execution,
  create: { kind: 'task', name: 't', parent: FLOW, ...more },
});
const report = (run: RunId, to: State, execution: number): DraftOfWish => ({
  kind: run === FLOW ? 'flow' : 'task',
  run,
  to,
  report: true,
  execution,
});
const claim: DraftOfWish = { kind: 'flow', run: FLOW, to: RUNNING, claim: true };
const crash = (desk: Desk): void => {
  desk.hear(desk.engineProposal(desk.run(FLOW)!, { type: 'CRASHED', name: 'Crashed' }));
};

describe('a call that is answered from the record', () => {
  test('has ended when it ended, however often it is made again', () => {
    const desk = started();
    desk.ask('one', call(1));
    desk.ask('one', report(TASK, COMPLETED, 1));
    const { endedMs, sinceMs } = desk.run(TASK)!;
    crash(desk);
    desk.pass(5000);
    desk.ask('two', claim);
    const execution = desk.run(FLOW)!.execution;
    expect(desk.ask('two', call(execution))).toMatchObject({ outcome: 'rewritten', state: COMPLETED, version: 3 });
    expect(desk.run(TASK)).toMatchObject({ endedMs, sinceMs, attempt: 1, state: COMPLETED });
  });
});

describe('a call that failed for good', () => {
  const failOnce = (desk: Desk, execution: number): void => {
    desk.ask('one', call(execution));
    desk.ask('one', report(TASK, FAILED, execution));
  };

  test('is answered with its failure after a crash', () => {
    const desk = started({ retry });
    failOnce(desk, 1);
    crash(desk);
    desk.ask('two', claim);
    expect(desk.ask('two', call(desk.run(FLOW)!.execution))).toMatchObject({ outcome: 'rewritten', state: FAILED });
  });

  test.each([
    { what: 'in the next attempt', between: () => undefined },
    { what: 'in the next attempt, though the process died before that', between: crash },
  ])('is made again $what', ({ between }) => {
    const desk = started({ retry });
    failOnce(desk, 1);
    desk.ask('one', report(FLOW, FAILED, 1));
    expect(desk.run(FLOW)?.state.name).toBe('AwaitingRetry');
    between(desk);
    desk.pass(200);
    desk.ask('two', claim);
    const again = { type: 'RUNNING', name: 'Retrying' };
    expect(desk.ask('two', call(desk.run(FLOW)!.execution))).toMatchObject({ outcome: 'rewritten', state: again });
  });
});

describe('what a run is', () => {
  test('is said once: a later call that says otherwise changes neither its time-out, its limits nor its retries', () => {
    const desk = started();
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
    desk.ask('one', call(1));
    crash(desk);
    desk.ask('two', claim);
    const execution = desk.run(FLOW)!.execution;
    const other = call(execution, { timeoutMs: 50, limits: [{ limit: 'db', slots: 1 }], retry });
    expect(desk.ask('two', other)?.claims).toBeUndefined();
    desk.pass(100);
    expect(desk.run(TASK)?.state.type).toBe('RUNNING');
    desk.ask('two', report(TASK, FAILED, execution));
    expect(desk.run(TASK)?.state.type).toBe('FAILED');
  });
});

describe('a limit that is named twice', () => {
  test('is one wish for all its slots', () => {
    const desk = started();
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
    const twice = {
      limits: [
        { limit: 'db', slots: 1 },
        { limit: 'db', slots: 1 },
      ],
    };
    expect(desk.ask('one', call(1, twice))).toMatchObject({ outcome: 'rejected' });
    desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 2 } });
    expect(desk.ask('one', call(1, twice))).toMatchObject({ outcome: 'accepted' });
    expect(desk.workspace.limits.get('db')).toEqual({ slotsMax: 2, used: 2 });
  });
});

describe('a client that counts as it likes', () => {
  test('does not make the fold count along', () => {
    const desk = new Desk();
    const to = RUNNING;
    const create = { kind: 'flow', name: 'f' } as const;
    const ask = (counter: number, done?: number): void => {
      const id = `wild:${String(counter)}` as never;
      desk.hear({
        kind: 'flow',
        id,
        by: 'sdk',
        run: FLOW,
        to,
        claim: true,
        create,
        ...(done === undefined ? {} : { done }),
      });
    };
    ask(0);
    ask(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER - 2);
    expect([...desk.workspace.answered.entries()].map(([id]) => id)).toEqual([
      `wild:${String(Number.MAX_SAFE_INTEGER - 1)}`,
    ]);
    expect(desk.workspace.sessions.get('wild')).toMatchObject({ low: Number.MAX_SAFE_INTEGER - 2 });
  });
});

describe('a session', () => {
  test('is its user’s: another user’s proposals in its name are refused, and nothing is kept of them', () => {
    const desk = started();
    const before = desk.workspace.sessions.get('one');
    const ruling = desk.hear({ ...claim, id: 'one:1' as never, by: 'cli' });
    expect(ruling).toMatchObject({ outcome: 'rejected', trail: [{ rule: 'arbiter', code: 'MALFORMED' }] });
    expect(desk.workspace.sessions.get('one')).toEqual(before);
    expect(desk.workspace.answered.get('one:1')).toBeUndefined();
    expect(desk.ask('one', call(1))).toMatchObject({ outcome: 'accepted' });
  });

  test('whose name looks like the clock’s cannot silence a timer', () => {
    const desk = started({ timeoutMs: 100 });
    const name = `clock/${FLOW}/1/timeout/x`;
    desk.hear({ kind: 'workspace', id: `${name}:0` as never, by: 'sdk', event: { type: 'LIMIT_REMOVED', limit: 'x' } });
    desk.pass(200);
    expect(desk.run(FLOW)?.state).toMatchObject({ type: 'FAILED', name: 'TimedOut' });
  });
});

describe('a call is refused', () => {
  test('under a task run, which could not end it', () => {
    const desk = started();
    desk.ask('one', call(1));
    const under = `${TASK}.deeper` as RunId;
    const create = { kind: 'task', name: 't', parent: TASK } as const;
    expect(desk.ask('one', { kind: 'task', run: under, to: RUNNING, execution: 1, create })).toMatchObject({
      outcome: 'rejected',
      trail: [{ code: 'MALFORMED' }],
    });
  });
  test.each(['SCHEDULED', 'PENDING', 'RUNNING'] as const)('as %s under a flow run that has ended', (type) => {
    const desk = started();
    desk.ask('one', report(FLOW, COMPLETED, 1));
    const to: State = type === 'SCHEDULED' ? { type, name: 'S', dueAtMs: desk.nowMs as never } : { type, name: 'S' };
    const late = { ...call(1), to } as DraftOfWish;
    expect(desk.ask('one', late)).toMatchObject({ outcome: 'rejected' });
    expect(desk.run(TASK)).toBeUndefined();
  });
});

test('whoever folds what is stored keeps no list of what there would be to wake', () => {
  const desk = started({ timeoutMs: 1000, limits: [{ limit: 'db', slots: 1 }] });
  desk.ask('one', call(1));
  desk.seal();
  expect(Object.values(foldAnew(desk.segments).touched).map(({ size }) => size)).toEqual([0, 0, 0, 0, 0]);
});
