/**
 * What a run leaves for people to look at: a report in Markdown, a table, a link, and progress while it works. Each is made
 * once, however often the flow has to run again.
 *
 *   npx node examples/24-report-with-artifacts.ts
 *   npx assent artifacts ls
 *   npx assent artifacts show report
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { artifacts, flow, task } from 'assent';

type Year = { readonly year: string; readonly days: number; readonly wettest: string; readonly mm: number };

const DATA = new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets'));

const sumUp = task({ name: 'sum-up' }, async () => {
  const rows = (await readFile(DATA, 'utf8')).trim().split('\n').slice(1);
  const progress = artifacts.progress('reading', { total: rows.length, description: 'Rows of the weather' });
  const years = new Map<string, Year>();
  for (const [index, row] of rows.entries()) {
    const [date = '', rain = '0'] = row.split(',');
    const year = date.slice(0, 4);
    const { days, wettest, mm } = years.get(year) ?? { days: 0, wettest: '', mm: -1 };
    const isWetter = Number(rain) > mm;
    years.set(year, { year, days: days + 1, wettest: isWetter ? date : wettest, mm: isWetter ? Number(rain) : mm });
    progress.update(index + 1);
    if (index % 300 === 0) await pause(50);
  }
  console.log('summed up');
  return [...years.values()];
});

const publish = task({ name: 'publish' }, async (years: readonly Year[]) => {
  console.log(`publishing ${String(years.length)} years`);
  await pause(300);
});

export const weatherReport = flow({ name: 'weather-report' }, async () => {
  const years = await sumUp();
  await artifacts.table('years', years);
  const lines = years.map(({ year, wettest, mm }) => `- ${year}: ${String(mm)} mm on ${wettest}`);
  await artifacts.markdown('report', `# The wettest days of Seattle\n\n${lines.join('\n')}\n`, {
    description: 'The wettest day of each year',
  });
  await artifacts.link('source', 'https://github.com/vega/vega-datasets', { text: 'Where the data come from' });
  await publish(years);
  return years.length;
});

if (process.argv[1] === import.meta.filename) {
  console.log(await weatherReport(), 'years; look at the report with: npx assent artifacts show report');
}
