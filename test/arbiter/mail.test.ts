/** Messages and waits through a whole arbiter, in virtual time: settled before they are answered, and after a takeover too. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mailboxOf } from '../../protocol/proposals.ts';
import { replayProblems } from '../support/replayed.ts';
import { runId } from '../support/worlds.ts';
import { SmallWorld } from './small-world.ts';

const FLOW = runId('flow');
const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const WORK = { pool: 'p', queue: 'q' };
const GO = mailboxOf(FLOW, 'go');
const started = {
  kind: 'flow',
  run: FLOW,
  to: RUNNING,
  claim: true,
  create: { kind: 'flow', name: 'f', work: WORK },
} as const;
const send = { kind: 'workspace', event: { type: 'MESSAGE_SENT', to: FLOW, name: 'go' } } as const;

const receive = (name: string, untilMs?: number): object => {
  const receives = { type: 'MESSAGE', mailbox: GO, ...(untilMs === undefined ? {} : { untilMs }) };
  const create = { kind: 'task', name, parent: FLOW, receives };
  return { kind: 'task', run: `${FLOW}.${name}`, to: RUNNING, execution: 1, create };
};
const suspend = (more: object): object => ({
  kind: 'flow',
  run: FLOW,
  to: { type: 'PAUSED', name: 'Waiting', suspended: true, ...more },
  execution: 1,
});

let world: SmallWorld;
beforeEach(() => {
  world = new SmallWorld();
});
afterEach(async () => {
  expect(await replayProblems(world.ledger)).toEqual([]);
});

const stateOf = (run: string): unknown => {
  const { state } = world.arbiters.at(-1)?.arbiter.workspace.runs.get(run) ?? {};
  return state && [state.type, state.name];
};

test('a held receive is granted when the message comes, and its asker is told', async () => {
  world.begin();
  world.propose('one', { ...started, counter: 0 }, { ...receive('a'), counter: 1 });
  await world.pass(100);
  expect(world.answers('one')).toEqual([
    [0, 'accepted'],
    [1, 'held'],
  ]);
  world.propose('two', { ...send, counter: 0 });
  await world.pass(100);
  expect(world.answers('one').at(-1)).toEqual([1, 'rewritten']);
  expect(stateOf(`${FLOW}.a`)).toEqual(['COMPLETED', 'Received']);
});

test('it fails when its time is over, under whichever arbiter', async () => {
  const first = world.begin();
  world.propose('one', { ...started, counter: 0 }, { ...receive('a', 3000), counter: 1 });
  await world.pass(100);
  first.process.kill();
  world.begin('B');
  await world.pass(2800);
  expect(stateOf(`${FLOW}.a`)).toBeUndefined();
  await world.pass(200);
  expect(stateOf(`${FLOW}.a`)).toEqual(['FAILED', 'TimedOut']);
});

test('a message that a predecessor settled finds who waits when a successor comes', async () => {
  const first = world.begin();
  world.propose('one', { ...started, counter: 0 }, { ...receive('a'), counter: 1 });
  await world.pass(100);
  // What is on its way when it is killed is settled, and nobody has acted on it.
  world.latencyMs = 50;
  world.propose('two', { ...send, counter: 0 });
  await world.pass(60);
  first.process.kill();
  world.latencyMs = 1;
  world.begin('B');
  await world.pass(100);
  world.propose('two', { ...send, counter: 0 });
  await world.pass(100);
  expect(stateOf(`${FLOW}.a`)).toEqual(['COMPLETED', 'Received']);
  const received = (await world.rulings()).filter(({ state }) => state?.name === 'Received');
  expect(received).toHaveLength(1);
});

test('a suspended run is handed to a worker when its message comes', async () => {
  world.begin();
  const calls = [
    { ...receive('a'), counter: 1 },
    { ...suspend({ wakeOn: [GO] }), counter: 2 },
  ];
  world.propose('one', { ...started, counter: 0 }, ...calls);
  await world.pass(1000);
  expect([stateOf(FLOW), world.hints]).toEqual([['PAUSED', 'Waiting'], []]);
  world.propose('two', { ...send, counter: 0 });
  await world.pass(100);
  expect(stateOf(FLOW)).toEqual(['PENDING', 'Pending']);
  expect(world.hints).toMatchObject([{ run: FLOW, pool: 'p' }]);
});

test('a suspended run is handed to a worker when its sleep is over', async () => {
  world.begin();
  world.propose('one', { ...started, counter: 0 }, { ...suspend({ wakeAtMs: 5000 }), counter: 1 });
  await world.pass(4900);
  expect([stateOf(FLOW), world.hints]).toEqual([['PAUSED', 'Waiting'], []]);
  await world.pass(200);
  expect(world.hints).toMatchObject([{ run: FLOW, pool: 'p' }]);
});
