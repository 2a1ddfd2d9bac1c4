/** What a day of weather must look like, which rows do not, and what the days of a month come to. Pure. */
import { z } from 'zod';

/** One day; temperatures in °C, precipitation in mm. */
export const daySchema = z
  .object({
    date: z.iso.date(),
    precipitation: z.number().min(0).max(500),
    temp_max: z.number().min(-50).max(60),
    temp_min: z.number().min(-50).max(60),
    wind: z.number().min(0).max(400),
    weather: z.enum(['drizzle', 'fog', 'rain', 'snow', 'sun']),
  })
  .refine((day) => day.temp_min <= day.temp_max, { path: ['temp_min'], error: 'above temp_max' });
export type Day = z.infer<typeof daySchema>;

/** A row that is not used, and why. */
export type Quarantined = { readonly month: string; readonly reasons: readonly string[]; readonly row: unknown };

export type Sorted = { readonly days: readonly Day[]; readonly quarantined: readonly Quarantined[] };

/** Good rows become days; malformed ones are set aside with the reasons, one bad row never costs the page. */
export function sortRows(month: string, rows: readonly unknown[]): Sorted {
  const days: Day[] = [];
  const quarantined: Quarantined[] = [];
  for (const row of rows) {
    const parsed = daySchema.safeParse(row);
    if (parsed.success) days.push(parsed.data);
    else quarantined.push({ month, reasons: parsed.error.issues.map(reasonOf), row });
  }
  return { days, quarantined };
}

/** The words of zod, without what goes without saying. */
function reasonOf({ path, message }: z.core.$ZodIssue): string {
  const words = message.replace(/^(Invalid input|Too small|Too big): /, '');
  return `${path.map(String).join('.') || 'row'}: ${words.endsWith('received undefined') ? 'missing' : words}`;
}

export type MonthSummary = {
  /** `2012-01` */
  readonly month: string;
  readonly days: number;
  readonly meanHighCelsius: number;
  readonly meanLowCelsius: number;
  readonly precipitationMm: number;
  /** Days with at least 0.1 mm. */
  readonly wetDays: number;
};

/** One summary for each month of which at least one day is known, in order. */
export function summariseMonths(days: readonly Day[]): MonthSummary[] {
  const byMonth = Map.groupBy(days, ({ date }) => date.slice(0, 7));
  return [...byMonth.keys()].sort().map((month) => {
    const known = byMonth.get(month) ?? [];
    const sum = (value: (day: Day) => number): number => known.reduce((total, day) => total + value(day), 0);
    return {
      month,
      days: known.length,
      meanHighCelsius: rounded(sum((day) => day.temp_max) / known.length),
      meanLowCelsius: rounded(sum((day) => day.temp_min) / known.length),
      precipitationMm: rounded(sum((day) => day.precipitation)),
      wetDays: known.filter((day) => day.precipitation >= 0.1).length,
    };
  });
}

/** To the tenth, as the data is. */
const rounded = (value: number): number => Math.round(value * 10) / 10;

/** The summary with the largest of something; undefined if there is none. */
export function largest(
  summaries: readonly MonthSummary[],
  of: (summary: MonthSummary) => number,
): MonthSummary | undefined {
  return summaries.reduce<MonthSummary | undefined>(
    (best, summary) => (best === undefined || of(summary) > of(best) ? summary : best),
    undefined,
  );
}

const MONTH_NAMES = 'January February March April May June July August September October November December'.split(' ');

/** `2015-07` as `July 2015`. */
export function monthName(month: string): string {
  const [year = '', number = ''] = month.split('-');
  return `${MONTH_NAMES[Number(number) - 1] ?? number} ${year}`;
}
