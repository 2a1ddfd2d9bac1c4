/** What may go onto the ledger as an opinion, and what may not: a lawful one of each shape, and each way to spoil it. */
import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { TIMER_KINDS } from '../../protocol/rulings.ts';
import { isOpinion } from '../../rules/opinions.ts';
import { hold, pass, reject, rewrite } from '../../rules/rule.ts';
import { at, NOW_MS, stateOf, VALUE, VARIANTS } from './fixtures.ts';

const is = (said: unknown): boolean => isOpinion(said, NOW_MS);
const LONG = 'x'.repeat(2001);
const FULL = 'x'.repeat(2000);

/** One field after another is replaced by each of these values. */
function spoilt(lawful: object, field: string, ...values: readonly unknown[]): readonly object[] {
  return values.map((value) => ({ ...lawful, [field]: value }));
}

describe('nothing but an opinion is one', () => {
  test.each<unknown>([
    undefined,
    null,
    'PASS',
    7,
    true,
    [],
    {},
    { type: 'MAYBE' },
    Promise.resolve(pass()),
    () => pass(),
  ])('not %o', (said) => {
    expect(is(said)).toBe(false);
  });
});

describe('PASS', () => {
  test('says nothing, a reason, or what it claims', () => {
    expect(is(pass())).toBe(true);
    expect(is(pass([]))).toBe(true);
    expect(is(pass(undefined, FULL))).toBe(true);
  });
  test.each(spoilt(pass(), 'why', 7, null, LONG))('not %o', (said) => {
    expect(is(said)).toBe(false);
  });
  test.each(spoilt(pass(), 'claims', 'all', {}, [undefined], [null], ['SLOTS'], [{}], [{ type: 'MONEY' }], null))(
    'not %o',
    (said) => {
      expect(is(said)).toBe(false);
    },
  );
  test('claims are all lawful', () => {
    const lawful = { type: 'CACHE', key: 'k' };
    expect(is({ type: 'PASS', claims: [lawful, lawful] })).toBe(true);
    expect(is({ type: 'PASS', claims: [lawful, { type: 'MONEY' }] })).toBe(false);
  });
});

describe('REWRITE', () => {
  test.each(STATE_TYPES.flatMap((type) => VARIANTS[type]))('to %o', (to) => {
    expect(is(rewrite(to, 'so'))).toBe(true);
  });
  test.each(STATE_TYPES)('not to %s with what does not belong to it', (type) => {
    const to = stateOf(type);
    const lawful = { type: 'REWRITE', why: 'so' };
    const strays = [
      ...spoilt(to, 'name', '', undefined, 7, LONG),
      ...spoilt(to, 'message', 7, LONG),
      ...spoilt(to, 'retriable', 'no', 0, null),
      ...spoilt(to, 'result', 'done', 7, null, {}, { digest: 7 }),
      ...spoilt(to, 'error', 'boom', 7, null, {}, { digest: 7 }),
      ...spoilt(to, 'dueAtMs', 'now', Number.NaN, Number.POSITIVE_INFINITY, -1, null),
      ...spoilt(to, 'key', 7, ''),
      ...spoilt(to, 'timeoutAtMs', 'soon', -1, Number.NaN),
      ...spoilt(to, 'suspended', false, 'yes'),
      ...spoilt(to, 'more', 1),
      ...(type === 'SCHEDULED' ? spoilt(to, 'dueAtMs', undefined) : []),
      ...(type === 'SCHEDULED' || type === 'PENDING' ? [] : spoilt(to, 'dueAtMs', NOW_MS)),
      ...(type === 'PAUSED'
        ? []
        : [...spoilt(to, 'key', 'k'), ...spoilt(to, 'timeoutAtMs', 1), ...spoilt(to, 'suspended', true)]),
    ];
    expect(strays.filter((stray) => is({ ...lawful, to: stray }))).toStrictEqual([]);
  });
  test('with everything that belongs to it', () => {
    const all = { message: FULL, retriable: true, result: VALUE, error: VALUE };
    expect(is({ type: 'REWRITE', to: { ...stateOf('FAILED'), ...all }, why: 'so' })).toBe(true);
    const pause = { key: 'k', timeoutAtMs: 0, suspended: true };
    expect(is({ type: 'REWRITE', to: { ...stateOf('PAUSED'), ...pause }, why: 'so' })).toBe(true);
    expect(is({ type: 'REWRITE', to: { ...stateOf('PENDING'), dueAtMs: 0 }, why: 'so' })).toBe(true);
  });
  test.each<unknown>([undefined, null, 'FAILED', { type: 'GONE', name: 'Gone' }])('not to %o', (to) => {
    expect(is({ type: 'REWRITE', to, why: 'so' })).toBe(false);
  });
  test('not without a reason', () => {
    expect(is({ type: 'REWRITE', to: stateOf('FAILED') })).toBe(false);
    expect(is(rewrite(stateOf('FAILED'), LONG))).toBe(false);
  });
});

describe('REJECT', () => {
  test('has a code and a reason', () => {
    expect(is(reject('NO', 'so'))).toBe(true);
  });
  test.each([
    ...spoilt(reject('NO', 'so'), 'code', undefined, '', 7, LONG),
    ...spoilt(reject('NO', 'so'), 'why', undefined, 7, LONG),
  ])('not %o', (said) => {
    expect(is(said)).toBe(false);
  });
});

describe('HOLD', () => {
  const forTime = hold({ type: 'TIME', dueAtMs: at(NOW_MS + 1) }, 'so');
  const limits = [{ limit: 'db', slots: 1 }];

  test.each([
    forTime,
    hold({ type: 'FLOW' }, 'so'),
    hold({ type: 'MESSAGE', mailbox: 'm' }, 'so'),
    hold({ type: 'MESSAGE', mailbox: 'm', topic: 't', untilMs: at(NOW_MS + 1) }, 'so'),
    hold({ type: 'SLOTS', limits }, 'so'),
    hold({ type: 'SLOTS', limits: [{ limit: 'db', slots: 9, by: 'acme' }] }, 'so'),
    hold({ type: 'SLOTS', limits, untilMs: at(NOW_MS + 1), evict: [] }, 'so'),
    { ...forTime, waits: { type: 'SLOTS', limits, evict: ['run'] } },
  ])('%o', (said) => {
    expect(is(said)).toBe(true);
  });

  test.each([
    ...spoilt(forTime, 'why', undefined, 7),
    ...spoilt(forTime, 'waits', undefined, null, 'FLOW', {}, { type: 'RAIN' }),
    ...[undefined, 'soon', Number.NaN, Number.POSITIVE_INFINITY, NOW_MS, NOW_MS - 1].map((dueAtMs) => ({
      ...forTime,
      waits: { type: 'TIME', dueAtMs },
    })),
    ...[
      { limits: undefined },
      { limits: [] },
      { limits: {} },
      { limits: [null] },
      { limits: [{ limit: 'db' }] },
      { limits: [{ limit: 'db', slots: 0 }] },
      { limits: [{ limit: 'db', slots: 1.5 }] },
      { limits: [{ limit: 'db', slots: '1' }] },
      { limits: [{ limit: '', slots: 1 }] },
      { limits: [{ slots: 1 }] },
      { limits: [{ limit: 'db', slots: 1, by: '' }] },
      { limits: [...limits, { limit: 'db', slots: -1 }] },
      { limits, untilMs: NOW_MS },
      { limits, untilMs: 'soon' },
      { limits, untilMs: Number.POSITIVE_INFINITY },
      { limits, evict: 'run' },
      { limits, evict: [''] },
      { limits, evict: ['run', 7] },
    ].map((more) => ({ ...forTime, waits: { type: 'SLOTS', ...more } })),
    ...[{}, { mailbox: '' }, { mailbox: 7 }, { mailbox: 'm', topic: '' }, { mailbox: 'm', untilMs: NOW_MS }].map(
      (more) => ({ ...forTime, waits: { type: 'MESSAGE', ...more } }),
    ),
  ])('not %o: it would be over at once, or never', (said) => {
    expect(is(said)).toBe(false);
  });
});

describe('a claim', () => {
  const claims = (claim: unknown): boolean => is({ type: 'PASS', claims: [claim] });
  const timer = { type: 'TIMER', timer: 'timeout', dueAtMs: 0 };
  const slots = { type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] };
  const cache = { type: 'CACHE', key: 'k' };
  const message = { type: 'MESSAGE', mailbox: 'm', id: '7/2' };

  test.each([
    message,
    ...TIMER_KINDS.map((kind) => ({ ...timer, timer: kind })),
    slots,
    { ...slots, slots: [] },
    cache,
    { ...cache, expiresAtMs: 5 },
  ])('%o', (claim) => {
    expect(claims(claim)).toBe(true);
  });
  test.each([
    ...spoilt(timer, 'timer', undefined, 'egg', 7),
    ...spoilt(timer, 'dueAtMs', undefined, Number.NaN, Number.POSITIVE_INFINITY, -1, '5'),
    ...spoilt(slots, 'slots', undefined, {}, [{ limit: 'db', slots: -1 }], [undefined]),
    ...spoilt(message, 'mailbox', undefined, '', 7),
    ...spoilt(message, 'id', undefined, '', 7),
    ...spoilt(cache, 'key', undefined, '', 7),
    ...spoilt(cache, 'expiresAtMs', null, '5', -1),
  ])('not %o', (claim) => {
    expect(claims(claim)).toBe(false);
  });
});
