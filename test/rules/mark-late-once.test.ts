import { describe, expect, test } from 'vitest';
import { STATE_TYPES } from '../../protocol/states.ts';
import { markLateOnce } from '../../rules/mark-late-once.ts';
import type { FromType, Opinion } from '../../rules/rule.ts';
import { facts, FROM_TYPES, NOW_MS, testReach, transition } from './fixtures.ts';

testReach(markLateOnce, { on: ['flow', 'subflow', 'background'], from: FROM_TYPES, to: ['SCHEDULED'] });

const judge = (from: FromType | 'LATE', name = 'Late'): Opinion =>
  markLateOnce.judge(
    transition(from === 'LATE' ? { type: 'SCHEDULED', name: 'Late', dueAtMs: NOW_MS } : from, {
      type: 'SCHEDULED',
      name,
      dueAtMs: NOW_MS,
    }),
    facts(),
  );

describe('Late', () => {
  test.each(['NONE', 'SCHEDULED'] as const)('may be what is %s', (from) => {
    expect(judge(from)).toStrictEqual({ type: 'PASS' });
  });
  test('is said once', () => {
    expect(judge('LATE')).toMatchObject({ type: 'REJECT', code: 'DUPLICATE' });
  });
  test.each(STATE_TYPES.filter((type) => type !== 'SCHEDULED'))('cannot be what is %s', (from) => {
    expect(judge(from)).toMatchObject({ type: 'REJECT', code: 'NOT_SCHEDULED' });
  });
});

test.each([...FROM_TYPES, 'LATE'] as const)('any other name is no business of it, from %s', (from) => {
  expect(judge(from, 'Scheduled')).toStrictEqual({ type: 'PASS' });
});
