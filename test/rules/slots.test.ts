import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fits, isFull, roomAtMs, roomOf, usedOf } from '../../rules/slots.ts';
import type { SlotFact } from '../../rules/rule.ts';
import { at, NOW_MS, slot } from './fixtures.ts';

const rated = (everyMs: number, emptyAtMs: number, more: Partial<SlotFact> = {}): SlotFact =>
  slot({ slotsMax: 10, rate: { everyMs, emptyAtMs: at(emptyAtMs) }, ...more });

test('a limit that nobody has set has no room, and is never full', () => {
  expect(roomOf(slot({}))).toBe(0);
  expect(roomOf(slot({ slotsMax: 4 }))).toBe(4);
  expect(isFull(slot({ used: 9, ahead: 9 }), NOW_MS)).toBe(false);
});

test.each([
  { used: 2, wanted: 2, ahead: 0, full: false },
  { used: 2, wanted: 3, ahead: 0, full: true },
  { used: 0, wanted: 1, ahead: 1, full: true },
])('of four slots, $used used, $wanted wanted, $ahead waiting: full $full', ({ used, wanted, ahead, full }) => {
  const limit = slot({ slotsMax: 4, used, wanted, ahead });
  expect(isFull(limit, NOW_MS)).toBe(full);
  expect(fits(limit, NOW_MS)).toBe(used + wanted <= 4);
});

describe('a rate limit', () => {
  test.each([
    { backInMs: -5, used: 0 },
    { backInMs: 0, used: 0 },
    { backInMs: 1, used: 1 },
    { backInMs: 100, used: 1 },
    { backInMs: 101, used: 2 },
  ])('whose slots are back in $backInMs ms, one every 100, has $used taken, whoever holds it', ({ backInMs, used }) => {
    expect(usedOf(rated(100, NOW_MS + backInMs, { used: 7 }), NOW_MS)).toBe(used);
    expect(usedOf(slot({ used: 7 }), NOW_MS)).toBe(7);
  });

  test('has room when as many are back as are wanted', () => {
    expect(roomAtMs(rated(100, 5000, { wanted: 10 }))).toBe(5000);
    expect(roomAtMs(rated(100, 5000, { wanted: 8 }))).toBe(4800);
    expect(roomAtMs(rated(100, 5000.5, { wanted: 8 }))).toBe(4801);
  });
  test('has room at no time for more than there is, and other limits are no question of time', () => {
    expect(roomAtMs(rated(100, 5000, { wanted: 11 }))).toBeUndefined();
    expect(roomAtMs(slot({ slotsMax: 1, used: 1 }))).toBeUndefined();
  });
  test('whose slots never come back has room at no time that could be waited for', () => {
    expect(roomAtMs(rated(100, Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY);
  });
  test('has room at the time that it says, even where a sum and a quotient are rounded differently', () => {
    // The quotient is 7.000000000000002 a millisecond before.
    expect(roomAtMs(rated(1000 / 6, 100_000 + 1000 / 6, { wanted: 3 }))).toBe(99_001);
  });

  test('fits at that time, and not a millisecond and a rounding before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 10 }),
        fc.constantFrom(100_000, 1_700_000_000_000),
        (perSecond, taken, wanted, baseMs) => {
          const limit = rated(1000 / perSecond, baseMs + (taken * 1000) / perSecond, { wanted });
          const roomMs = roomAtMs(limit)!;
          expect(fits(limit, roomMs)).toBe(true);
          expect(fits(limit, at(roomMs - 2 - 1000 / perSecond))).toBe(false);
        },
      ),
    );
  });
});
