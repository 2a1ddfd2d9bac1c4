/**
 * The demo's flow: fetches four years of weather page by page from an API that fails now and then, sorts out malformed
 * rows, sums up each month, and writes a report. Plain code; every step that meets the outside world is a task.
 */
import { channel } from 'node:diagnostics_channel';
import { AssentError, exponential, flow, runLogger, task, taskRun } from 'assent';
import { z } from 'zod';
import { saveReport, type ReportFiles } from './report.ts';
import { largest, sortRows, summariseMonths, type Day, type MonthSummary, type Quarantined } from './weather.ts';

/** Whoever asks the API needs a slot of this limit; how many there are is set from outside, see main.ts. */
export const API_LIMIT = 'weather-api';

/** What the tasks tell whoever wants to watch; nobody has to. */
export type Progress =
  | { readonly type: 'LISTED'; readonly months: number; readonly flowRun: string }
  | ({ readonly type: 'FETCHED' } & Attempt)
  | ({ readonly type: 'FAILED'; readonly why: string } & Attempt)
  | { readonly type: 'SORTED'; readonly month: string; readonly days: number; readonly quarantined: number };
export type Attempt = { readonly month: string; readonly attempt: number; readonly taskRun: string };

export const progress = channel('assent-demo');
const tell = (news: Progress): void => {
  progress.publish(news);
};

export type Outcome = {
  readonly days: number;
  readonly quarantined: number;
  readonly warmest: MonthSummary | undefined;
  readonly wettest: MonthSummary | undefined;
  readonly files: ReportFiles;
};

/** An answer that is not 200. */
class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, path: string) {
    super(`GET ${path} answered ${String(status)}`);
    this.status = status;
  }
}

const listSchema = z.object({ months: z.array(z.string()), next: z.string().optional() });
const pageSchema = z.object({ month: z.string(), days: z.array(z.unknown()) });

const listMonths = task(
  { name: 'list-months', retries: 3, retryDelay: '500ms', timeout: '5s' },
  async (source: string) => {
    const months: string[] = [];
    for (let path: string | undefined = '/months'; path !== undefined;) {
      const page: z.infer<typeof listSchema> = listSchema.parse(await getJson(source, path, taskRun().signal));
      months.push(...page.months);
      path = page.next;
    }
    tell({ type: 'LISTED', months: months.length, flowRun: taskRun().flowRunId });
    return months;
  },
);

const fetchPage = task(
  {
    name: 'fetch-page',
    limits: [API_LIMIT],
    timeout: '1s',
    retries: 3,
    retryDelay: exponential('250ms'),
    // Requests that failed together must not come back together.
    retryJitter: 0.5,
    // What the server calls our mistake will be one at the next attempt too.
    retryIf: (error) => !(error instanceof ApiError) || error.status >= 500,
  },
  async (source: string, month: string) => {
    const { attempt, id, signal } = taskRun();
    try {
      const page = pageSchema.parse(await getJson(source, `/months/${month}`, signal));
      tell({ type: 'FETCHED', month, attempt, taskRun: id });
      return page.days;
    } catch (error) {
      tell({ type: 'FAILED', month, attempt, taskRun: id, why: whyOf(error) });
      throw error;
    }
  },
);

const validateRows = task({ name: 'validate-rows' }, (month: string, rows: readonly unknown[]) => {
  const sorted = sortRows(month, rows);
  for (const { reasons } of sorted.quarantined) runLogger().warn({ month, reasons }, 'a row goes to quarantine');
  tell({ type: 'SORTED', month, days: sorted.days.length, quarantined: sorted.quarantined.length });
  return sorted;
});

const summarise = task({ name: 'summarise-months' }, (days: readonly Day[]) => summariseMonths(days));

const writeReport = task(
  { name: 'write-report' },
  (folder: string, source: string, summaries: readonly MonthSummary[], quarantined: readonly Quarantined[]) =>
    saveReport(folder, { summaries, quarantined, source, run: taskRun().flowRunId }),
);

export const seattleWeather = flow(
  {
    name: 'seattle-weather',
    description: 'Four years of daily weather, fetched, checked, summed up and drawn.',
    parameters: z.object({ source: z.url(), folder: z.string().default('demo-report') }),
  },
  async ({ source, folder }): Promise<Outcome> => {
    const months = await listMonths(source);
    // All pages at once: the limit sees to it that the API is not asked for all of them at once.
    const pages = await Promise.all(months.map(async (month) => validateRows(month, await fetchPage(source, month))));
    const quarantined = pages.flatMap((page) => page.quarantined);
    const days = pages.flatMap((page) => page.days);
    const summaries = await summarise(days);
    const files = await writeReport(folder, source, summaries, quarantined);
    return {
      days: days.length,
      quarantined: quarantined.length,
      warmest: largest(summaries, ({ meanHighCelsius }) => meanHighCelsius),
      wettest: largest(summaries, ({ precipitationMm }) => precipitationMm),
      files,
    };
  },
);

async function getJson(source: string, path: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(new URL(path, source), { signal });
  if (!response.ok) throw new ApiError(response.status, path);
  return response.json();
}

function whyOf(error: unknown): string {
  if (error instanceof AssentError && error.kind === 'TIMED_OUT') return 'no answer in time';
  if (error instanceof SyntaxError) return 'the answer was cut off';
  if (error instanceof ApiError) return `answer ${String(error.status)}`;
  return error instanceof Error ? error.message : String(error);
}
