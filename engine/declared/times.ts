/** Times as a declared rule says them: a span (`90s`, `1h30m`), and a time of the week in a zone. Pure. */
import { DAY_MS, instantOf, isZone, localTime } from './zones.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };
const SPAN = /^(?:\d+(?:ms|s|m|h|d))+$/;

/** `500ms`, `90s`, `1h30m`, `2d` in milliseconds; undefined for anything else, and for no time at all. */
export function parseSpanMs(text: string): number | undefined {
  if (!SPAN.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) sum += Number(count) * (UNITS_MS[unit] ?? 0);
  return sum > 0 ? sum : undefined;
}

/** A time on some days of each week, where the clocks of a zone show it. */
export type WeekTime = {
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  readonly hour: number;
  readonly minute: number;
  readonly zone: string;
};

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
export const WEEK_TIME_EXAMPLES = `'Monday 08:00 Europe/Berlin', 'Mon-Fri 08:00 Europe/Berlin', '08:00 UTC'`;

/** `Monday 08:00 Europe/Berlin`, `Mon-Fri 08:00 UTC`, `Sat,Sun 10:30 America/New_York`, `08:00 Asia/Tokyo`; or why not. */
export function parseWeekTime(text: string): WeekTime | string {
  const [, days, hours, minutes, zone = ''] = /^(?:([A-Za-z,-]+) )?(\d{1,2}):(\d{2}) (\S+)$/.exec(text.trim()) ?? [];
  if (hours === undefined || minutes === undefined) return `'${text}' is no time of the week: ${WEEK_TIME_EXAMPLES}`;
  const [hour, minute] = [Number(hours), Number(minutes)];
  if (hour > 23 || minute > 59) return `'${hours}:${minutes}' is no time of day: 00:00 to 23:59`;
  if (!isZone(zone)) return `'${zone}' is no time zone: Europe/Berlin, America/New_York, UTC …`;
  const weekdays = days === undefined ? new Set(WEEKDAYS.keys()) : weekdaysOf(days);
  if (weekdays === undefined)
    return `'${String(days)}' are no days: ${WEEKDAYS.join(', ')}, their first three letters, or Mon-Fri`;
  return { weekdays, hour, minute, zone };
}

function weekdaysOf(text: string): ReadonlySet<number> | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [first = -1, last = first, ...more] = part.split('-').map(weekdayOf);
    if (first < 0 || last < 0 || more.length > 0) return undefined;
    for (let day = first; ; day = (day + 1) % 7) {
      found.add(day);
      if (day === last) break;
    }
  }
  return found;
}

function weekdayOf(text: string): number {
  const name = text.toLowerCase();
  return WEEKDAYS.findIndex((weekday) => weekday === name || (name.length === 3 && weekday.startsWith(name)));
}

/** The next such time after now. */
export function nextTimeMs({ weekdays, hour, minute, zone }: WeekTime, nowMs: number): number {
  const today = localTime(nowMs, zone);
  // Eight days: today's may be over, and then it is the same day of next week.
  for (let ahead = 0; ahead <= 8; ahead += 1) {
    if (!weekdays.has((today.weekday + ahead) % 7)) continue;
    const atMs = instantOf({ ...today, day: today.day + ahead, hour, minute }, zone);
    if (atMs > nowMs) return atMs;
  }
  return nowMs + DAY_MS;
}
