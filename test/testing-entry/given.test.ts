/** What rule authors ask of `given`, and what they are told when it was otherwise. */
import { AssertionError } from 'node:assert';
import { describe, expect, test } from 'vitest';
import { before, definePolicies } from '../../rules/compose.ts';
import { corePolicies } from '../../rules/policy.ts';
import { retryFailedFlow } from '../../rules/retry-failed-flow.ts';
import { retryFailedTask } from '../../rules/retry-failed-task.ts';
import { defineRule, pass, reject } from '../../rules/rule.ts';
import { takeSlots } from '../../rules/take-slots.ts';
import { flow, task } from '../../sdk/index.ts';
import {
  asked,
  failed,
  given,
  limitSet,
  pending,
  plainFacts,
  running,
  runInVirtualTime,
  scheduled,
  timePassed,
  type Proposed,
} from '../testing/index.ts';

const noFridays = defineRule({
  name: 'no-fridays',
  summary: 'Starts nothing on a Friday.',
  on: ['flow'],
  from: ['NONE', 'PENDING'],
  to: ['RUNNING'],
  needs: [],
  may: ['reject'],
  judge: (_, { nowMs }) => (Math.floor(nowMs / 86_400_000) % 7 === 1 ? reject('FRIDAY', 'it is Friday') : pass()),
});
const FRIDAY_MS = Date.parse('2026-01-02T09:00:00Z');

/** What is said when it is not as expected. */
function told(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new Error('it was as expected');
}

describe('after a state', () => {
  test('the core policies judge, with facts that are nothing remarkable but for those given', () => {
    given().propose(running()).expectAccepted();
    given(running()).propose(failed('boom')).expectAccepted();
    given(running())
      .propose(failed('boom'))
      .with({ retry: { retriesMax: 1 } })
      .expectRewritten({ name: 'AwaitingRetry' });
    given(running())
      .propose({ type: 'COMPLETED' })
      .with({ execution: { current: 2 } })
      .expectRejected('FENCED');
    given(scheduled({ dueAtMs: 200_000 }))
      .propose(running())
      .with({ nowMs: 100_000 })
      .expectHeld({ type: 'TIME' });
    given(pending())
      .propose(running())
      .with({ slots: [{ slotsMax: 0 }] })
      .expectHeld('SLOTS');
  });

  test('one rule can be asked alone, of the kind of run that it is about', () => {
    const question = given(running())
      .propose(failed('boom'))
      .with({ retry: { retriesMax: 1 } });
    question.under(retryFailedTask).expectRewritten('SCHEDULED');
    question.under(retryFailedFlow).expectRewritten('SCHEDULED');
    given().propose(running()).with({ nowMs: FRIDAY_MS }).under(noFridays).expectRejected('FRIDAY');
    const flow = { name: 'flow', rules: [...corePolicies.flow.rules, noFridays] };
    given().propose(running()).with({ nowMs: FRIDAY_MS }).under({ flow }).expectRejected('FRIDAY');
    given().propose(running()).with({ nowMs: FRIDAY_MS }).under(flow).expectRejected('FRIDAY');
    given().propose(running()).under([takeSlots, noFridays]).expectAccepted();
  });

  test('a policy module judges by the part that holds for the run', () => {
    const module = definePolicies({
      flows: { nightly: (core) => ({ flow: before(core.flow, 'take-slots', noFridays) }) },
      tags: { prod: (core) => ({ flow: before(core.flow, 'take-slots', noFridays) }) },
    });
    const friday = given().propose(running()).with({ nowMs: FRIDAY_MS }).under(module);
    friday.expectAccepted();
    friday.with({ run: { name: 'nightly' } }).expectRejected('FRIDAY');
    friday.with({ run: { tags: ['prod'] } }).expectRejected('FRIDAY');
    const began = [asked(running(), { create: { tags: ['prod'] } }), asked({ type: 'CRASHED' })];
    given(began).propose(running(), { run: 'other' }).with({ nowMs: FRIDAY_MS }).under(module).expectAccepted();
    given(began)
      .propose(running(), { run: 'more', create: { tags: ['prod'] } })
      .with({ nowMs: FRIDAY_MS })
      .under(module)
      .expectRejected('FRIDAY');
  });

  test('a rule that changes what it is given is in error', () => {
    const greedy = defineRule({
      ...noFridays,
      name: 'greedy',
      judge: (_, facts) => {
        (facts as { nowMs: number }).nowMs = 0;
        return pass();
      },
    });
    given().propose(running()).under(greedy).expectRejected('RULE_ERROR');
  });

  test('a fact can be taken away', () => {
    expect(plainFacts({ flow: undefined })).not.toHaveProperty('flow');
    expect(plainFacts({ slots: [{ limit: 'api' }] }).slots).toMatchObject([{ limit: 'api', wanted: 1, used: 0 }]);
  });
});

describe('after a history', () => {
  const create = { retry: { retriesMax: 1, delaysMs: [60_000], jitter: 0 } };
  const began = asked(running(), { create });

  test('facts come from what the fold made of it', () => {
    given([began]).propose(failed('once')).expectRewritten({ name: 'AwaitingRetry' });
    given([began, asked(failed('once')), timePassed('1m'), asked(running())])
      .propose(failed('twice'))
      .expectAccepted();
    given([began, asked(failed('once'))])
      .propose(running())
      .expectHeld('TIME');
    given([began, asked({ type: 'COMPLETED' })])
      .propose(failed('late'))
      .expectRejected('ALREADY_ENDED');
  });

  test('facts that are given stand in their place', () => {
    given([began])
      .propose(failed('once'))
      .with({ retry: { used: 1 } })
      .expectAccepted();
    given([began])
      .propose(failed('once'))
      .with({ execution: { current: 7 } })
      .expectRejected('FENCED');
  });

  test('several runs compete, and calls belong to their flow run', () => {
    const limits = [{ limit: 'db', slots: 1 }];
    const full = [limitSet('db', 1), asked(running(), { run: 'first', create: { limits } })];
    const second: Proposed = given(full).propose(running(), { run: 'second', create: { limits } });
    second
      .expectHeld('SLOTS')
      .under({ flow: { name: 'none', rules: [] } })
      .expectAccepted();
    const freed = [...full, asked({ type: 'COMPLETED' }, { run: 'first' })];
    given(freed).propose(running(), { run: 'second', create: { limits } }).expectAccepted();
    given([began]).propose(running(), { run: 'flow.task' }).expectAccepted();
    given([began, asked({ type: 'CANCELLING' }, { by: 'operator' })])
      .propose(running(), { run: 'flow.task' })
      .expectRejected('FLOW_NOT_RUNNING');
  });

  test('rulings that were recorded elsewhere are a history too', async () => {
    const once = task({ name: 'once', retries: 1, retryDelay: '1h' }, () => 'done');
    const { rulings } = await runInVirtualTime(flow({ name: 'recorded', retries: 2 }, () => once()));
    const outcomes = rulings.map(({ outcome, proposal }) => [outcome, proposal.kind]);
    expect(outcomes).toEqual([
      ['accepted', 'flow'],
      ['accepted', 'task'],
      ['accepted', 'task'],
      ['accepted', 'flow'],
    ]);
    const untilTheTaskRan = given(rulings.slice(0, 2));
    untilTheTaskRan.propose(failed('boom')).expectRewritten({ name: 'AwaitingRetry' });
    const { proposal } = rulings[1]!;
    const taskRun = proposal.kind === 'workspace' ? '' : proposal.run;
    untilTheTaskRan.propose(failed('boom'), { run: taskRun }).expectRewritten({ name: 'AwaitingRetry' });
    given(rulings).propose(failed('boom')).expectRejected('ALREADY_ENDED');
    const told = given(rulings.slice(0, 2)).propose({ type: 'COMPLETED' });
    expect(told.words).toContain('Before that:');
    told.expectAccepted();
  });

  test('what is due happens when time passes', () => {
    const timed = asked(running(), { create: { timeoutMs: 60_000 } });
    given([timed, timePassed('59s')])
      .propose({ type: 'COMPLETED' })
      .expectAccepted();
    given([timed, timePassed('61s')])
      .propose({ type: 'COMPLETED' })
      .expectRejected('ALREADY_ENDED');
  });
});

describe('what was not expected', () => {
  test('is told with the whole trail in words', () => {
    const question = given(running())
      .propose(failed('boom'))
      .with({ execution: { current: 2 } });
    const message = told(() => question.expectRewritten({ name: 'AwaitingRetry' }));
    expect(message).toMatch(
      /^RUNNING -> FAILED of a flow was to be rewritten to \{"name":"AwaitingRetry"\}, but it was rejected \(FENCED\)\./,
    );
    expect(message).toContain('1. fence-stale-executions rejected it (FENCED): ');
  });

  test('names the rule that was never asked, and what it governs', () => {
    const message = told(() => given(running()).propose(failed()).under(noFridays).expectRejected());
    expect(message).toContain('no rule was asked');
    expect(message).toContain('no-fridays was not asked: it governs flow, from NONE, PENDING to RUNNING');
  });

  test('tells what the history came to', () => {
    const history = [asked(running()), asked({ type: 'CANCELLING' }, { by: 'ada', reason: 'enough' })];
    const message = told(() => given(history).propose(failed('boom')).expectRejected());
    expect(message).toContain('Before that:');
    expect(message).toContain('CANCELLING, asked by ada because of “enough”: accepted');
  });

  test('is no matter of the outcome alone', () => {
    told(() =>
      given(running())
        .propose(failed())
        .with({ execution: { current: 2 } })
        .expectRejected('STALE'),
    );
    told(() =>
      given(pending())
        .propose(running())
        .with({ slots: [{ slotsMax: 0 }] })
        .expectHeld('TIME'),
    );
    told(() => given().propose(running()).expectHeld());
    told(() =>
      given(running())
        .propose(failed())
        .with({ retry: { retriesMax: 1 } })
        .expectRewritten({ type: 'PENDING' }),
    );
  });

  test('has a stack that begins in the test', () => {
    try {
      given().propose(running()).expectRejected();
    } catch (error) {
      expect((error as Error).stack?.split('\n').find((line) => line.includes('    at '))).toContain('given.test.ts');
    }
    expect.assertions(1);
  });
});
