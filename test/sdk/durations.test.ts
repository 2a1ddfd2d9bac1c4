import { expect, test } from 'vitest';
import { exponential, parseDuration } from '../../sdk/durations.ts';

test.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  [0, 0],
  [250, 250],
])('%s is %d ms', (written, ms) => {
  expect(parseDuration(written)).toBe(ms);
});

test.each([
  '10',
  '10 s',
  '-1s',
  's',
  '1w',
  '',
  'Infinitys',
  '1e3s',
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  undefined,
  {},
])('%j is no duration', (written) => {
  expect(parseDuration(written)).toBeUndefined();
});

test('exponential delays grow by the factor up to the maximum', () => {
  expect([1, 2, 3, 4].map(exponential('1s'))).toEqual([1000, 2000, 4000, 8000]);
  expect([1, 2, 3, 4].map(exponential(10, { factor: 10, max: '5s' }))).toEqual([10, 100, 1000, 5000]);
});
