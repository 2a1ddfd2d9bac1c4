import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { renameReruns } from '../../rules/rename-reruns.ts';
import type { Facts, FromType, Opinion } from '../../rules/rule.ts';
import { ENDS, facts, FROM_TYPES, NOW_MS, testReach, transition } from './fixtures.ts';

testReach(renameReruns, { on: ['task', 'background'], from: FROM_TYPES, to: ['RUNNING'] });

const awaiting: State = { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: NOW_MS };
const judge = (from: FromType | State, known: Partial<Facts>, name = 'Running'): Opinion =>
  renameReruns.judge(transition(from, { type: 'RUNNING', name }), facts(known));
const named = (name: string): object => ({ type: 'REWRITE', to: { type: 'RUNNING', name } });
const OPEN = FROM_TYPES.filter((from) => !ENDS.some((end) => end === from));

describe('a call that has never run', () => {
  test.each([...FROM_TYPES, awaiting])('runs by the name it was given, from %o', (from) => {
    expect(judge(from, { attempt: 0 })).toStrictEqual({ type: 'PASS' });
    expect(judge(from, { attempt: 0 }, 'Mine')).toStrictEqual({ type: 'PASS' });
  });
});

describe('a call that has run before', () => {
  test('and is not there has not', () => {
    expect(judge('NONE', { attempt: 2 })).toStrictEqual({ type: 'PASS' });
  });
  test('and waits for its retry is Retrying', () => {
    expect(judge(awaiting, { attempt: 1 })).toMatchObject({
      ...named('Retrying'),
      why: 'it has run once before',
    });
    expect(judge(awaiting, { attempt: 2 }, 'Mine')).toMatchObject({
      ...named('Retrying'),
      why: 'it has run 2 times before',
    });
  });
  test.each(OPEN.filter((from) => from !== 'NONE'))('and is %s is Rerunning', (from) => {
    expect(judge(from, { attempt: 1 })).toMatchObject(named('Rerunning'));
    expect(
      judge(from, { attempt: 1, ran: { execution: 1, round: 0 }, flow: { type: 'RUNNING', round: 1 } }),
    ).toMatchObject(named('Rerunning'));
  });
  test('and has the name already keeps it', () => {
    expect(judge(awaiting, { attempt: 1 }, 'Retrying')).toStrictEqual({ type: 'PASS' });
    expect(judge('PENDING', { attempt: 1 }, 'Rerunning')).toStrictEqual({ type: 'PASS' });
  });
});

describe.each(ENDS)('a call that ended %s', (end) => {
  test.each([
    { ran: { execution: 1, round: 0 }, round: 1, retries: true },
    { ran: { execution: 1, round: 1 }, round: 1, retries: false },
    { ran: { execution: 1, round: 2 }, round: 1, retries: false },
    { ran: undefined, round: 1, retries: false },
  ])('ran in $ran, its flow run is in round $round: retrying $retries', ({ ran, round, retries }) => {
    const known = facts({ attempt: 1, flow: { type: 'RUNNING', round }, ...(ran === undefined ? {} : { ran }) });
    expect(renameReruns.judge(transition(end, 'RUNNING'), known)).toMatchObject(
      retries ? named('Retrying') : { type: 'PASS' },
    );
  });
  test('and has no flow run begins anew', () => {
    const { flow: _, ...known } = facts({ attempt: 1, ran: { execution: 1, round: 0 } });
    expect(renameReruns.judge(transition(end, 'RUNNING'), known)).toStrictEqual({ type: 'PASS' });
  });
});
