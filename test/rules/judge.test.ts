import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { court, judge, type Verdict } from '../../rules/judge.ts';
import { defineRule, hold, pass, reject, rewrite, type Opinion, type Rule, type Transition } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, stateOf, transition } from './fixtures.ts';

const RUNNING = stateOf('RUNNING');
const CANCELLED = stateOf('CANCELLED');
const FAILED = stateOf('FAILED');
const asked = transition('PENDING', RUNNING);

function rule(
  name: string,
  opinion: (asked: Transition) => Opinion,
  to: Rule['to'] = ['RUNNING', 'CANCELLED', 'FAILED'],
): Rule {
  return defineRule({
    name,
    summary: name,
    on: ['task'],
    from: FROM_TYPES,
    to,
    needs: [],
    may: ['rewrite', 'reject', 'hold'],
    judge: opinion,
  });
}

const passing = rule('passing', () => pass());
const no = rule('no', () => reject('NO', 'because'));
const waiting = rule('waiting', () => hold({ type: 'FLOW' }, 'later'));
const noCancel = rule('no-cancel', ({ to }) => (to.type === 'CANCELLED' ? reject('NO', 'not that') : pass()));
const rewriting = (name: string, to: State): Rule => rule(name, () => rewrite(to, `to ${to.type}`));
const cancel = rewriting('cancel', CANCELLED);
const run = rewriting('run', RUNNING);
const timer = rule('timer', () => pass([{ type: 'TIMER', timer: 'timeout', dueAtMs: at(5) }]));
const slots = rule('slots', () => pass([{ type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] }]));

function hear(...rules: readonly Rule[]): Verdict {
  const policy = { name: 'toy', rules };
  return judge(court({ flow: policy, subflow: policy, task: policy }), asked, () => facts());
}
const names = (verdict: Verdict): string[] =>
  verdict.trail.map((entry) => (typeof entry === 'string' ? entry : `${entry.rule} ${entry.opinion}`));

describe('the hearing', () => {
  test('a policy without an objection accepts what was asked', () => {
    expect(hear()).toEqual({ outcome: 'accepted', to: RUNNING, trail: [], claims: [] });
    expect(hear(passing)).toEqual({ outcome: 'accepted', to: RUNNING, trail: ['passing'], claims: [] });
  });
  test('the first rejection ends it', () => {
    const verdict = hear(passing, no, cancel);
    expect(verdict).toMatchObject({ outcome: 'rejected', code: 'NO', to: RUNNING });
    expect(names(verdict)).toEqual(['passing', 'no reject']);
  });
  test('the first hold ends it', () => {
    const verdict = hear(waiting, no);
    expect(verdict).toMatchObject({ outcome: 'held', waits: { type: 'FLOW' }, to: RUNNING });
    expect(names(verdict)).toEqual(['waiting hold']);
  });
  test('a rule that governs another pair of states is not asked', () => {
    expect(names(hear(rule('other', () => reject('NO', 'never'), ['PAUSED'])))).toEqual([]);
  });
  test('a rule that governs another kind of run is not asked', () => {
    expect(names(hear({ ...no, on: ['flow', 'subflow'] }))).toEqual([]);
  });
});

describe('a rewrite', () => {
  test('starts the hearing again, so that the rules before it see what it made', () => {
    const verdict = hear(passing, noCancel, cancel);
    expect(names(verdict)).toEqual(['passing', 'no-cancel', 'cancel rewrite', 'passing', 'no-cancel reject']);
    expect(verdict).toMatchObject({ outcome: 'rejected', to: CANCELLED });
  });
  test('is made once by each rule, so that two that undo each other come to an end', () => {
    const verdict = hear(cancel, run);
    expect(names(verdict)).toEqual(['cancel rewrite', 'run rewrite']);
    expect(verdict).toMatchObject({ outcome: 'rewritten', to: RUNNING });
  });
  test('brings in the rules that govern what it made', () => {
    const late = rule('late', () => pass(), ['CANCELLED']);
    expect(names(hear(late, cancel))).toEqual(['cancel rewrite', 'late']);
  });
  test('to the very state that the run is in says to all rules that it stays, which no proposal can', () => {
    const seen: unknown[] = [];
    const looking = rule('looking', ({ stays }) => {
      seen.push(stays);
      return pass();
    });
    const stay = rule('stay', ({ from }) => rewrite(from!, 'as it is'));
    const policy = { name: 'toy', rules: [looking, stay] };
    const same = transition(RUNNING, RUNNING);
    judge(court({ flow: policy, subflow: policy, task: policy }), same, () => facts());
    expect(seen).toEqual([undefined, true]);
  });
  test('asks for the facts that those rules need', () => {
    const needed: string[][] = [];
    const late = { ...rule('late', () => pass(), ['CANCELLED']), needs: ['attempt'] as const };
    const policy = { name: 'toy', rules: [cancel, late] };
    judge(court({ flow: policy, subflow: policy, task: policy }), asked, (needs) => {
      needed.push([...needs]);
      return facts();
    });
    expect(needed).toEqual([[], ['attempt']]);
  });
});

describe('claims', () => {
  test('are taken from the pass that every rule let through', () => {
    expect(hear(timer, slots).claims.map(({ type }) => type)).toEqual(['TIMER', 'SLOTS']);
  });
  test('of a pass that was rewritten count for nothing', () => {
    const early = rule('early', ({ to }) => (to.type === 'RUNNING' ? pass([{ type: 'SLOTS', slots: [] }]) : pass()));
    expect(hear(early, cancel, timer).claims).toEqual([{ type: 'TIMER', timer: 'timeout', dueAtMs: 5 }]);
  });
  test.each([
    { end: no, outcome: 'rejected' },
    { end: waiting, outcome: 'held' },
  ])('of a proposal that is $outcome count for nothing', ({ end }) => {
    expect(hear(timer, end).claims).toEqual([]);
  });
});

describe('a rule that fails', () => {
  test('by throwing is an error in the trail, and the proposal is rejected', () => {
    const thrower = rule('thrower', () => {
      throw new Error('boom');
    });
    const verdict = hear(passing, thrower, cancel);
    expect(verdict).toMatchObject({ outcome: 'rejected', code: 'RULE_ERROR', claims: [] });
    expect(verdict.trail.at(-1)).toMatchObject({ rule: 'thrower', opinion: 'error', code: 'RULE_ERROR' });
    expect(JSON.stringify(verdict.trail)).toContain('boom');
  });

  test.each<{ what: string; said: unknown }>([
    { what: 'nothing', said: undefined },
    { what: 'null', said: null },
    { what: 'a text', said: 'PASS' },
    { what: 'a promise', said: Promise.resolve(pass()) },
    { what: 'an unknown opinion', said: { type: 'MAYBE' } },
    { what: 'a rewrite to nothing', said: { type: 'REWRITE', why: 'so' } },
    { what: 'a rewrite to an unknown state', said: { type: 'REWRITE', to: { type: 'GONE', name: 'Gone' }, why: 'so' } },
    { what: 'a rewrite without a reason', said: { type: 'REWRITE', to: FAILED } },
    {
      what: 'a rewrite to a SCHEDULED that is never due',
      said: { type: 'REWRITE', to: { type: 'SCHEDULED', name: 'S', dueAtMs: Number.NaN }, why: 'so' },
    },
    { what: 'a hold for nothing', said: { type: 'HOLD', why: 'so' } },
    { what: 'a hold for an unknown thing', said: { type: 'HOLD', waits: { type: 'RAIN' }, why: 'so' } },
    { what: 'a hold until never', said: { type: 'HOLD', waits: { type: 'TIME', dueAtMs: Number.NaN }, why: 'so' } },
    { what: 'a hold for slots that are no list', said: { type: 'HOLD', waits: { type: 'SLOTS' }, why: 'so' } },
    { what: 'a rejection without a code', said: { type: 'REJECT', why: 'so' } },
    { what: 'claims that are no list', said: { type: 'PASS', claims: 'all' } },
    { what: 'a claim of an unknown thing', said: { type: 'PASS', claims: [{ type: 'MONEY' }] } },
    {
      what: 'a timer that never rings',
      said: { type: 'PASS', claims: [{ type: 'TIMER', timer: 'timeout', dueAtMs: Number.POSITIVE_INFINITY }] },
    },
    {
      what: 'less than no slots',
      said: { type: 'PASS', claims: [{ type: 'SLOTS', slots: [{ limit: 'db', slots: -1 }] }] },
    },
  ])('by saying $what is an error in the trail, and the proposal is rejected', ({ said }) => {
    const verdict = hear(rule('nonsense', () => said as Opinion));
    expect(verdict).toMatchObject({ outcome: 'rejected', code: 'RULE_ERROR', claims: [] });
    expect(verdict.trail.at(-1)).toMatchObject({ rule: 'nonsense', opinion: 'error' });
  });

  test('by changing what it was asked about changes it for nobody else', () => {
    const meddler = rule('meddler', (mine) => {
      Object.assign(mine, { to: CANCELLED, report: true });
      return pass();
    });
    expect(hear(meddler, noCancel)).toMatchObject({ outcome: 'accepted', to: RUNNING });
  });

  test('by throwing something that cannot be shown is an error like any other', () => {
    const hostile = rule('hostile', () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- users' rules may throw anything.
      throw {
        toString: () => {
          throw new Error('again');
        },
      };
    });
    expect(hear(hostile)).toMatchObject({ outcome: 'rejected', code: 'RULE_ERROR' });
  });
});
