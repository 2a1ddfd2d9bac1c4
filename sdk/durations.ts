/**
 * Durations as people write them. Inside, a duration is a number of milliseconds whose name ends in `Ms`.
 */

/** Milliseconds as a number, or a number with a unit: `'500ms'`, `'10s'`, `'5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** What a timer of Node can wait for at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

const WRITTEN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or undefined if it is no duration. Negative and infinite ones are none. */
export function parseDuration(duration: unknown): number | undefined {
  if (typeof duration === 'number') return Number.isFinite(duration) && duration >= 0 ? duration : undefined;
  if (typeof duration !== 'string') return undefined;
  const [, count, unit] = WRITTEN.exec(duration) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (UNIT_MS[unit] ?? 0);
}

/**
 * Delays that grow with every retry: `base`, `base * factor`, `base * factor²` … up to `max`. Default factor: 2; default
 * max: one hour. Use it as `retryDelay`.
 *
 * @throws AssentError BAD_OPTION if a duration or the factor cannot be read (when the task or flow is defined).
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
  const baseMs = parseDuration(base) ?? Number.NaN;
  const maxMs = parseDuration(options.max ?? '1h') ?? Number.NaN;
  const factor = options.factor ?? 2;
  return (attempt) => Math.min(maxMs, baseMs * factor ** (attempt - 1));
}
