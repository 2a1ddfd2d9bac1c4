/** Rules beside a policy: asked and recorded, never enforced. */
import { describe, expect, test } from 'vitest';
import type { State } from '../../protocol/states.ts';
import { court, judge, type Verdict } from '../../rules/judge.ts';
import { pass, reject, type Rule } from '../../rules/rule.ts';
import { shadow } from '../../rules/shadow.ts';
import { facts, transition, VALUE } from './fixtures.ts';
import { asked, cancel, CANCELLED, FAILED, no, noCancel, passing, rewriting, rule, RUNNING, waiting } from './toys.ts';

test('a policy in whose shadow rules are put keeps all that it had', () => {
  const policy = { name: 'toy', rules: [no] };
  const once = shadow(policy, passing);
  expect(once).toStrictEqual({ name: 'toy', rules: [no], shadow: [passing] });
  expect(shadow(once, cancel, waiting).shadow).toStrictEqual([passing, cancel, waiting]);
  expect(policy).toStrictEqual({ name: 'toy', rules: [no] });
});

describe('a shadow rule', () => {
  const shadowed = (rules: readonly Rule[], ...shadow: readonly Rule[]): Verdict =>
    judge(court({ task: { name: 'toy', rules, shadow } }), asked, () => facts());

  test('is recorded, whatever it says, and the verdict stands', () => {
    const thrower = rule('thrower', () => {
      throw new Error('boom');
    });
    const remark = rule('remark', () => pass(undefined, 'by the way'));
    expect(shadowed([passing], passing, remark, no, waiting, cancel, thrower)).toStrictEqual({
      outcome: 'accepted',
      to: RUNNING,
      trail: ['passing'],
      claims: [],
      shadow: [
        'passing',
        'remark',
        { rule: 'no', opinion: 'reject', why: 'because', code: 'NO' },
        { rule: 'waiting', opinion: 'hold', why: 'later' },
        { rule: 'cancel', opinion: 'rewrite', why: 'to CANCELLED' },
        { rule: 'thrower', opinion: 'error', why: 'the rule threw: Error: boom', code: 'RULE_ERROR' },
      ],
    });
  });

  test('is asked about the transition as it was asked for and as it came out, and its first word counts', () => {
    const seen: unknown[] = [];
    const looking = rule('looking', ({ to, asked: first }) => {
      seen.push([to.type, first]);
      return pass();
    });
    expect(shadowed([cancel], looking, noCancel).shadow).toStrictEqual([
      'looking',
      { rule: 'no-cancel', opinion: 'reject', why: 'not that', code: 'NO' },
    ]);
    expect(seen).toStrictEqual([
      ['RUNNING', undefined],
      ['CANCELLED', 'RUNNING'],
    ]);
    const twice = rule('twice', ({ to }) => reject('NO', to.type));
    expect(shadowed([cancel], twice).shadow).toStrictEqual([
      { rule: 'twice', opinion: 'reject', why: 'RUNNING', code: 'NO' },
    ]);
  });

  test('that would rewrite to what came out anyway would have changed nothing', () => {
    const failed = { ...FAILED, message: 'so', retriable: false } as State;
    const copy = rewriting('copy', { ...failed });
    expect(shadowed([rewriting('fail', failed)], copy).shadow).toStrictEqual(['copy']);
    for (const other of [
      { ...failed, message: 'other' },
      { ...FAILED, message: 'so' },
      { type: 'FAILED', name: 'Failed', message: 'so', error: VALUE },
    ] as State[]) {
      expect(shadowed([rewriting('fail', failed)], rewriting('other', other)).shadow).toMatchObject([
        { rule: 'other', opinion: 'rewrite' },
      ]);
    }
    const deep = { ...FAILED, error: VALUE } as State;
    const same = rewriting('same', structuredClone(deep));
    expect(shadowed([rewriting('fail', deep)], same).shadow).toStrictEqual(['same']);
  });

  test('is not asked about what it does not govern, and then leaves no trace', () => {
    expect(
      shadowed(
        [passing],
        rule('other', () => pass(), ['PAUSED']),
      ),
    ).not.toHaveProperty('shadow');
    expect(shadowed([passing])).not.toHaveProperty('shadow');
    const elsewhere = { name: 'flow', rules: [], shadow: [no] };
    expect(judge(court({ flow: elsewhere }), asked, () => facts())).not.toHaveProperty('shadow');
  });

  test('is given the facts that it needs, and no rule of the policy is asked for it', () => {
    const needed: string[][] = [];
    const needy = { ...passing, name: 'needy', needs: ['attempt'] as const };
    const elsewhere = { ...needy, on: ['flow'] as const };
    for (const rule of [needy, elsewhere]) {
      judge(court({ task: { name: 'toy', rules: [], shadow: [rule] } }), asked, (needs) => {
        needed.push([...needs]);
        return facts();
      });
    }
    expect(needed).toStrictEqual([[], ['attempt'], []]);
  });

  test('governs by the policy that judges: that for overrides when it is one, and creations too', () => {
    const theCourt = court({ forced: { name: 'forced', rules: [], shadow: [passing] } });
    expect(theCourt.shadowing).toBeDefined();
    expect(judge(theCourt, { ...asked, forced: true }, () => facts()).shadow).toStrictEqual(['passing']);
    expect(judge(theCourt, asked, () => facts())).not.toHaveProperty('shadow');
    const born = { ...passing, from: ['NONE'] as const };
    const births = court({ task: { name: 'toy', rules: [], shadow: [born] } });
    expect(judge(births, transition('NONE', RUNNING), () => facts()).shadow).toStrictEqual(['passing']);
    expect(judge(births, asked, () => facts())).not.toHaveProperty('shadow');
  });

  test('does not change what the verdict was about', () => {
    const meddler = rule('meddler', (mine) => {
      Object.assign(mine, { to: CANCELLED });
      return pass();
    });
    const seen: unknown[] = [];
    const looking = rule('looking', ({ to }) => {
      seen.push(to.type);
      return pass();
    });
    shadowed([passing], meddler, looking);
    expect(seen).toStrictEqual(['RUNNING']);
  });

  test('costs nothing where there is none', () => {
    expect(court({ task: { name: 'toy', rules: [passing], shadow: [] } }).shadowing).toBeUndefined();
    expect(court({ task: { name: 'toy', rules: [passing] } }).shadowing).toBeUndefined();
  });
});
