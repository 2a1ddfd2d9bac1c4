import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { pauseRunningFlow } from '../../rules/pause-running-flow.ts';
import type { FromType, Opinion, RunKind } from '../../rules/rule.ts';
import { facts, FROM_TYPES, testReach, transition } from './fixtures.ts';

testReach(pauseRunningFlow, { on: ['flow', 'subflow'], from: FROM_TYPES, to: ['PAUSED'] });

type Asked = { from?: FromType; pause?: object; kind?: RunKind; fired?: readonly string[]; byWorker?: boolean };

function judge({ from = 'RUNNING', pause = {}, kind = 'flow', fired = [], byWorker = true }: Asked): Opinion {
  const to: State = { type: 'PAUSED', name: 'Paused', ...pause };
  return pauseRunningFlow.judge(
    transition(from, to, { kind }),
    facts({ pauses: fired, resume: { byWorker, used: 0 } }),
  );
}

test.each(FROM_TYPES)('a flow run that is %s', (from) => {
  const opinion = from === 'RUNNING' ? { type: 'PASS' } : { type: 'REJECT', code: 'NOT_RUNNING' };
  expect(judge({ from })).toMatchObject(opinion);
  expect(judge({ from, pause: { suspended: true } })).toMatchObject(opinion);
});

test('the refusal has the word of what was asked for', () => {
  expect(judge({ from: 'PENDING' })).toMatchObject({ why: 'only a running flow run can be paused' });
  expect(judge({ from: 'PENDING', pause: { suspended: true } })).toMatchObject({
    why: 'only a running flow run can be suspended',
  });
});

describe('a pause with a key', () => {
  test.each([
    { key: 'approval', fired: [], opinion: { type: 'PASS' } },
    { key: 'approval', fired: ['review'], opinion: { type: 'PASS' } },
    { key: 'approval', fired: ['review', 'approval'], opinion: { type: 'REJECT', code: 'PAUSE_FIRED' } },
    { key: undefined, fired: ['approval'], opinion: { type: 'PASS' } },
  ])('$key, after $fired: $opinion', ({ key, fired, opinion }) => {
    expect(judge({ pause: key === undefined ? {} : { key }, fired })).toMatchObject(opinion);
  });
  test('that has fired is over, whoever could go on with it', () => {
    expect(judge({ pause: { key: 'a', suspended: true }, fired: ['a'], byWorker: false })).toMatchObject({
      code: 'PAUSE_FIRED',
    });
  });
});

describe('who can go on with it', () => {
  test.each<{ kind: RunKind; suspended: boolean; byWorker: boolean; opinion: object }>([
    { kind: 'flow', suspended: true, byWorker: true, opinion: { type: 'PASS' } },
    { kind: 'flow', suspended: true, byWorker: false, opinion: { code: 'NO_WORKER', why: /serve the flow/ } },
    { kind: 'flow', suspended: false, byWorker: false, opinion: { type: 'PASS' } },
    { kind: 'subflow', suspended: true, byWorker: true, opinion: { code: 'NO_WORKER', why: /at the top/ } },
    { kind: 'subflow', suspended: true, byWorker: false, opinion: { code: 'NO_WORKER', why: /at the top/ } },
    { kind: 'subflow', suspended: false, byWorker: false, opinion: { type: 'PASS' } },
  ])('a $kind, suspended: $suspended, found by a worker: $byWorker', ({ kind, suspended, byWorker, opinion }) => {
    const got = judge({ kind, pause: suspended ? { suspended: true } : {}, byWorker });
    const { why, ...rest } = opinion as { why?: RegExp };
    expect(got).toMatchObject(rest);
    if (why !== undefined) expect(got).toMatchObject({ why: expect.stringMatching(why) as unknown });
  });
});

test('a pause that the death of its process has suspended is no new one', () => {
  const paused: State = { type: 'PAUSED', name: 'Paused', key: 'approval' };
  const to: State = { ...paused, name: 'Suspended', suspended: true };
  const known = facts({ pauses: ['approval'] });
  expect(pauseRunningFlow.judge(transition(paused, to, { kind: 'flow', asked: 'CRASHED' }), known)).toStrictEqual({
    type: 'PASS',
  });
});
