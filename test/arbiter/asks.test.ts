/** Questions that a process asks before it proposes, answered from what is settled. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answerAsk } from '../../engine/arbiter/asks.ts';
import type { Digest, RunId } from '../../protocol/ids.ts';
import type { Ask, Outcomes, RunView } from '../../protocol/messages.ts';
import type { ArbiterProcess } from '../support/memory-arbiter.ts';
import { NO_DIGEST, runId } from '../support/worlds.ts';
import { replayProblems } from '../support/replayed.ts';
import { SmallWorld } from './small-world.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const COMPLETED = { type: 'COMPLETED', name: 'Completed' } as const;
const FLOW = runId('flow');
const identity = 'a'.repeat(64) as Digest;
let world: SmallWorld;
let arbiter: ArbiterProcess;

afterEach(async () => {
  expect(await replayProblems(world.ledger)).toEqual([]);
});

beforeEach(async () => {
  world = new SmallWorld();
  arbiter = world.begin();
  const create = { kind: 'flow', name: 'f', identity };
  world.propose('one', { kind: 'flow', run: FLOW, to: RUNNING, claim: true, create, counter: 0 });
  await world.pass(100);
});

const ask = (question: Ask): Promise<unknown> =>
  answerAsk(arbiter.arbiter, question, {
    policy: NO_DIGEST,
    completesEarly: true,
    heartbeatLimitMs: 10_000,
    monotonicMs: () => world.kernel.nowMs,
  });

describe('a process asks', () => {
  test('who is active', async () => {
    expect(await ask({ v: 1, type: 'HELLO' })).toMatchObject({ v: 1, epoch: 1, completesEarly: true });
  });

  test('how a run is, and who executes it', async () => {
    arbiter.arbiter.beat('one', { v: 1, pid: 42, host: 'here' });
    expect(await ask({ v: 1, type: 'RUN', run: FLOW })).toMatchObject({
      run: { run: FLOW, state: RUNNING, version: 1, execution: 1, process: { session: 'one', pid: 42, host: 'here' } },
    });
    expect(await ask({ v: 1, type: 'RUN', run: runId('nobody') })).not.toHaveProperty('run');
  });

  test('which run of its kind has not ended', async () => {
    expect(await ask({ v: 1, type: 'UNFINISHED', identity })).toMatchObject({ run: { run: FLOW } });
    world.propose('one', { kind: 'flow', run: FLOW, to: COMPLETED, report: true, execution: 1, counter: 1 });
    await world.pass(100);
    expect(await ask({ v: 1, type: 'UNFINISHED', identity })).not.toHaveProperty('run');
  });

  test('for all that its predecessor left of one kind, one after the other, the newest first', async () => {
    const create = { kind: 'flow', name: 'f', identity };
    const [twin, other] = [runId('twin'), runId('other')];
    const unfinished = async (before?: RunId): Promise<unknown> =>
      ((await ask({ v: 1, type: 'UNFINISHED', identity, ...(before && { before }) })) as { run?: RunView }).run?.run;
    world.propose('one', { kind: 'flow', run: twin, to: RUNNING, claim: true, create, counter: 1 });
    await world.pass(100);
    expect([await unfinished(), await unfinished(twin), await unfinished(FLOW)]).toEqual([twin, FLOW, undefined]);
    world.propose('one', { kind: 'flow', run: twin, to: COMPLETED, report: true, execution: 1, counter: 2 });
    await world.pass(100);
    expect([await unfinished(), await unfinished(twin)]).toEqual([FLOW, undefined]);
    // What another process begins is another night's work.
    world.propose('two', { kind: 'flow', run: other, to: RUNNING, claim: true, create, counter: 0 });
    await world.pass(100);
    expect([await unfinished(), await unfinished(other)]).toEqual([other, undefined]);
  });

  test('how the calls ended that are not to be done again, and what one of them is', async () => {
    const call = { key: 'b', inputs: 'b'.repeat(64) as Digest, ordinal: 0 };
    const drafts = ['a', 'b', 'c'].flatMap((name) => {
      const run = `${FLOW}.${name}` as RunId;
      const create = { kind: 'task', name, parent: FLOW, ...(name === 'b' ? { call } : {}) };
      const began = { kind: 'task', run, to: RUNNING, execution: 1, create };
      return [began, { kind: 'task', run, to: COMPLETED, report: true, execution: 1 }];
    });
    const failed = { kind: 'flow', run: FLOW, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 };
    const again = { kind: 'flow', run: FLOW, to: RUNNING, claim: true, redoFrom: `${FLOW}.b` };
    world.propose('one', ...[...drafts, failed, again].map((draft, i) => ({ ...draft, counter: i + 1 })));
    await world.pass(200);
    const { ended } = (await ask({ v: 1, type: 'OUTCOMES', run: FLOW })) as Outcomes;
    expect(ended.map(({ run }) => run)).toEqual([`${FLOW}.a`]);
    expect(await ask({ v: 1, type: 'RUN', run: `${FLOW}.b` as RunId })).toMatchObject({ run: { call } });
  });

  test('which flow runs within it came to nothing before: of this round they have their end, of another they are spent', async () => {
    const [one, two] = ['one', 'two'].map((name) => `${FLOW}.${name}` as RunId);
    const create = { kind: 'flow', name: 'inner', parent: FLOW };
    const failed = { type: 'FAILED', name: 'Failed' };
    const end = (run: RunId | undefined, to: unknown) => ({ kind: 'flow', run, to, report: true, execution: 1 });
    const begun = [one, two].map((run) => ({ kind: 'flow', run, to: RUNNING, execution: 1, create }));
    world.propose(
      'one',
      ...[...begun, end(one, failed), end(two, { type: 'CANCELLED', name: 'Cancelled' })].map((draft, i) => ({
        ...draft,
        counter: i + 1,
      })),
    );
    await world.pass(200);
    const spent = async () =>
      ((await ask({ v: 1, type: 'OUTCOMES', run: FLOW })) as Outcomes).ended.map(({ run, spent: is }) => [run, is]);
    expect(await spent()).toEqual([
      [one, undefined],
      [two, true],
    ]);
    const claim = { kind: 'flow', run: FLOW, to: RUNNING, claim: true };
    world.propose('one', { ...end(FLOW, failed), counter: 5 }, { ...claim, counter: 6 });
    await world.pass(200);
    expect(await spent()).toEqual([
      [one, true],
      [two, true],
    ]);
  });

  test('how the calls of a run ended, page by page, each once', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `t${String(i)}`);
    const calls = names
      .flatMap((name, i) => {
        const run = `${FLOW}.${name}` as RunId;
        const create = { kind: 'task', name: 't', parent: FLOW };
        const began = { kind: 'task', run, to: RUNNING, execution: 1, create };
        return i % 10 === 0 ? [began] : [began, { kind: 'task', run, to: COMPLETED, report: true, execution: 1 }];
      })
      .map((draft, i) => ({ ...draft, counter: i + 1 }));
    for (let at = 0; at < calls.length; at += 200) world.propose('one', ...calls.slice(at, at + 200));
    await world.pass(500);
    const ended: string[] = [];
    let pages = 0;
    for (let after: RunId | undefined; ; pages += 1) {
      const page = (await ask({ v: 1, type: 'OUTCOMES', run: FLOW, ...(after && { after }) })) as Outcomes;
      ended.push(...page.ended.map(({ run, state }) => `${run} ${state.type}`));
      after = page.next;
      if (after === undefined) break;
    }
    const expected = names.filter((_, i) => i % 10 !== 0).map((name) => `${FLOW}.${name} COMPLETED`);
    expect(ended).toEqual(expected.sort());
    expect(pages).toBeGreaterThan(0);
  });

  test('what a variable is, once that is settled', async () => {
    const value = { digest: 'b'.repeat(64), size: 3, inline: '[1]' };
    expect(await ask({ v: 1, type: 'VARIABLE', name: 'rate' })).toEqual({ v: 1 });
    world.propose('one', { kind: 'workspace', event: { type: 'VARIABLE_SET', name: 'rate', value }, counter: 1 });
    await world.pass(100);
    expect(await ask({ v: 1, type: 'VARIABLE', name: 'rate' })).toEqual({ v: 1, value });
    world.latencyMs = 50;
    world.propose('one', { kind: 'workspace', event: { type: 'VARIABLE_REMOVED', name: 'rate' }, counter: 2 });
    for (let passed = 0; passed < 200 && arbiter.arbiter.incarnation?.isQuiet === true; passed += 1)
      await world.pass(1);
    expect(arbiter.arbiter.workspace.variables.size).toBe(0);
    expect(arbiter.arbiter.incarnation?.isQuiet).toBe(false);
    const answer = ask({ v: 1, type: 'VARIABLE', name: 'rate' }).then((said) => ({
      said,
      isQuiet: arbiter.arbiter.incarnation?.isQuiet,
    }));
    for (let passed = 0; passed < 200 && arbiter.arbiter.incarnation?.isQuiet === false; passed += 1)
      await world.pass(1);
    expect(arbiter.arbiter.incarnation?.isQuiet).toBe(true);
    expect(await answer).toEqual({ said: { v: 1 }, isQuiet: true });
  });
});
