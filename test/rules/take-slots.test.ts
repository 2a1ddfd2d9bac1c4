import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { ON_FULL } from '../../protocol/proposals.ts';
import type { Opinion, SlotFact } from '../../rules/rule.ts';
import { takeSlots } from '../../rules/take-slots.ts';
import { at, facts, FROM_TYPES, NOW_MS, RUN_KINDS, slot, testReach, transition } from './fixtures.ts';

testReach(takeSlots, { on: RUN_KINDS, from: FROM_TYPES, to: ['PENDING', 'RUNNING'] });

const judge = (...slots: readonly SlotFact[]): Opinion =>
  takeSlots.judge(transition('NONE', 'RUNNING'), facts({ slots, attempt: 0 }));

const [A_RUN, ANOTHER] = ['one.call', 'two'] as unknown as [RunId, RunId];

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
    {
      what: 'who holds it waits for this run',
      slots: [slot({ slotsMax: 2, used: 2, circle: [{ run: A_RUN, limit: 'db', holder: ANOTHER }] })],
      got: { code: 'DEADLOCK' },
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
    expect(judge(free, { ...full, used: 0 })).toStrictEqual({
      type: 'PASS',
      claims: [{ type: 'SLOTS', slots: wishes }],
    });
  });

  test('and only those that it does not have are waited for', () => {
    const had = slot({ limit: 'deployment:nightly', slotsMax: 1, mine: 1, from: 'PENDING' });
    const full = slot({ limit: 'db', slotsMax: 1, used: 1 });
    expect(judge(had, full)).toMatchObject({ type: 'HOLD', waits: { limits: [{ limit: 'db', slots: 1 }] } });
  });

  test('a lock that is taken is waited for alone, and with the others once it is free', () => {
    const lock = slot({ limit: 'cache-key', by: 'k', slotsMax: 1, used: 1 });
    const full = slot({ limit: 'rate', slotsMax: 1, rate: { everyMs: 1000, emptyAtMs: at(NOW_MS + 1000) } });
    const [key, rate] = [
      { limit: 'cache-key', slots: 1, by: 'k' },
      { limit: 'rate', slots: 1 },
    ];
    expect(judge(lock, full)).toMatchObject({ type: 'HOLD', waits: { limits: [key] } });
    expect(judge(lock, full)).not.toHaveProperty('waits.untilMs');
    expect(judge({ ...lock, used: 0 }, full)).toMatchObject({
      type: 'HOLD',
      waits: { limits: [key, rate], untilMs: NOW_MS + 1000 },
    });
  });

  test('those that are not set are not waited for, and not taken', () => {
    const claims = [{ type: 'SLOTS', slots: [{ limit: 'db', slots: 1 }] }];
    expect(judge(slot({ slotsMax: 1 }), slot({ limit: 'free' }))).toStrictEqual({ type: 'PASS', claims });
  });
});

describe('the reason', () => {
  test('of a circle names the runs on the way, the first of them', () => {
    const step = { run: A_RUN, limit: 'transaction', by: 'a', holder: ANOTHER };
    const behind = { run: ANOTHER, limit: 'db', behind: A_RUN };
    const why = (...circle: NonNullable<SlotFact['circle']>): string => {
      const opinion = judge(slot({ slotsMax: 1, used: 1, circle }));
      return opinion.type === 'REJECT' ? opinion.why : '';
    };
    expect(why(step, behind)).toBe(
      "it would wait for itself: one.call waits for 'transaction' for 'a', which two holds; two waits for 'db' behind one.call",
    );
    expect(why(step, step, step, step, step)).toMatch(/holds; and so on$/);
    const long = 'x'.repeat(2000) as RunId;
    expect(why({ ...step, run: long }).length).toBeLessThan(1000);
  });

  test.each([
    {
      what: 'more than there is',
      fact: slot({ slotsMax: 2, wanted: 3 }),
      why: "3 slots of 'db' are asked for, it has 2",
    },
    {
      what: 'an ancestor',
      fact: slot({ slotsMax: 1, used: 1, heldByAncestors: 1, by: 'acme' }),
      why: "the slots of 'db' for 'acme' are held by a run that waits for this one",
    },
    {
      what: 'a result that is being computed',
      fact: slot({ limit: 'cache-key', by: 'features', slotsMax: 1, used: 1, ahead: 2 }),
      why: 'another run is computing the same result, 2 wait for it before this one',
    },
    {
      what: 'no room',
      fact: slot({ slotsMax: 2, used: 2, ahead: 1, by: 'acme' }),
      why: "2 of 2 slots of 'db' for 'acme' are taken, 1 wait before it",
    },
  ])('names the limit and its key: $what', ({ fact, why }) => {
    expect(judge(slot({ limit: 'api', slotsMax: 9 }), fact)).toMatchObject({ why });
  });
  test('tells of every limit that is full, and waits for all of them with their keys', () => {
    expect(judge(slot({ slotsMax: 1, used: 1, by: 'acme' }), slot({ limit: 'api', slotsMax: 0 }))).toStrictEqual({
      type: 'HOLD',
      waits: {
        type: 'SLOTS',
        limits: [
          { limit: 'db', slots: 1, by: 'acme' },
          { limit: 'api', slots: 1 },
        ],
      },
      why: "1 of 1 slots of 'db' for 'acme' are taken, 0 wait before it; 0 of 0 slots of 'api' are taken, 0 wait before it",
    });
  });
});

describe('the reasons of many limits that are full', () => {
  const full = (count: number): Opinion =>
    judge(...Array.from({ length: count }, (_, index) => slot({ limit: `l${String(index)}`, slotsMax: 0 })));
  const why = (index: number): string => `0 of 0 slots of 'l${String(index)}' are taken, 0 wait before it`;

  test('are told of three, and counted after that', () => {
    expect(full(3)).toMatchObject({ why: [why(0), why(1), why(2)].join('; ') });
    expect(full(5)).toMatchObject({ why: [why(0), why(1), why(2), 'and 2 more limits are full'].join('; ') });
    expect(full(5)).toMatchObject({ waits: { limits: { length: 5 } } });
  });
});

describe('the limit of a deployment', () => {
  const deployment = slot({ limit: 'deployment:etl', slotsMax: 1, from: 'PENDING' });
  const taken = (...slots: readonly SlotFact[]): Opinion =>
    takeSlots.judge(transition('SCHEDULED', 'PENDING', { kind: 'flow' }), facts({ slots }));

  test('is taken from PENDING on, the others for RUNNING', () => {
    const claims = [{ type: 'SLOTS', slots: [{ limit: 'deployment:etl', slots: 1 }] }];
    expect(taken(slot({ slotsMax: 0 }), deployment)).toStrictEqual({ type: 'PASS', claims });
    expect(taken(slot({ slotsMax: 0 }))).toStrictEqual({ type: 'PASS' });
  });
  test('is waited for by what is PENDING', () => {
    expect(taken({ ...deployment, used: 1 })).toMatchObject({ type: 'HOLD' });
  });
  test('is asked for once more for RUNNING', () => {
    expect(judge(deployment)).toMatchObject({ claims: [{ slots: [{ limit: 'deployment:etl', slots: 1 }] }] });
  });
});

describe('a limit that cancels what is new', () => {
  const closing = slot({ slotsMax: 1, onFull: 'cancel-new' });
  test('does so when it is full, or others wait for it', () => {
    const cancelled = {
      type: 'REWRITE',
      to: { type: 'CANCELLED', name: 'Cancelled', message: "the limit 'db' was full" },
    };
    expect(judge({ ...closing, used: 1 })).toMatchObject(cancelled);
    expect(judge({ ...closing, used: 1 })).toMatchObject({ why: "1 of 1 slots of 'db' are taken, 0 wait before it" });
    expect(judge({ ...closing, ahead: 1 })).toMatchObject(cancelled);
    expect(judge(slot({ limit: 'api', slotsMax: 0 }), { ...closing, used: 1 })).toMatchObject(cancelled);
  });
  test('does not what has run before: that waits', () => {
    const known = facts({ slots: [{ ...closing, used: 1 }], attempt: 1 });
    expect(takeSlots.judge(transition('SCHEDULED', 'RUNNING'), known)).toMatchObject({ type: 'HOLD' });
  });
  test('does not while it has room, even when another is full', () => {
    expect(judge(closing)).toMatchObject({ type: 'PASS' });
    expect(judge(slot({ limit: 'api', slotsMax: 0 }), closing)).toMatchObject({ type: 'HOLD' });
  });
});

describe('a limit that cancels those that run', () => {
  const holder = (run: string, slots: number, isEnding = false): NonNullable<SlotFact['holders']>[number] => ({
    run: run as RunId,
    slots,
    isEnding,
  });
  const evicting = (more: Partial<SlotFact>): SlotFact => slot({ onFull: 'cancel-running', slotsMax: 4, ...more });
  const evicted = (...slots: readonly SlotFact[]): unknown => {
    const opinion = judge(...slots);
    return opinion.type === 'HOLD' && opinion.waits.type === 'SLOTS' ? opinion.waits.evict : opinion.type;
  };

  test.each<{ what: string; more: Partial<SlotFact>; evict: unknown }>([
    { what: 'room', more: { used: 3, holders: [holder('a', 3)] }, evict: 'PASS' },
    { what: 'one slot too few', more: { used: 4, holders: [holder('a', 2), holder('b', 2)] }, evict: ['a'] },
    {
      what: 'three too few',
      more: { used: 4, wanted: 3, holders: [holder('a', 2), holder('b', 1), holder('c', 1)] },
      evict: ['a', 'b'],
    },
    {
      what: 'three too few, two of them are going',
      more: { used: 4, wanted: 3, holders: [holder('a', 1), holder('b', 1), holder('c', 2, true)] },
      evict: ['a'],
    },
    {
      what: 'one too few, and it is going',
      more: { used: 4, holders: [holder('a', 1, true), holder('b', 3)] },
      evict: undefined,
    },
    {
      what: 'one of them is going, and not enough',
      more: { used: 4, wanted: 3, holders: [holder('a', 1, true), holder('b', 1), holder('c', 1), holder('d', 1)] },
      evict: ['b', 'c'],
    },
    { what: 'nobody to be told of', more: { used: 4 }, evict: undefined },
    { what: 'nobody to be told of, and one at the door', more: { used: 4, holders: [] }, evict: undefined },
    { what: 'others before it', more: { used: 4, ahead: 1, holders: [holder('a', 4)] }, evict: undefined },
    { what: 'others before it, and room', more: { used: 0, ahead: 1, holders: [] }, evict: undefined },
  ])('makes room for the first in the queue, and no more, longest first: $what', ({ more, evict }) => {
    expect(evicted(evicting(more))).toStrictEqual(evict);
  });

  test('a limit that lets what is new wait evicts nobody', () => {
    expect(evicted(slot({ slotsMax: 1, used: 1, holders: [holder('a', 1)] }))).toBeUndefined();
  });
  test('one run is named once, whatever it holds', () => {
    const full = { slotsMax: 1, used: 1, holders: [holder('a', 1)] };
    expect(evicted(evicting(full), evicting({ ...full, limit: 'api' }))).toStrictEqual(['a']);
  });
});

describe('a rate limit', () => {
  const rated = (backInMs: number, more: Partial<SlotFact> = {}): SlotFact =>
    slot({ slotsMax: 3, rate: { everyMs: 100, emptyAtMs: at(NOW_MS + backInMs) }, ...more });

  test.each([
    { backInMs: -1, wanted: 3, until: undefined },
    { backInMs: 0, wanted: 3, until: undefined },
    { backInMs: 200, wanted: 1, until: undefined },
    { backInMs: 201, wanted: 1, until: 1 },
    { backInMs: 300, wanted: 1, until: 100 },
    { backInMs: 300, wanted: 3, until: 300 },
    { backInMs: 1, wanted: 3, until: 1 },
  ])('that is back in $backInMs ms has room for $wanted in $until ms', ({ backInMs, wanted, until }) => {
    const opinion = judge(rated(backInMs, { wanted }));
    if (until === undefined) expect(opinion).toMatchObject({ type: 'PASS' });
    else expect(opinion).toMatchObject({ type: 'HOLD', waits: { untilMs: NOW_MS + until } });
  });

  test('says how many slots are not back', () => {
    expect(judge(rated(201))).toMatchObject({ why: "3 of 3 slots of 'db' are taken, 0 wait before it" });
  });
  test('has room at a whole millisecond', () => {
    const odd = slot({ slotsMax: 3, rate: { everyMs: 33.4, emptyAtMs: at(NOW_MS + 100) } });
    expect(judge(odd)).toMatchObject({ waits: { untilMs: NOW_MS + 34 } });
  });
  test('is waited for in order: whoever comes later waits for the first in the queue, and not for a time', () => {
    expect(judge(rated(300, { ahead: 1 }))).toMatchObject({ type: 'HOLD' });
    expect(judge(rated(300, { ahead: 1 }))).not.toHaveProperty('waits.untilMs');
  });
  test('of several the last one counts, and what no time frees has none', () => {
    expect(judge(rated(300), rated(400, { limit: 'api' }))).toMatchObject({ waits: { untilMs: NOW_MS + 200 } });
    expect(judge(slot({ slotsMax: 1, used: 1 }))).not.toHaveProperty('waits.untilMs');
    expect(judge(rated(300, { slotsMax: 0 }))).not.toHaveProperty('waits.untilMs');
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
    from: fc.constant('RUNNING' as const),
    onFull: fc.constantFrom(...ON_FULL),
  });
  fc.assert(
    fc.property(fc.uniqueArray(any, { selector: ({ limit }) => limit, minLength: 1 }), (slots) => {
      const granted = judge(...slots).type === 'PASS';
      const fits = slots.every(({ used, wanted, slotsMax, ahead }) => used + wanted <= slotsMax && ahead === 0);
      expect(granted).toBe(fits);
    }),
  );
});
