/**
 * Durations as people write them. Inside, a duration is a number of milliseconds whose name ends in `Ms`.
 */
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';

/** Milliseconds as a number, or a number with a unit: `'500ms'`, `'10s'`, `'5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** The last time of day that a Date can say. */
export const LAST_INSTANT_MS = 8_640_000_000_000_000;

/** What a timer of Node can wait for at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

const WRITTEN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or undefined if it is no duration. Negative ones and those of more than a hundred years are none. */
export function parseDuration(duration: unknown): number | undefined {
  const ms = typeof duration === 'string' ? written(duration) : duration;
  return typeof ms === 'number' && ms >= 0 && ms <= LIMITS.durationMsMax ? ms : undefined;
}

function written(duration: string): number | undefined {
  const [, count, unit] = WRITTEN.exec(duration) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (UNIT_MS[unit] ?? 0);
}

/**
 * Delays that grow with every retry: `base`, `base * factor`, `base * factor²` … up to `max`. Default factor: 2; default
 * max: one hour. Use it as `retryDelay`.
 *
 * @throws AssentError BAD_OPTION if a duration cannot be read, the factor is no number above 0, or an option is unknown.
 * @example
 * import { exponential, task } from 'assent';
 *
 * const fetchPage = task(
 *   { name: 'fetch-page', retries: 5, retryDelay: exponential('1s', { factor: 3, max: '1m' }) },
 *   async (url: string) => (await fetch(url)).text(),
 * );
 */
export function exponential(
  base: Duration,
  options: { readonly factor?: number; readonly max?: Duration } = {},
): (attempt: number) => number {
  const { factor = 2, max = '1h', ...rest } = options;
  const [baseMs, maxMs] = [parseDuration(base), parseDuration(max)];
  if (baseMs === undefined) throw badExponential(`base: '${String(base)}' is no duration`);
  if (maxMs === undefined) throw badExponential(`max: '${String(max)}' is no duration`);
  if (!Number.isFinite(factor) || factor <= 0) throw badExponential(`factor: ${String(factor)} is no number above 0`);
  for (const option of Object.keys(rest)) throw badExponential(`${option}: no such option`);
  return (attempt) => Math.min(maxMs, baseMs * factor ** (attempt - 1));
}

const badExponential = (problem: string): AssentError => new AssentError('BAD_OPTION', `exponential: ${problem}.`);
