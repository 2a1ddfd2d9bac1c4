/**
 * The calendar of a time zone: what the clock on a wall there shows at an instant, and when it shows what. From the tables
 * of time zones that Node.js brings along; the machine's own zone and language play no part.
 */

export type LocalTime = {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** From 0, a Sunday. */
  readonly weekday: number;
};

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** What is known of a zone: a file names few. Within a minute its clocks show the same, and a hearing asks again and again. */
type Zone = { readonly formatter: Intl.DateTimeFormat; minute: number; time: LocalTime | undefined };
const zones = new Map<string, Zone>();

function zoneOf(zone: string): Zone {
  let known = zones.get(zone);
  if (known === undefined) {
    const formatter = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    zones.set(zone, (known = { formatter, minute: Number.NaN, time: undefined }));
  }
  return known;
}

/** Whether the zone is known here: `Europe/Berlin`, `UTC`, `+05:30`. */
export function isZone(zone: string): boolean {
  try {
    zoneOf(zone);
    return true;
  } catch {
    return false;
  }
}

export function localTime(atMs: number, zone: string): LocalTime {
  const known = zoneOf(zone);
  const atMinute = Math.floor(atMs / MINUTE_MS);
  if (known.time === undefined || known.minute !== atMinute) {
    known.time = timeOf(atMs, known.formatter);
    known.minute = atMinute;
  }
  return known.time;
}

function timeOf(atMs: number, formatter: Intl.DateTimeFormat): LocalTime {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatter.formatToParts(atMs)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  return { year, month, day, hour, minute, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
}

/** How far the zone's clocks are ahead of UTC, to the minute. */
function offsetMs(atMs: number, zone: string): number {
  const { year, month, day, hour, minute } = localTime(atMs, zone);
  const wholeMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  return Date.UTC(year, month - 1, day, hour, minute) - wholeMs;
}

type WallTime = Pick<LocalTime, 'year' | 'month' | 'day' | 'hour' | 'minute'>;

/**
 * When the clocks of the zone show this; a day beyond the month's end is one of the next month. A time that comes twice,
 * because clocks are put back, is the first; one that never comes is as much later as clocks are put forward.
 */
export function instantOf({ year, month, day, hour, minute }: WallTime, zone: string): number {
  const asUtc = Date.UTC(year, month - 1, day, hour, minute);
  const before = asUtc - offsetMs(asUtc - DAY_MS, zone);
  const after = asUtc - offsetMs(asUtc + DAY_MS, zone);
  const [first, second] = before <= after ? [before, after] : [after, before];
  if (first + offsetMs(first, zone) === asUtc) return first;
  return second + offsetMs(second, zone) === asUtc ? second : before;
}
