import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reportPage, saveReport, type ReportData } from '../../examples/demo/report.ts';

const data: ReportData = {
  summaries: [
    { month: '2012-01', days: 31, meanHighCelsius: 7.1, meanLowCelsius: -1.5, precipitationMm: 173.3, wetDays: 22 },
    { month: '2012-02', days: 29, meanHighCelsius: 9.3, meanLowCelsius: 3.4, precipitationMm: 92.3, wetDays: 20 },
  ],
  quarantined: [
    { month: '2012-02', reasons: ['wind: missing'], row: { date: '2012-02-14', weather: '<script>alert(1)</script>' } },
  ],
  source: 'http://127.0.0.1:1/?a&b',
  run: 'abcdefgh12345678',
};

test('the page needs nothing from elsewhere', () => {
  const page = reportPage(data);
  expect(page).not.toMatch(/<(script|link|img|iframe)\b/);
  expect(page).not.toMatch(/(src|href)=|url\(|@import/);
});

test('what was received is shown as text, never as markup', () => {
  const page = reportPage(data);
  expect(page).toContain('&#60;script&#62;alert(1)');
  expect(page).toContain('http://127.0.0.1:1/?a&#38;b');
});

test('the chart has a title, a description, titled axes with units, and a tooltip for each month', () => {
  const page = reportPage(data);
  expect(page).toMatch(/<svg [^>]*role="img" aria-labelledby="chart-title chart-text"/);
  expect(page).toContain('<title id="chart-title">');
  expect(page).toMatch(/<desc id="chart-text">January 2012 to February 2012\./);
  for (const axis of ['Temperature (°C)', 'Precipitation (mm)', 'Month']) expect(page).toContain(`>${axis}</text>`);
  expect(page.match(/class="target"/g)).toHaveLength(2);
  expect(page).toContain('January 2012\nmean daily high 7.1 °C, low -1.5 °C\n173.3 mm on 22 of 31 days');
});

test('every drawn place is a number within the picture', () => {
  const svg = /<svg[^]*<\/svg>/.exec(reportPage(data))?.[0] ?? '';
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  for (const [, y = ''] of svg.matchAll(/ y[12]?="([^"]*)"/g)) {
    expect(Number(y)).toBeGreaterThanOrEqual(0);
    expect(Number(y)).toBeLessThanOrEqual(490);
  }
});

test('the table has the year’s means, weighted by days, and its sum', () => {
  // (7.1 · 31 + 9.3 · 29) / 60 = 8.16; (-1.5 · 31 + 3.4 · 29) / 60 = 0.87
  const cells = ['60', '8.2', '0.9', '265.6', '42'].map((cell) => `<td>${cell}</td>`).join('');
  expect(reportPage(data)).toContain(`<tr><th scope="row">2012</th>${cells}</tr>`);
});

test('a report of nothing says so', () => {
  const page = reportPage({ ...data, summaries: [], quarantined: [] });
  expect(page).toContain('There is no data.');
  expect(page).toContain('Every row was well-formed.');
  expect(page).not.toMatch(/NaN|Infinity|undefined/);
});

test('the files are the page, and the quarantined rows one JSON object a line; writing them again changes nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'assent-report-'));
  try {
    const files = await saveReport(join(folder, 'new', 'report'), data);
    const first = await readFile(files.html, 'utf8');
    expect(first).toBe(reportPage(data));
    const lines = (await readFile(files.quarantine, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(data.quarantined);
    await saveReport(join(folder, 'new', 'report'), data);
    expect(await readFile(files.html, 'utf8')).toBe(first);
  } finally {
    await rm(folder, { recursive: true });
  }
});
