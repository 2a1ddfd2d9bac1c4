/** Times and durations as people read them, and as they write them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `12 ms`, `3.20 s`, `4 min 5 s`, `2 h 3 min`, `5 d 2 h`. */
export function spanOf(ms: number): string {
  if (ms < SECOND) return `${String(Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(2)} s`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < HOUR) return two(ms, MINUTE, 'min', SECOND, 's');
  if (ms < DAY) return two(ms, HOUR, 'h', MINUTE, 'min');
  return two(ms, DAY, 'd', HOUR, 'h');
}

/** The rules count in milliseconds; a sleep of a month is no number for people. Only what rules say of themselves. */
export const withSpans = (why: string): string =>
  why.replace(
    /^(due in|retry \d+ of \d+ in) (\d{4,}) ms/,
    (_, what: string, ms: string) => `${what} ${spanOf(Number(ms))}`,
  );

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${String(Math.floor(ms / large))} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${String(rest)} ${smallName}`;
}

/** `just now`, `12 s ago`, `3 min ago`, `2 d ago`: one unit, for lists. */
export function agoOf(atMs: number, nowMs: number): string {
  const ms = nowMs - atMs;
  if (ms < SECOND) return 'just now';
  for (const [unit, name] of [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'min'],
    [SECOND, 's'],
  ] as const) {
    if (ms >= unit) return `${String(Math.floor(ms / unit))} ${name} ago`;
  }
  return 'just now';
}

/** Time since the beginning of a run: `+0.312 s`, `+1:02.250`, `+3:04:05`. */
export function sinceOf(atMs: number, beganMs: number): string {
  const ms = Math.max(0, atMs - beganMs);
  if (ms < MINUTE) return `+${(ms / SECOND).toFixed(3)}`;
  const seconds = ((ms % MINUTE) / SECOND).toFixed(ms < HOUR ? 3 : 0).padStart(ms < HOUR ? 6 : 2, '0');
  const minutes = Math.floor((ms % HOUR) / MINUTE);
  if (ms < HOUR) return `+${String(minutes)}:${seconds}`;
  return `+${String(Math.floor(ms / HOUR))}:${String(minutes).padStart(2, '0')}:${seconds}`;
}

/** Local time of day, with the date if it is not today's. */
export function clockOf(atMs: number, nowMs: number = Date.now()): string {
  const at = new Date(atMs);
  const time = at.toLocaleTimeString('en-GB', { hour12: false });
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? time : `${at.toLocaleDateString('sv-SE')} ${time}`;
}

export function bytesOf(bytes: number): string {
  if (bytes < 1000) return `${String(bytes)} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR };

/** `250`, `250ms`, `10s`, `2m`, `1h` in milliseconds; undefined for anything else. */
export function parseSpan(text: string): number | undefined {
  const [, digits, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] ?? 1);
}
