/** The lock of a transaction whose flow run is suspended in the middle of it: nobody comes between its halves. */
import { beforeEach, expect, test } from 'vitest';
import { stateDigest } from '../../engine/fold/workspace.ts';
import type { RunId } from '../../protocol/ids.ts';
import { TRANSACTION_LIMIT, type RunDefinition } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { wrongsOf } from '../support/worlds-invariants.ts';
import { Desk, foldAnew, runId } from '../support/worlds.ts';

const [FLOW, OTHER] = [runId('flow'), runId('other')];
const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const LOCK = { limit: TRANSACTION_LIMIT, slots: 1, by: 'k' };

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
  for (const run of [FLOW, OTHER]) claim(run, `p-${run}`);
  expect(transact(FLOW)).toMatchObject({ outcome: 'accepted' });
});

function claim(run: RunId, session: string): Ruling | undefined {
  const create = { kind: 'flow', name: 'f', work: { pool: 'p', queue: 'q' } } as const;
  return desk.ask(session, {
    kind: 'flow',
    run,
    to: RUNNING,
    claim: true,
    ...(desk.run(run) === undefined ? { create } : {}),
  });
}
const transact = (flow: RunId, session = `p-${flow}`): Ruling | undefined => {
  const create: RunDefinition = { kind: 'flow', name: 'move', parent: flow, limits: [LOCK] };
  const execution = desk.run(flow)?.execution ?? 0;
  return desk.ask(session, { kind: 'flow', run: `${flow}.move` as RunId, to: RUNNING, execution, create });
};
const suspend = (): Ruling | undefined =>
  desk.ask(`p-${FLOW}`, {
    kind: 'flow',
    run: FLOW,
    to: { type: 'PAUSED', name: 'Sleeping', suspended: true, wakeAtMs: (desk.nowMs + 500) as never },
    execution: 1,
  });
const ended = (flow: RunId, session = `p-${flow}`): Ruling | undefined =>
  desk.ask(session, {
    kind: 'flow',
    run: `${flow}.move` as RunId,
    to: { type: 'COMPLETED', name: 'Completed' },
    report: true,
    execution: desk.run(flow)?.execution ?? 0,
  });
const inIt = (): boolean[] =>
  [FLOW, OTHER].map(
    (flow) => desk.run(`${flow}.move` as RunId)?.slots.some(({ limit }) => limit === LOCK.limit) ?? false,
  );

test('is kept until the transaction is over, whoever goes on with it', () => {
  suspend();
  expect(transact(OTHER)).toMatchObject({ outcome: 'held' });
  desk.pass(500);
  expect(claim(FLOW, 'worker')).toMatchObject({ outcome: 'accepted' });
  expect(inIt()).toEqual([true, false]);
  expect(transact(FLOW, 'worker')).toMatchObject({ outcome: 'accepted' });
  expect(wrongsOf(desk.workspace)).toEqual([]);
  ended(FLOW, 'worker');
  expect(inIt()).toEqual([false, true]);
  ended(OTHER);
  expect(desk.workspace.limits.get(`${TRANSACTION_LIMIT}[k]`)).toBeUndefined();
  desk.seal();
  expect(stateDigest(foldAnew(desk.segments))).toBe(desk.digest);
});

test.each(['CRASHED', 'CANCELLED'] as const)('goes back when its flow run is %s instead', (type) => {
  if (type === 'CANCELLED') suspend();
  expect(transact(OTHER)).toMatchObject({ outcome: 'held' });
  if (type === 'CANCELLED') desk.ask('op', { kind: 'flow', run: FLOW, to: { type: 'CANCELLING', name: 'Cancelling' } });
  else desk.hear(desk.engineProposal(desk.run(FLOW)!, { type, name: 'Crashed' }));
  desk.pass(0);
  expect(inIt()).toEqual([false, true]);
});
