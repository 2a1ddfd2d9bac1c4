/** Times of the week in a zone: what they mean, also where clocks are put forward and back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextTimeMs, parseSpanMs, parseWeekTime, type WeekTime } from '../../engine/declared/times.ts';
import { instantOf, localTime } from '../../engine/declared/zones.ts';

const ms = (text: string): number => Date.parse(text);
const weekTime = (text: string): WeekTime => {
  const parsed = parseWeekTime(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};

test.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['0s', undefined],
  ['10', undefined],
  ['1.5h', undefined],
  ['1h 30m', undefined],
  ['', undefined],
])('the span %s is %s ms', (text, spanMs) => {
  expect(parseSpanMs(text)).toBe(spanMs);
});

describe('the next time', () => {
  test.each([
    // A Sunday in winter, when Berlin is an hour ahead.
    ['Monday 08:00 Europe/Berlin', '2026-11-22T12:00:00Z', '2026-11-23T07:00:00Z'],
    // On a Monday, before it and after it.
    ['Monday 08:00 Europe/Berlin', '2026-11-23T06:59:59Z', '2026-11-23T07:00:00Z'],
    ['Monday 08:00 Europe/Berlin', '2026-11-23T07:00:00Z', '2026-11-30T07:00:00Z'],
    ['Mon-Fri 08:00 Europe/Berlin', '2026-11-20T08:00:00Z', '2026-11-23T07:00:00Z'],
    ['Mon-Fri 08:00 Europe/Berlin', '2026-11-23T08:00:00Z', '2026-11-24T07:00:00Z'],
    ['Fri-Mon 10:00 UTC', '2026-11-23T11:00:00Z', '2026-11-27T10:00:00Z'],
    ['sat,sun 9:05 America/New_York', '2026-11-20T00:00:00Z', '2026-11-21T14:05:00Z'],
    ['08:00 Asia/Tokyo', '2026-11-22T12:00:00Z', '2026-11-22T23:00:00Z'],
    // The zone is in another day than UTC.
    ['Monday 00:30 Asia/Tokyo', '2026-11-22T15:00:00Z', '2026-11-22T15:30:00Z'],
    // Over the end of the year.
    ['Friday 00:00 UTC', '2026-12-31T12:00:00Z', '2027-01-01T00:00:00Z'],
    // Over the change to summer time: eight o'clock is eight o'clock.
    ['Monday 08:00 Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T06:00:00Z'],
    // Half past two does not come in that night: it is half past three.
    ['Sunday 02:30 Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:30:00Z'],
    // It comes twice in this one: the first.
    ['Sunday 02:30 Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
    ['Sunday 02:30 Europe/Berlin', '2026-10-25T00:45:00Z', '2026-11-01T01:30:00Z'],
    // A zone that is not whole hours ahead, and one without a name.
    ['12:00 Asia/Kathmandu', '2026-11-22T00:00:00Z', '2026-11-22T06:15:00Z'],
    ['12:00 +05:30', '2026-11-22T00:00:00Z', '2026-11-22T06:30:00Z'],
  ])('%s after %s is %s', (text, now, next) => {
    expect(new Date(nextTimeMs(weekTime(text), ms(now))).toISOString()).toBe(new Date(next).toISOString());
  });

  test('is always later, at most eight days and an hour later, and what the clocks show there but for a gap', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Kathmandu'];
    const weekTimes = fc.record({
      weekdays: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }).map((days) => new Set(days)),
      hour: fc.integer({ min: 0, max: 23 }),
      minute: fc.integer({ min: 0, max: 59 }),
      zone: fc.constantFrom(...zones),
    });
    fc.assert(
      fc.property(weekTimes, fc.integer({ min: 0, max: ms('2100-01-01T00:00:00Z') }), (time, nowMs) => {
        const next = nextTimeMs(time, nowMs);
        expect(next).toBeGreaterThan(nowMs);
        expect(next - nowMs).toBeLessThanOrEqual(8 * 86_400_000 + 3_600_000);
        expect(nextTimeMs(time, nowMs)).toBe(next);
        const { hour, minute } = localTime(next, time.zone);
        const isGap = instantOf({ ...localTime(next, time.zone), ...time }, time.zone) !== next;
        if (!isGap) expect([hour, minute]).toEqual([time.hour, time.minute]);
      }),
    );
  });
});

test.each([
  ['Monday 8 Europe/Berlin', 'is no time of the week'],
  ['Monday 08:00', 'is no time of the week'],
  ['Monday 24:00 UTC', 'is no time of day'],
  ['Monday 08:60 UTC', 'is no time of day'],
  ['Montag 08:00 UTC', 'are no days'],
  ['Mon-Wed-Fri 08:00 UTC', 'are no days'],
  ['Mon, 08:00 UTC', 'are no days'],
  ['Monday 08:00 Berlin', 'is no time zone'],
])('%s: %s', (text, problem) => {
  expect(parseWeekTime(text)).toContain(problem);
});
