import { describe, expect, test } from 'vitest';
import { largest, monthName, sortRows, summariseMonths } from '../../examples/demo/weather.ts';

const good = { date: '2012-02-01', precipitation: 1.5, temp_max: 9, temp_min: 3, wind: 2, weather: 'rain' };

describe('sorting rows', () => {
  test.each([
    ['a missing field', { ...good, temp_max: undefined }, 'temp_max: missing'],
    ['text in a number column', { ...good, precipitation: 'n/a' }, 'precipitation: expected number, received string'],
    ['a sentinel value', { ...good, temp_min: -9999 }, 'temp_min: expected number to be >=-50'],
    ['a low above the high', { ...good, temp_min: 12 }, 'temp_min: above temp_max'],
    ['a date that is none', { ...good, date: '2012-02-30' }, 'date: Invalid ISO date'],
    ['something that is no row', 'oops', 'row: expected object, received string'],
  ])('sets aside %s, says why, and keeps the others', (_, row, reason) => {
    const { days, quarantined } = sortRows('2012-02', [good, row, good]);
    expect(days).toEqual([good, good]);
    expect(quarantined).toEqual([{ month: '2012-02', reasons: [reason], row }]);
  });

  test('names every reason of a row', () => {
    const { quarantined } = sortRows('2012-02', [{ ...good, wind: null, weather: 'frogs' }]);
    expect(quarantined[0]?.reasons).toHaveLength(2);
  });
});

describe('summing up', () => {
  test('gives means of temperatures and sums of precipitation for each month, in order', () => {
    const march = { ...good, date: '2012-03-01', temp_max: 15, temp_min: 5, precipitation: 0 };
    const days = [march, good, { ...good, date: '2012-02-02', temp_max: 10, temp_min: 4, precipitation: 0.7 }].map(
      (day) => ({ ...day, weather: 'rain' as const }),
    );
    expect(summariseMonths(days)).toEqual([
      { month: '2012-02', days: 2, meanHighCelsius: 9.5, meanLowCelsius: 3.5, precipitationMm: 2.2, wetDays: 2 },
      { month: '2012-03', days: 1, meanHighCelsius: 15, meanLowCelsius: 5, precipitationMm: 0, wetDays: 0 },
    ]);
  });

  test('finds the month with the most of something, the first of equal ones, and none in nothing', () => {
    const summaries = summariseMonths([
      { ...good, weather: 'rain' },
      { ...good, date: '2012-03-01', weather: 'rain' },
    ]);
    expect(largest(summaries, ({ precipitationMm }) => precipitationMm)?.month).toBe('2012-02');
    expect(largest([], ({ days }) => days)).toBeUndefined();
  });
});

test('months have names', () => {
  expect([monthName('2012-01'), monthName('2015-12')]).toEqual(['January 2012', 'December 2015']);
});
