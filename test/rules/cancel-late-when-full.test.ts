import { expect, test } from 'vitest';
import { cancelLateWhenFull } from '../../rules/cancel-late-when-full.ts';
import type { Opinion, SlotFact } from '../../rules/rule.ts';
import { at, facts, NOW_MS, slot, stateOf, testReach, transition } from './fixtures.ts';

testReach(cancelLateWhenFull, { on: ['flow', 'background'], from: ['SCHEDULED'], to: ['SCHEDULED'] });

const judge = (slots: readonly SlotFact[], name = 'Late'): Opinion =>
  cancelLateWhenFull.judge(
    transition('SCHEDULED', { ...stateOf('SCHEDULED'), name }, { kind: 'flow' }),
    facts({ slots }),
  );
const full = slot({ limit: 'deployment:etl', slotsMax: 1, used: 1, from: 'PENDING', onFull: 'cancel-new' });

test.each<{ what: string; slots: readonly SlotFact[] }>([
  { what: 'it has no limit', slots: [] },
  { what: 'nobody has set the limit', slots: [slot({ used: 1, onFull: 'cancel-new' })] },
  { what: 'the limit has room', slots: [{ ...full, used: 0 }] },
  { what: 'the limit is full and lets it wait', slots: [{ ...full, onFull: 'enqueue' }] },
  { what: 'the limit is full and cancels those that run', slots: [{ ...full, onFull: 'cancel-running' }] },
])('a late run goes on waiting while $what', ({ slots }) => {
  expect(judge(slots)).toStrictEqual({ type: 'PASS' });
});

test('a late run is cancelled when its limit is full and cancels what is new', () => {
  expect(judge([slot({ slotsMax: 9 }), full])).toStrictEqual({
    type: 'REWRITE',
    to: { type: 'CANCELLED', name: 'Cancelled', message: "the limit 'deployment:etl' was full" },
    why: "the limit 'deployment:etl' is full and cancels what is new",
  });
});

test('a rate limit is full until its slots are back', () => {
  const rated = (inMs: number): SlotFact => ({ ...full, used: 0, rate: { everyMs: 10, emptyAtMs: at(NOW_MS + inMs) } });
  expect(judge([rated(1)])).toMatchObject({ type: 'REWRITE' });
  expect(judge([rated(0)])).toStrictEqual({ type: 'PASS' });
});

test('a run that is put off, and not late, is left alone', () => {
  expect(judge([full], 'Scheduled')).toStrictEqual({ type: 'PASS' });
});
