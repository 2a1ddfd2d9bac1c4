import { describe, expect, test } from 'vitest';
import type { State, StateType } from '../../protocol/states.ts';
import { resumePausedFlow } from '../../rules/resume-paused-flow.ts';
import type { Opinion, RunKind } from '../../rules/rule.ts';
import { at, facts, NOW_MS, testReach, transition } from './fixtures.ts';

// An end and CANCELLING are not governed: whoever wants to may end a pause so.
testReach(resumePausedFlow, {
  on: ['flow', 'subflow', 'background'],
  from: ['PAUSED'],
  to: ['SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED'],
});

function judge(to: StateType, pause: object = {}, byWorker = true, kind: RunKind = 'flow'): Opinion {
  const from: State = { type: 'PAUSED', name: 'Paused', ...pause };
  return resumePausedFlow.judge(transition(from, to, { kind }), facts({ resume: { byWorker, used: 0 } }));
}
const suspended = { name: 'Suspended', suspended: true };
const over = { timeoutAtMs: at(NOW_MS) };

test.each(['PENDING', 'PAUSED'] as const)('a paused flow run does not become %s', (to) => {
  for (const pause of [{}, suspended, over]) {
    expect(judge(to, pause)).toMatchObject({
      type: 'REJECT',
      code: 'NOT_RESUMABLE',
      why: `a paused run cannot become ${to}`,
    });
  }
});

describe.each(['RUNNING', 'SCHEDULED'] as const)('by %s', (to) => {
  test('it goes on', () => {
    expect(judge(to)).toStrictEqual({ type: 'PASS' });
    expect(judge(to, {}, false)).toStrictEqual({ type: 'PASS' });
    expect(judge(to, suspended)).toStrictEqual({ type: 'PASS' });
    expect(judge(to, { timeoutAtMs: at(NOW_MS + 1) })).toStrictEqual({ type: 'PASS' });
  });
  test('it does not go on where nobody could', () => {
    expect(judge(to, suspended, false)).toMatchObject({
      type: 'REJECT',
      code: 'NO_WORKER',
      why: 'no worker could find the suspended run to go on with it',
    });
    expect(judge(to, { ...suspended, ...over }, false)).toMatchObject({ code: 'NO_WORKER' });
    expect(judge(to, suspended, false, 'subflow')).toStrictEqual({ type: 'PASS' });
  });
  test.each([
    { pause: over, word: 'paused' },
    { pause: { timeoutAtMs: at(NOW_MS - 1) }, word: 'paused' },
    { pause: { ...suspended, ...over }, word: 'suspended' },
  ])('it fails when its time is over: $word', ({ pause, word }) => {
    expect(judge(to, pause)).toMatchObject({
      type: 'REWRITE',
      to: {
        type: 'FAILED',
        name: 'Failed',
        message: `the flow run was ${word} and never resumed`,
        retriable: false,
      },
    });
  });
});

describe('a run that only sleeps or waits for mail', () => {
  const sleeps = { name: 'Sleeping', suspended: true, wakeAtMs: at(NOW_MS + 60_000) } as const;
  const waits = { name: 'Waiting', suspended: true, wakeOn: ['abc message:order'] } as const;
  const asked = (pause: object, to: StateType, by: string, claim = false): Opinion =>
    resumePausedFlow.judge(
      transition({ type: 'PAUSED', name: 'Paused', ...pause }, to, { kind: 'flow', by, claim }),
      facts({ resume: { byWorker: true, used: 0 } }),
    );
  test.each([
    { pause: sleeps, why: 'it sleeps, and goes on by itself: no word ends that' },
    { pause: waits, why: 'it waits, and goes on by itself: no word ends that' },
    { pause: { ...waits, wakeAtMs: at(NOW_MS + 1) }, why: 'it waits, and goes on by itself: no word ends that' },
  ])('is not resumed by a word: $pause.name', ({ pause, why }) => {
    expect(asked(pause, 'SCHEDULED', 'cli')).toStrictEqual({ type: 'REJECT', code: 'NOT_RESUMABLE', why });
  });
  test('is woken by the clock, claimed by a process, and resumed where it asks for a word as well', () => {
    expect(asked(sleeps, 'SCHEDULED', 'engine')).toStrictEqual({ type: 'PASS' });
    expect(asked(sleeps, 'RUNNING', 'sdk', true)).toStrictEqual({ type: 'PASS' });
    expect(asked({ ...waits, key: 'approval' }, 'SCHEDULED', 'cli')).toStrictEqual({ type: 'PASS' });
  });
});

test('in nobody’s hands it runs by a claim alone', () => {
  const from: State = { type: 'PAUSED', name: 'Paused' };
  const known = facts({ inHands: false, resume: { byWorker: true, used: 0 } });
  const asked = (claim: boolean): Opinion =>
    resumePausedFlow.judge(transition(from, 'RUNNING', { kind: 'flow', claim }), known);
  expect(asked(false)).toMatchObject({ type: 'REJECT', code: 'NOT_RESUMABLE' });
  expect(asked(true)).toStrictEqual({ type: 'PASS' });
  const scheduled = transition(from, 'SCHEDULED', { kind: 'flow' });
  expect(resumePausedFlow.judge(scheduled, known)).toStrictEqual({ type: 'PASS' });
});

test('what became of its process’s death is no new pause', () => {
  const from: State = { type: 'PAUSED', name: 'Paused' };
  const to: State = { ...from, name: 'Suspended', suspended: true };
  expect(resumePausedFlow.judge(transition(from, to, { kind: 'flow', asked: 'CRASHED' }), facts())).toStrictEqual({
    type: 'PASS',
  });
});
