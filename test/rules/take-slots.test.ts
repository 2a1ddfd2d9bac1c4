import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SlotFact } from '../../rules/rule.ts';
import { takeSlots } from '../../rules/take-slots.ts';
import { facts, FROM_TYPES, slot, testReach, transition } from './fixtures.ts';

testReach(takeSlots, { on: ['flow', 'subflow', 'task'], from: FROM_TYPES, to: ['RUNNING'] });

const judge = (...slots: readonly SlotFact[]): ReturnType<typeof takeSlots.judge> =>
  takeSlots.judge(transition('NONE', 'RUNNING'), facts({ slots }));

describe('of one limit', () => {
  test.each<{ what: string; slots: readonly SlotFact[]; got: object }>([
    { what: 'no limit is asked for', slots: [], got: { type: 'PASS' } },
    { what: 'the limit is not set', slots: [slot({ used: 7 })], got: { type: 'PASS' } },
    { what: 'more is asked for than there is', slots: [slot({ slotsMax: 2, wanted: 3 })], got: { code: 'NEVER_FITS' } },
    { what: 'there are none at all', slots: [slot({ slotsMax: 0 })], got: { type: 'HOLD' } },
    {
      what: 'an ancestor holds it',
      slots: [slot({ slotsMax: 1, used: 1, heldByAncestors: 1 })],
      got: { code: 'DEADLOCK' },
    },
    {
      what: 'an ancestor holds one of two',
      slots: [slot({ slotsMax: 2, used: 1, heldByAncestors: 1 })],
      got: { type: 'PASS' },
    },
    {
      what: 'an ancestor holds one of two, a stranger the other',
      slots: [slot({ slotsMax: 2, used: 2, heldByAncestors: 1 })],
      got: { type: 'HOLD' },
    },
    {
      what: 'an ancestor holds one of two, and both are wanted before it',
      slots: [slot({ slotsMax: 2, used: 1, heldByAncestors: 1, ahead: 1, wantedAhead: 2 })],
      got: { code: 'DEADLOCK' },
    },
    {
      what: 'an ancestor holds one of two, and one is wanted before it',
      slots: [slot({ slotsMax: 2, used: 2, heldByAncestors: 1, ahead: 1, wantedAhead: 1 })],
      got: { type: 'HOLD' },
    },
    { what: 'it is full', slots: [slot({ slotsMax: 2, used: 2 })], got: { type: 'HOLD' } },
    { what: 'others wait before it', slots: [slot({ slotsMax: 2, used: 0, ahead: 1 })], got: { type: 'HOLD' } },
    { what: 'there is room', slots: [slot({ slotsMax: 2, used: 1 })], got: { type: 'PASS' } },
    { what: 'just enough room', slots: [slot({ slotsMax: 5, used: 2, wanted: 3 })], got: { type: 'PASS' } },
    { what: 'one too few', slots: [slot({ slotsMax: 5, used: 3, wanted: 3 })], got: { type: 'HOLD' } },
  ])('$what: $got', ({ slots, got }) => {
    expect(judge(...slots)).toMatchObject(got);
  });
});

describe('of several limits', () => {
  test('all of them or none', () => {
    const free = slot({ limit: 'api', slotsMax: 3, wanted: 2 });
    const full = slot({ limit: 'db', slotsMax: 1, used: 1 });
    const wishes = [
      { limit: 'api', slots: 2 },
      { limit: 'db', slots: 1 },
    ];
    expect(judge(free, full)).toMatchObject({ type: 'HOLD', waits: { type: 'SLOTS', limits: wishes } });
    expect(judge(free, { ...full, used: 0 })).toEqual({ type: 'PASS', claims: [{ type: 'SLOTS', slots: wishes }] });
  });

  test('those that are not set are not waited for, and not taken', () => {
    const claims = [{ type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] }];
    expect(judge(slot({ slotsMax: 1 }), slot({ limit: 'free' }))).toEqual({ type: 'PASS', claims });
  });
});

test('what it grants never exceeds a limit, and what fits nobody else is granted', () => {
  const any = fc.record({
    limit: fc.constantFrom('a', 'b', 'c'),
    slotsMax: fc.nat(4),
    wanted: fc.integer({ min: 1, max: 4 }),
    used: fc.nat(5),
    heldByAncestors: fc.constant(0),
    wantedAhead: fc.constant(0),
    ahead: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.uniqueArray(any, { selector: ({ limit }) => limit, minLength: 1 }), (slots) => {
      const granted = judge(...slots).type === 'PASS';
      const fits = slots.every(({ used, wanted, slotsMax, ahead }) => used + wanted <= slotsMax && ahead === 0);
      expect(granted).toBe(fits);
    }),
  );
});
