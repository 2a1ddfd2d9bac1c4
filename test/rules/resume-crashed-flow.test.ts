import { expect, test } from 'vitest';
import { resumeCrashedFlow } from '../../rules/resume-crashed-flow.ts';
import type { State } from '../../protocol/states.ts';
import { at, facts, NOW_MS, stateOf, testReach, transition } from './fixtures.ts';

testReach(resumeCrashedFlow, {
  on: ['flow', 'background'],
  from: ['RUNNING', 'SCHEDULED', 'PAUSED'],
  to: ['CRASHED'],
});

test.each([
  { byWorker: false, used: 0, opinion: 'PASS' },
  { byWorker: false, used: 20, opinion: 'PASS' },
  { byWorker: true, used: 0, opinion: 'REWRITE' },
  { byWorker: true, used: 19, opinion: 'REWRITE' },
  { byWorker: true, used: 20, opinion: 'PASS' },
])('found by a worker: $byWorker, resumed $used times: $opinion', ({ byWorker, used, opinion }) => {
  const crash = transition('RUNNING', 'CRASHED', { kind: 'flow' });
  expect(resumeCrashedFlow.judge(crash, facts({ resume: { byWorker, used } })).type).toBe(opinion);
});

test('it waits for the next worker from now on, with the words of its death', () => {
  const crash = transition('RUNNING', { ...stateOf('CRASHED'), message: 'silent for 10 s' }, { kind: 'flow' });
  expect(resumeCrashedFlow.judge(crash, facts({ resume: { byWorker: true, used: 0 } }))).toMatchObject({
    to: { type: 'SCHEDULED', name: 'AwaitingResume', dueAtMs: NOW_MS, message: 'silent for 10 s' },
  });
});

test.each([
  { retryInMs: 5000, dueInMs: 5000 },
  { retryInMs: -5000, dueInMs: 0 },
])('one that waits $retryInMs ms for its retry goes on in $dueInMs ms', ({ retryInMs, dueInMs }) => {
  const waiting: State = { type: 'SCHEDULED', name: 'AwaitingRetry', dueAtMs: at(NOW_MS + retryInMs) };
  const opinion = resumeCrashedFlow.judge(
    transition(waiting, 'CRASHED', { kind: 'flow' }),
    facts({ resume: { byWorker: true, used: 0 } }),
  );
  expect(opinion).toMatchObject({ to: { name: 'AwaitingResume', dueAtMs: NOW_MS + dueInMs } });
});

test('one that was paused stays paused, by the same key and until the same time, for a worker to go on with', () => {
  const pause: State = { type: 'PAUSED', name: 'Paused', key: 'approval', timeoutAtMs: at(NOW_MS + 10) };
  const crash = transition(pause, 'CRASHED', { kind: 'flow' });
  expect(resumeCrashedFlow.judge(crash, facts({ resume: { byWorker: true, used: 0 } }))).toMatchObject({
    to: { ...pause, name: 'Suspended', suspended: true },
  });
  expect(resumeCrashedFlow.judge(crash, facts({ resume: { byWorker: false, used: 0 } }))).toStrictEqual({
    type: 'PASS',
  });
});

test('it says how often it was resumed when it is not any more', () => {
  const crash = transition('RUNNING', 'CRASHED', { kind: 'flow' });
  expect(resumeCrashedFlow.judge(crash, facts({ resume: { byWorker: true, used: 20 } }))).toMatchObject({
    why: 'it was resumed 20 times already',
  });
});
