/** Shadow rules: asked beside the hearing, recorded, and without any power. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { court, judge, type Policy, type Verdict } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import {
  defineRule,
  hold,
  pass,
  reject,
  rewrite,
  type Need,
  type Opinion,
  type Rule,
  type Transition,
} from '../../rules/rule.ts';
import { shadow } from '../../rules/shadow.ts';
import { at, FROM_TYPES, facts, MANY_FACTS, stateOf, transition } from './fixtures.ts';

const RUNNING = stateOf('RUNNING');
const CANCELLED = stateOf('CANCELLED');
const asked = transition('PENDING', RUNNING);

const rule = (name: string, opinion: (asked: Transition) => Opinion, needs: readonly Need[] = []): Rule =>
  defineRule({
    name,
    summary: name,
    on: ['task'],
    from: FROM_TYPES,
    to: ['RUNNING', 'CANCELLED'],
    needs,
    may: ['rewrite', 'reject', 'hold'],
    judge: opinion,
  });

const passing = rule('passing', () => pass(undefined, 'because'));
const no = rule('no', () => reject('NO', 'because'));
const waiting = rule('waiting', () => hold({ type: 'TIME', dueAtMs: at(200_000) }, 'later'));
const cancelling = (to: State = CANCELLED): Rule => rule('cancelling', () => rewrite(to, 'not now'));
const throwing = rule('throwing', () => {
  throw new Error('oh');
});
const claiming = rule('claiming', () => pass([{ type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] }]));

function hear(rules: readonly Rule[], shadows: readonly Rule[]): Verdict {
  const task = shadow({ name: 'toy', rules }, ...shadows);
  return judge(court({ task }), asked, () => facts());
}

describe('what a shadow rule says', () => {
  test.each<[string, readonly Rule[], Rule, Verdict['shadow']]>([
    ['a pass stands by its name', [], passing, ['passing']],
    ['so does one with claims, which take nothing', [], claiming, ['claiming']],
    ['a rejection is recorded', [], no, [{ rule: 'no', opinion: 'reject', why: 'because', code: 'NO' }]],
    ['a hold is recorded', [], waiting, [{ rule: 'waiting', opinion: 'hold', why: 'later' }]],
    ['a rewrite is recorded', [], cancelling(), [{ rule: 'cancelling', opinion: 'rewrite', why: 'not now' }]],
    [
      'an error is recorded',
      [],
      throwing,
      [{ rule: 'throwing', opinion: 'error', why: 'the rule threw: Error: oh', code: 'RULE_ERROR' }],
    ],
    ['of what was refused anyway, too', [no], waiting, [{ rule: 'waiting', opinion: 'hold', why: 'later' }]],
    [
      'a rewrite to what came out anyway is a pass',
      [cancelling()],
      rule('same', () => rewrite({ ...CANCELLED }, 'x')),
      ['same'],
    ],
    [
      'on the transition as it was asked for',
      [cancelling()],
      rule('first', ({ to }) => (to === RUNNING ? reject('NO', 'run') : pass())),
      [{ rule: 'first', opinion: 'reject', why: 'run', code: 'NO' }],
    ],
    [
      'and on the one that came out',
      [cancelling()],
      rule('last', ({ to, asked: first }) => (to.type === 'CANCELLED' ? reject('NO', String(first)) : pass())),
      [{ rule: 'last', opinion: 'reject', why: 'RUNNING', code: 'NO' }],
    ],
  ])('%s', (_, rules, one, recorded) => {
    const { shadow: said, ...verdict } = hear(rules, [one]);
    expect(said).toStrictEqual(recorded);
    expect(verdict).toStrictEqual(hear(rules, []));
  });

  test('each rule has one word, in the order of the list', () => {
    expect(hear([cancelling()], [no, passing, waiting]).shadow).toStrictEqual([
      { rule: 'no', opinion: 'reject', why: 'because', code: 'NO' },
      'passing',
      { rule: 'waiting', opinion: 'hold', why: 'later' },
    ]);
  });
});

describe('a rewrite', () => {
  const named = { ...CANCELLED, message: 'not now' };
  test.each<[string, State, State, boolean]>([
    ['to the same', { ...named }, named, true],
    ['to the same, said in another order', { message: 'not now', ...CANCELLED }, named, true],
    ['with a field less', CANCELLED, named, false],
    ['with a field more', named, CANCELLED, false],
    ['with another name', { ...CANCELLED, name: 'Skipped' }, CANCELLED, false],
    [
      'with another field',
      named,
      { type: 'CANCELLED', name: 'Cancelled', result: { digest: 'x', size: 1 } as never },
      false,
    ],
  ])('%s as what came out: %s', (_, would, final, isPass) => {
    const said = hear([cancelling(final)], [rule('other', () => rewrite(would, 'rather'))]).shadow;
    expect(said).toStrictEqual([isPass ? 'other' : { rule: 'other', opinion: 'rewrite', why: 'rather' }]);
  });
});

test('the first word that is more than a pass stands, also when the rule would say another one later', () => {
  const twice = rule('twice', ({ to }) => reject('NO', to.type));
  expect(hear([cancelling()], [twice]).shadow).toStrictEqual([
    { rule: 'twice', opinion: 'reject', why: 'RUNNING', code: 'NO' },
  ]);
});

test('about an override, the shadow of the policy for overrides is asked, and no other', () => {
  const forced = { ...asked, forced: true } as const;
  const policies = {
    task: shadow({ name: 'task', rules: [] }, no),
    forced: shadow({ name: 'forced', rules: [] }, waiting),
  };
  expect(judge(court(policies), forced, () => facts()).shadow).toStrictEqual([
    { rule: 'waiting', opinion: 'hold', why: 'later' },
  ]);
});

test('a rule that does not govern is not asked, and a policy without shadow rules does nothing for them', () => {
  const elsewhere = { ...no, on: ['flow'] } as const;
  expect(hear([], [elsewhere])).not.toHaveProperty('shadow');
  expect(court(corePolicies)).not.toHaveProperty('shadowing');
  expect(court({ task: { name: 'toy', rules: [], shadow: [] } })).not.toHaveProperty('shadowing');
});

test('the facts that it needs are gathered, after those of the hearing', () => {
  const gathered: (readonly Need[])[] = [];
  const task: Policy = {
    name: 'toy',
    rules: [rule('one', () => pass(), ['retry'])],
    shadow: [rule('two', () => pass(), ['run'])],
  };
  judge(court({ task }), asked, (needs) => {
    gathered.push(needs);
    return facts();
  });
  expect(gathered).toStrictEqual([['retry'], ['run']]);
});

test('rules are added to a shadow, and nothing is changed', () => {
  const task: Policy = { name: 'toy', rules: [passing] };
  const both = shadow(shadow(task, no), waiting);
  expect(both).toStrictEqual({ name: 'toy', rules: [passing], shadow: [no, waiting] });
  expect(task).toStrictEqual({ name: 'toy', rules: [passing] });
});

test('whatever shadow rules say, every verdict of the core policies stays as it is', () => {
  const anywhere = [passing, no, waiting, cancelling(), throwing, claiming].map((one) => ({
    ...one,
    on: ['flow', 'subflow', 'task', 'background'] as const,
    from: FROM_TYPES,
  }));
  const plain = court(corePolicies);
  fc.assert(
    fc.property(
      fc.constantFrom('flow', 'subflow', 'task', 'background'),
      fc.constantFrom(...FROM_TYPES),
      fc.constantFrom('RUNNING', 'CANCELLED', 'FAILED', 'SCHEDULED'),
      fc.constantFrom(...MANY_FACTS),
      fc.subarray(anywhere),
      (kind, from, to, known, shadows) => {
        const besides = court({ ...corePolicies, [kind]: shadow(corePolicies[kind], ...shadows) });
        const one = transition(from, to, { kind });
        const { shadow: _, ...verdict } = judge(besides, one, () => known);
        expect(verdict).toStrictEqual(judge(plain, one, () => known));
      },
    ),
  );
});
