import { describe, expect, test } from 'vitest';
import { court, ImpureRule, judge, type Verdict } from '../../rules/judge.ts';
import { pass, reject, rewrite, type Facts, type Opinion, type Rule } from '../../rules/rule.ts';
import { facts, transition } from './fixtures.ts';
import { asked, cancel, CANCELLED, no, noCancel, passing, rule, run, RUNNING, slots, timer, waiting } from './toys.ts';

function hear(...rules: readonly Rule[]): Verdict {
  const policy = { name: 'toy', rules };
  return judge(court({ task: policy }), asked, () => facts());
}
const names = (verdict: Verdict): string[] =>
  verdict.trail.map((entry) => (typeof entry === 'string' ? entry : `${entry.rule} ${entry.opinion}`));

describe('the hearing', () => {
  test('a policy without an objection accepts what was asked', () => {
    expect(hear()).toStrictEqual({ outcome: 'accepted', to: RUNNING, trail: [], claims: [] });
    expect(hear(passing)).toStrictEqual({ outcome: 'accepted', to: RUNNING, trail: ['passing'], claims: [] });
  });
  test('the first rejection ends it', () => {
    const verdict = hear(passing, no, cancel);
    expect(verdict).toMatchObject({ outcome: 'rejected', code: 'NO', to: RUNNING });
    expect(names(verdict)).toStrictEqual(['passing', 'no reject']);
  });
  test('the first hold ends it', () => {
    const verdict = hear(waiting, no);
    expect(verdict).toMatchObject({ outcome: 'held', waits: { type: 'FLOW' }, to: RUNNING });
    expect(names(verdict)).toStrictEqual(['waiting hold']);
  });
  test('a rule that governs another pair of states is not asked', () => {
    expect(names(hear(rule('other', () => reject('NO', 'never'), ['PAUSED'])))).toStrictEqual([]);
  });
  test('a rule that governs another kind of run is not asked', () => {
    expect(names(hear({ ...no, on: ['flow', 'subflow'] }))).toStrictEqual([]);
  });
});

describe('what is not ruled', () => {
  test('by a policy that is left out is accepted', () => {
    const nothing = { outcome: 'accepted', to: RUNNING, trail: [], claims: [] };
    expect(judge(court({}), asked, () => facts())).toStrictEqual(nothing);
    expect(judge(court({ flow: { name: 'toy', rules: [no] } }), asked, () => facts())).toStrictEqual(nothing);
  });
  test('is asked for no facts', () => {
    const needed: unknown[] = [];
    const spy = (needs: readonly string[]): Facts => {
      needed.push([...needs]);
      return facts();
    };
    const needy = (name: string, needs: Rule['needs']): Rule => ({ ...passing, name, needs });
    const elsewhere: Rule = { ...needy('elsewhere', ['chance']), to: ['PAUSED'] };
    const policy = { name: 'toy', rules: [needy('one', ['run', 'slots']), needy('two', ['slots']), elsewhere] };
    judge(court({ task: policy }), asked, spy);
    judge(court({}), asked, spy);
    expect(needed).toStrictEqual([['run', 'slots'], []]);
  });
  test('from another state is not asked about', () => {
    const policy = { name: 'toy', rules: [{ ...no, from: ['NONE', 'RUNNING'] as const }] };
    expect(judge(court({ task: policy }), asked, () => facts()).outcome).toBe('accepted');
    expect(judge(court({ task: policy }), transition('NONE', RUNNING), () => facts()).outcome).toBe('rejected');
  });
});

describe('the trail', () => {
  const remark = rule('remark', () => pass(undefined, 'by the way'));
  test('has the name of what passed, and what it said if it said anything', () => {
    expect(hear(passing, remark).trail).toStrictEqual([
      'passing',
      { rule: 'remark', opinion: 'pass', why: 'by the way' },
    ]);
  });
  test('has who rewrote, rejected and held, and why', () => {
    expect(hear(cancel, noCancel).trail).toStrictEqual([
      { rule: 'cancel', opinion: 'rewrite', why: 'to CANCELLED' },
      { rule: 'no-cancel', opinion: 'reject', why: 'not that', code: 'NO' },
    ]);
    expect(hear(waiting).trail).toStrictEqual([{ rule: 'waiting', opinion: 'hold', why: 'later' }]);
  });
});

describe('an override', () => {
  const forced = { name: 'forced', rules: [timer] };
  const force = (task: readonly Rule[], more: Partial<Parameters<typeof court>[0]> = {}): Verdict =>
    judge(court({ task: { name: 'toy', rules: task }, forced, ...more }), { ...asked, forced: true }, () => facts());

  test('is judged by the policy for overrides alone, and tells what the others would have said', () => {
    expect(force([passing, no])).toStrictEqual({
      outcome: 'accepted',
      to: RUNNING,
      trail: ['timer'],
      claims: [{ type: 'TIMER', timer: 'timeout', dueAtMs: 5 }],
      overrides: {
        outcome: 'rejected',
        trail: ['passing', { rule: 'no', opinion: 'reject', why: 'because', code: 'NO' }],
      },
    });
  });
  test('can be refused too', () => {
    expect(force([passing], { forced: { name: 'forced', rules: [no] } })).toMatchObject({
      outcome: 'rejected',
      code: 'NO',
      overrides: { outcome: 'accepted', trail: ['passing'] },
    });
  });
  test('is known as one to its own rules, and not to those that it overrides', () => {
    const seen: unknown[] = [];
    const looking = rule('looking', ({ forced: is }) => {
      seen.push(is);
      return pass();
    });
    force([looking], { forced: { name: 'forced', rules: [looking] } });
    expect(seen).toStrictEqual([undefined, true]);
  });
  test('is what is forced, and nothing else', () => {
    expect(hear(passing)).not.toHaveProperty('overrides');
    const theCourt = court({ task: { name: 'toy', rules: [no] }, forced });
    expect(judge(theCourt, asked, () => facts())).toMatchObject({ outcome: 'rejected' });
  });
});

describe('a rewrite', () => {
  test('starts the hearing again, so that the rules before it see what it made', () => {
    const verdict = hear(passing, noCancel, cancel);
    expect(names(verdict)).toStrictEqual(['passing', 'no-cancel', 'cancel rewrite', 'passing', 'no-cancel reject']);
    expect(verdict).toMatchObject({ outcome: 'rejected', to: CANCELLED });
  });
  test('is made once by each rule, so that two that undo each other come to an end', () => {
    const verdict = hear(cancel, run);
    expect(names(verdict)).toStrictEqual(['cancel rewrite', 'run rewrite']);
    expect(verdict).toMatchObject({ outcome: 'rewritten', to: RUNNING });
  });
  test('brings in the rules that govern what it made', () => {
    const late = rule('late', () => pass(), ['CANCELLED']);
    expect(names(hear(late, cancel))).toStrictEqual(['cancel rewrite', 'late']);
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
    judge(court({ task: policy }), same, () => facts());
    expect(seen).toStrictEqual([undefined, true]);
    seen.length = 0;
    hear(looking, cancel);
    expect(seen).toStrictEqual([undefined, undefined]);
  });
  test('asks for the facts that those rules need', () => {
    const needed: string[][] = [];
    const late = { ...rule('late', () => pass(), ['CANCELLED']), needs: ['attempt'] as const };
    const policy = { name: 'toy', rules: [cancel, late] };
    judge(court({ task: policy }), asked, (needs) => {
      needed.push([...needs]);
      return facts();
    });
    expect(needed).toStrictEqual([[], ['attempt']]);
  });
});

describe('claims', () => {
  test('are taken from the pass that every rule let through', () => {
    expect(hear(timer, slots).claims.map(({ type }) => type)).toStrictEqual(['TIMER', 'SLOTS']);
  });
  test('of a pass that was rewritten count for nothing', () => {
    const early = rule('early', ({ to }) => (to.type === 'RUNNING' ? pass([{ type: 'SLOTS', slots: [] }]) : pass()));
    expect(hear(early, cancel, timer).claims).toStrictEqual([{ type: 'TIMER', timer: 'timeout', dueAtMs: 5 }]);
  });
  test.each([
    { end: no, outcome: 'rejected' },
    { end: waiting, outcome: 'held' },
  ])('of a proposal that is $outcome count for nothing', ({ end }) => {
    expect(hear(timer, end).claims).toStrictEqual([]);
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

  test('by being caught at saying two things about the same is impure', () => {
    const fickle = rule('fickle', () => {
      throw new ImpureRule('it said two things');
    });
    expect(hear(fickle)).toMatchObject({
      outcome: 'rejected',
      code: 'RULE_IMPURE',
      trail: [{ rule: 'fickle', opinion: 'error', why: 'it said two things', code: 'RULE_IMPURE' }],
    });
  });

  test.each([ImpureRule, Error])('with many words is cut short', (Failure) => {
    const wordy = rule('wordy', () => {
      throw new Failure('x'.repeat(1000));
    });
    expect(JSON.stringify(hear(wordy).trail[0])).toMatch(/^.{500,600}$/);
    expect((hear(wordy).trail[0] as { why: string }).why).toHaveLength(500);
  });

  test.each([undefined, { type: 'MAYBE' }])(
    'by saying %s is an error in the trail, and the proposal is rejected',
    (said) => {
      const verdict = hear(rule('nonsense', () => said as unknown as Opinion));
      expect(verdict).toMatchObject({ outcome: 'rejected', code: 'RULE_ERROR', claims: [] });
      expect(verdict.trail).toStrictEqual([
        {
          rule: 'nonsense',
          opinion: 'error',
          why: 'the rule returned something that is no opinion',
          code: 'RULE_ERROR',
        },
      ]);
    },
  );

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
    expect(hear(hostile)).toMatchObject({
      outcome: 'rejected',
      trail: [{ rule: 'hostile', why: 'the rule threw: something that cannot be shown', code: 'RULE_ERROR' }],
    });
  });
});
