/**
 * The report: one HTML file that needs nothing else, and beside it the quarantined rows, one JSON object a line.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { weatherChart } from './chart.ts';
import { REPORT_STYLE } from './report-style.ts';
import { largest, monthName, type MonthSummary, type Quarantined } from './weather.ts';

export type ReportData = {
  readonly summaries: readonly MonthSummary[];
  readonly quarantined: readonly Quarantined[];
  /** Where the rows came from. */
  readonly source: string;
  /** The flow run that wrote the report. */
  readonly run: string;
};

export type ReportFiles = { readonly html: string; readonly quarantine: string };

/** Writes both files; the same data gives the same bytes, so it may be repeated. */
export async function saveReport(folder: string, data: ReportData): Promise<ReportFiles> {
  const files = { html: join(folder, 'index.html'), quarantine: join(folder, 'quarantine.jsonl') };
  await mkdir(folder, { recursive: true });
  await writeFile(files.quarantine, data.quarantined.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await writeFile(files.html, reportPage(data));
  return files;
}

export function reportPage({ summaries, quarantined, source, run }: ReportData): string {
  const [first, last] = [summaries[0], summaries.at(-1)];
  const span = first && last ? `${monthName(first.month)} to ${monthName(last.month)}` : 'no data';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Seattle’s weather, ${span}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>Seattle’s weather</h1>
<p>${span}, from daily records</p>
</header>
${figures(summaries, quarantined.length)}
<section aria-labelledby="months">
<h2 id="months">Month by month</h2>
<figure>${weatherChart(summaries)}</figure>
</section>
<section aria-labelledby="years">
<h2 id="years">Year by year</h2>
${yearTable(summaries)}
<details><summary>All ${String(summaries.length)} months</summary>
${monthTable(summaries)}
</details>
</section>
<section aria-labelledby="quarantine">
<h2 id="quarantine">Quarantine</h2>
${quarantineTable(quarantined)}
</section>
<footer>Written by flow run <code>${escaped(run)}</code> from <code>${escaped(source)}</code>; data: NOAA, by way of the package
<code>vega-datasets</code>. What happened on the way: <code>npx assent why ${escaped(run)}</code></footer>
</main>
</body>
</html>
`;
}

function figures(summaries: readonly MonthSummary[], quarantined: number): string {
  const warmest = largest(summaries, ({ meanHighCelsius }) => meanHighCelsius);
  const wettest = largest(summaries, ({ precipitationMm }) => precipitationMm);
  const days = summaries.reduce((sum, month) => sum + month.days, 0);
  return `<dl class="figures">
${figure('Days used', whole(days), `${String(quarantined)} more in quarantine`)}
${warmest ? figure('Warmest month', monthName(warmest.month), `mean daily high ${fixed(warmest.meanHighCelsius)} °C`) : ''}
${wettest ? figure('Wettest month', monthName(wettest.month), `${fixed(wettest.precipitationMm)} mm on ${String(wettest.wetDays)} days`) : ''}
</dl>`;
}

const figure = (name: string, value: string, more: string): string =>
  `<div><dt>${name}</dt><dd>${value}</dd><dd class="more">${more}</dd></div>`;

type Cells = readonly string[];

function table(caption: string, columns: Cells, rows: readonly Cells[]): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  const body = rows.map(([name = '', ...cells]) => {
    const numbers = cells.map((cell) => `<td>${cell}</td>`).join('');
    return `<tr><th scope="row">${name}</th>${numbers}</tr>`;
  });
  return `<div class="wide"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}

const COLUMNS = ['Days used', 'Mean daily high, °C', 'Mean daily low, °C', 'Precipitation, mm', 'Wet days'];

function monthTable(summaries: readonly MonthSummary[]): string {
  return table(
    'Days without a usable record are not part of the means and sums.',
    ['Month', ...COLUMNS],
    [...summaries.map((summary) => [monthName(summary.month), ...cellsOf(summary)])],
  );
}

function yearTable(summaries: readonly MonthSummary[]): string {
  const years = Map.groupBy(summaries, ({ month }) => month.slice(0, 4));
  const rows = [...years].map(([year, months]) => [year, ...cellsOf(together(months))]);
  return table('A wet day has at least 0.1 mm.', ['Year', ...COLUMNS], rows);
}

const cellsOf = ({
  days,
  meanHighCelsius,
  meanLowCelsius,
  precipitationMm,
  wetDays,
}: Omit<MonthSummary, 'month'>): Cells => [
  whole(days),
  fixed(meanHighCelsius),
  fixed(meanLowCelsius),
  fixed(precipitationMm),
  whole(wetDays),
];

/** A longer month counts for more. */
function together(months: readonly MonthSummary[]): Omit<MonthSummary, 'month'> {
  const sum = (value: (month: MonthSummary) => number): number =>
    months.reduce((total, month) => total + value(month), 0);
  const days = sum((month) => month.days);
  return {
    days,
    meanHighCelsius: sum((month) => month.meanHighCelsius * month.days) / days,
    meanLowCelsius: sum((month) => month.meanLowCelsius * month.days) / days,
    precipitationMm: sum((month) => month.precipitationMm),
    wetDays: sum((month) => month.wetDays),
  };
}

function quarantineTable(quarantined: readonly Quarantined[]): string {
  if (quarantined.length === 0) return '<p>Every row was well-formed.</p>';
  const rows = quarantined.map(({ month, reasons, row }) => [
    monthName(month),
    reasons.map(escaped).join('<br>'),
    `<code>${escaped(spaced(row))}</code>`,
  ]);
  const listed = table(
    'Rows that were set aside and not used; also in quarantine.jsonl.',
    ['Page', 'Reason', 'Row as received'],
    rows,
  );
  return `<div class="texts">${listed}</div>`;
}

/** JSON that can be broken into lines between fields. */
const spaced = (row: unknown): string => JSON.stringify(row).replaceAll(',"', ', "');

/** What comes from outside is text, never markup. */
const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${String(character.codePointAt(0) ?? 0)};`);

const fixed = (value: number): string =>
  value.toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const whole = (value: number): string => value.toLocaleString('en');
