/** How often a call was made again after it had an outcome: what tells work that goes on from work that is done anew. */
import { describe, expect, test } from 'vitest';
import type { RunDefinition } from '../../protocol/proposals.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const FAILED: State = { type: 'FAILED', name: 'Failed' };
const FLOW = runId('flow');
const CALL = `${FLOW}.call` as RunId;

function begin(desk: Desk, session: string, retriesMax = 0): void {
  const retry = { retriesMax, delaysMs: [], jitter: 0 };
  desk.ask(session, { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f', retry } });
}
function call(desk: Desk, session: string): Ruling {
  const { execution } = desk.run(FLOW)!;
  const create: RunDefinition = { kind: 'task', name: 't', parent: FLOW };
  return desk.ask(session, { kind: 'task', run: CALL, to: RUNNING, execution, create })!;
}
function report(desk: Desk, run: RunId, to: State): void {
  const { execution } = desk.run(FLOW)!;
  desk.ask('one', { kind: run === FLOW ? 'flow' : 'task', run, to, report: true, execution });
}

describe('the generation of a call', () => {
  test('is absent while it was not made again', () => {
    const desk = new Desk();
    begin(desk, 'one');
    call(desk, 'one');
    expect(desk.run(CALL)?.generation).toBeUndefined();
  });

  test('counts the outcomes after which it was made again', () => {
    const desk = new Desk();
    begin(desk, 'one', 2);
    for (const generation of [undefined, 1, 2]) {
      call(desk, 'one');
      expect(desk.run(CALL)?.state.type).toBe('RUNNING');
      expect(desk.run(CALL)?.generation).toBe(generation);
      report(desk, CALL, FAILED);
      report(desk, FLOW, FAILED);
      begin(desk, 'one');
    }
  });

  test('is the same after its process died: what it began goes on', () => {
    const desk = new Desk();
    begin(desk, 'one');
    call(desk, 'one');
    desk.hear(desk.engineProposal(desk.run(FLOW)!, { type: 'CRASHED', name: 'Crashed' }));
    expect(desk.run(CALL)?.state.type).toBe('CRASHED');
    begin(desk, 'two');
    call(desk, 'two');
    expect(desk.run(CALL)).toMatchObject({ attempt: 2, state: { type: 'RUNNING' } });
    expect(desk.run(CALL)?.generation).toBeUndefined();
  });
});
