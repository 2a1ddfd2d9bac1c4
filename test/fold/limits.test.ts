/** Limits that are more than a number: deployments, who is cancelled, rates, claims; and timers that a rule refused. */
import { describe, expect, test } from 'vitest';
import type { EpochMs } from '../../protocol/ids.ts';
import type { LimitSet, RunDefinition } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import type { StateType } from '../../protocol/states.ts';
import { before } from '../../rules/compose.ts';
import { court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { defineRule, hold, pass, type Rule } from '../../rules/rule.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUNNING = { type: 'RUNNING', name: 'Running' } as const;
const MINUTE_MS = 60_000;
const WORK = { pool: 'default', queue: 'default' };

const inMs = (desk: Desk, ms: number): EpochMs => (desk.nowMs + ms) as EpochMs;

const set = (desk: Desk, limit: string, slotsMax: number, more: Partial<LimitSet> = {}): unknown =>
  desk.ask('op', { kind: 'workspace', event: { type: 'LIMIT_SET', limit, slotsMax, ...more } });

function start(desk: Desk, name: string, limits: readonly string[], more: Partial<RunDefinition> = {}): Ruling {
  const wishes = limits.map((limit) => ({ limit, slots: 1 }));
  const create: RunDefinition = { kind: 'flow', name, limits: wishes, ...more };
  return desk.ask(`s${name}`, { kind: 'flow', run: runId(name), to: RUNNING, claim: true, create })!;
}
function deployed(desk: Desk, name: string): void {
  const to = { type: 'SCHEDULED', name: 'Scheduled', dueAtMs: inMs(desk, 0) } as const;
  const create: RunDefinition = { kind: 'flow', name, work: WORK, deployment: 'nightly' };
  desk.ask('op', { kind: 'flow', run: runId(name), to, basedOn: 0, create });
}
const claim = (desk: Desk, name: string): unknown =>
  desk.ask(`s${name}`, { kind: 'flow', run: runId(name), to: RUNNING, claim: true });
function end(desk: Desk, name: string, type: StateType = 'COMPLETED'): void {
  const { execution } = desk.run(runId(name))!;
  const to = { type, name: type } as never;
  desk.ask(`s${name}`, { kind: 'flow', run: runId(name), to, report: true, execution });
}
const stateOf = (desk: Desk, name: string): StateType | undefined => desk.run(runId(name))?.state.type;
const under = (rule: Rule): Desk =>
  new Desk({ court: court({ ...corePolicies, flow: before(corePolicies.flow, 'keep-terminal-states', rule) }) });

describe('a deployment', () => {
  test('has its slot from PENDING on: who waits behind it does not keep it from running', () => {
    const desk = new Desk();
    set(desk, 'deployment:nightly', 1);
    deployed(desk, 'one');
    deployed(desk, 'two');
    expect([stateOf(desk, 'one'), stateOf(desk, 'two')]).toEqual(['PENDING', 'SCHEDULED']);
    claim(desk, 'one');
    expect(stateOf(desk, 'one')).toBe('RUNNING');
    end(desk, 'one');
    expect(stateOf(desk, 'two')).toBe('PENDING');
  });

  test('does not give its slot to a start that was put off while it waited', () => {
    const desk = new Desk();
    set(desk, 'deployment:nightly', 1);
    deployed(desk, 'one');
    deployed(desk, 'two');
    const dueAtMs = inMs(desk, 60 * MINUTE_MS);
    desk.ask('op', { kind: 'flow', run: runId('two'), to: { type: 'SCHEDULED', name: 'Scheduled', dueAtMs } });
    claim(desk, 'one');
    end(desk, 'one');
    expect(stateOf(desk, 'two')).toBe('SCHEDULED');
    desk.pass(61 * MINUTE_MS);
    expect(stateOf(desk, 'two')).toBe('PENDING');
  });
});

describe('a limit that cancels who runs', () => {
  test('does so for each that waits, one after the other', () => {
    const desk = new Desk();
    set(desk, 'latest', 1, { onFull: 'cancel-running' });
    for (const name of ['one', 'two', 'three']) start(desk, name, ['latest']);
    expect(stateOf(desk, 'one')).toBe('CANCELLING');
    end(desk, 'one', 'CANCELLED');
    expect(stateOf(desk, 'two')).toBe('CANCELLING');
    end(desk, 'two', 'CANCELLED');
    expect(stateOf(desk, 'three')).toBe('RUNNING');
  });

  test('cancels nobody when it is closed, or when another limit would keep the new run waiting', () => {
    const desk = new Desk();
    set(desk, 'latest', 1, { onFull: 'cancel-running' });
    set(desk, 'database', 1);
    start(desk, 'one', ['latest']);
    start(desk, 'other', ['database']);
    start(desk, 'two', ['latest', 'database']);
    expect(stateOf(desk, 'one')).toBe('RUNNING');
    set(desk, 'latest', 0, { onFull: 'cancel-running' });
    start(desk, 'three', ['latest']);
    expect(stateOf(desk, 'one')).toBe('RUNNING');
  });

  test('whom a rule would have cancelled and who is not there keeps nobody busy', () => {
    const rule = defineRule({
      name: 'evict-nobody',
      summary: 'Waits for what is not there.',
      on: ['flow'],
      from: ['NONE'],
      to: ['RUNNING'],
      needs: [],
      may: ['hold'],
      judge: () =>
        hold({ type: 'SLOTS', limits: [{ limit: 'none', slots: 1 }], evict: [runId('nobody')] }, 'for nobody'),
    });
    const desk = under(rule);
    start(desk, 'one', []);
    expect(desk.workspace.evictions.size).toBe(0);
  });
});

describe('a rate', () => {
  test('that is raised gives back what has yet to come back as fast as the new one says', () => {
    const desk = new Desk();
    set(desk, 'calls', 10, { slotsPerSecond: 1 / 3600 });
    for (let n = 0; n < 10; n += 1) start(desk, `run${String(n)}`, ['calls']);
    expect(start(desk, 'more', ['calls']).outcome).toBe('held');
    set(desk, 'calls', 10, { slotsPerSecond: 1000 });
    desk.pass(10);
    expect(stateOf(desk, 'more')).toBe('RUNNING');
  });
});

test('slots of a limit that is not set are not counted, now or when it is set', () => {
  const rule = defineRule({
    name: 'take-budget',
    summary: 'Takes a slot of a limit that nobody has set.',
    on: ['flow'],
    from: ['NONE'],
    to: ['RUNNING'],
    needs: [],
    may: [],
    judge: () => pass([{ type: 'SLOTS', slots: [{ limit: 'budget', slots: 1 }] }]),
  });
  const desk = under(rule);
  start(desk, 'one', []);
  set(desk, 'budget', 1);
  end(desk, 'one');
  expect(desk.workspace.limits.get('budget')).toEqual({ slotsMax: 1, used: 0 });
});

describe('what the clock asks for and a rule refuses', () => {
  let isBroken = true;
  const rule = defineRule({
    name: 'broken',
    summary: 'Throws, until it is repaired.',
    on: ['flow'],
    from: ['CANCELLING', 'SCHEDULED'],
    to: ['CANCELLED', 'PENDING'],
    needs: [],
    may: [],
    judge: () => {
      if (isBroken) throw new Error('a bug');
      return pass();
    },
  });

  test('is asked for again, less and less often, until it is granted', () => {
    isBroken = true;
    const desk = under(rule);
    start(desk, 'one', []);
    deployed(desk, 'two');
    desk.ask('op', { kind: 'flow', run: runId('one'), to: { type: 'CANCELLING', name: 'Cancelling' } });
    desk.pass(12 * 60 * MINUTE_MS);
    expect([stateOf(desk, 'one'), stateOf(desk, 'two')]).toEqual(['CANCELLING', 'SCHEDULED']);
    expect(desk.ruled.length).toBeLessThan(60);
    isBroken = false;
    desk.pass(61 * MINUTE_MS);
    expect([stateOf(desk, 'one'), stateOf(desk, 'two')]).toEqual(['CANCELLED', 'PENDING']);
  });
});

test('a rule cannot hold an end: it would be asked for again for ever', () => {
  const rule = defineRule({
    name: 'hold-ends',
    summary: 'Holds what has happened.',
    on: ['flow'],
    from: ['RUNNING'],
    to: ['COMPLETED'],
    needs: [],
    may: ['hold'],
    judge: (_, { nowMs }) => hold({ type: 'TIME', dueAtMs: (nowMs + 1000) as typeof nowMs }, 'later'),
  });
  const desk = under(rule);
  start(desk, 'one', []);
  end(desk, 'one');
  expect(desk.ruled.at(-1)?.ruling).toMatchObject({
    outcome: 'rejected',
    trail: expect.arrayContaining([expect.objectContaining({ rule: 'hold-ends', code: 'RULE_ERROR' })]) as unknown,
  });
});

test('a flow run that fails while it is paused is tried again', () => {
  const desk = new Desk();
  start(desk, 'one', [], { retry: { retriesMax: 1, delaysMs: [], jitter: 0 } });
  desk.ask('op', { kind: 'flow', run: runId('one'), to: { type: 'PAUSED', name: 'Paused' } });
  end(desk, 'one', 'FAILED');
  expect(desk.run(runId('one'))?.state.name).toBe('AwaitingRetry');
});
