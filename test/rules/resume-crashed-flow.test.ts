import { expect, test } from 'vitest';
import { resumeCrashedFlow } from '../../rules/resume-crashed-flow.ts';
import type { State } from '../../protocol/states.ts';
import { at, facts, NOW_MS, stateOf, testReach, transition } from './fixtures.ts';

testReach(resumeCrashedFlow, { on: ['flow'], from: ['RUNNING', 'SCHEDULED'], to: ['CRASHED'] });

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
