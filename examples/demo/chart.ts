/**
 * The report's chart: two panels over one axis of months, drawn as plain SVG whose colours are the page's. Each month has
 * one target for the pointer over the full height, with its numbers as a tooltip.
 */
import { monthName, type MonthSummary } from './weather.ts';

const WIDTH = 960;
const LEFT = 64;
const RIGHT = 120;
const PLOT = WIDTH - LEFT - RIGHT;
const TEMPERATURE = { top: 24, height: 230 };
const PRECIPITATION = { top: 300, height: 130 };
const HEIGHT = 490;

/** From a value to a place on the panel, and the values that have a line of the grid. */
type Scale = { readonly y: (value: number) => number; readonly ticks: readonly number[] };

export function weatherChart(summaries: readonly MonthSummary[]): string {
  const step = PLOT / Math.max(1, summaries.length);
  const x = (place: number): number => LEFT + (place + 0.5) * step;
  const celsius = scaleOf(
    TEMPERATURE,
    summaries.flatMap(({ meanHighCelsius, meanLowCelsius }) => [meanHighCelsius, meanLowCelsius]),
    5,
  );
  const millimetres = scaleOf(
    PRECIPITATION,
    summaries.map(({ precipitationMm }) => precipitationMm),
    100,
  );
  return `<svg viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" role="img" aria-labelledby="chart-title chart-text">
<title id="chart-title">Temperature and precipitation in Seattle, month by month</title>
<desc id="chart-text">${describe(summaries)}</desc>
${grid(celsius, 'Temperature (°C)')}
${grid(millimetres, 'Precipitation (mm)')}
${temperatures(summaries, x, celsius)}
${bars(summaries, x, { scale: millimetres, width: step * 0.7 })}
${monthAxis(summaries, x, step)}
${targets(summaries, x, step)}
</svg>`;
}

/** For those who hear the page: what the eye would see first. */
function describe(summaries: readonly MonthSummary[]): string {
  const [first, last] = [summaries[0], summaries.at(-1)];
  if (first === undefined || last === undefined) return 'There is no data.';
  const highs = summaries.map(({ meanHighCelsius }) => meanHighCelsius);
  const sums = summaries.map(({ precipitationMm }) => precipitationMm);
  return (
    `${monthName(first.month)} to ${monthName(last.month)}. The mean daily high lies between ${fixed(Math.min(...highs))} ` +
    `and ${fixed(Math.max(...highs))} °C, the precipitation of a month between ${fixed(Math.min(...sums))} and ` +
    `${fixed(Math.max(...sums))} mm. The table below has all numbers.`
  );
}

/** From zero or below up to the next full step, so that every value lies between two lines. */
function scaleOf(panel: { top: number; height: number }, values: readonly number[], step: number): Scale {
  const low = Math.floor(Math.min(0, ...values) / step) * step;
  const high = Math.ceil(Math.max(step, ...values) / step) * step;
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, place) => low + place * step);
  return { y: (value) => panel.top + (panel.height * (high - value)) / (high - low), ticks };
}

function grid({ y, ticks }: Scale, title: string): string {
  const lines = ticks.map(
    (tick) =>
      `<line class="${tick === 0 ? 'zero' : 'grid'}" x1="${String(LEFT)}" x2="${String(WIDTH - RIGHT)}" y1="${at(y(tick))}" y2="${at(y(tick))}"/>` +
      `<text class="tick" x="${String(LEFT - 8)}" y="${at(y(tick) + 4)}" text-anchor="end">${String(tick)}</text>`,
  );
  const middle = (y(ticks[0] ?? 0) + y(ticks.at(-1) ?? 0)) / 2;
  return `${lines.join('')}<text class="axis" transform="translate(18 ${at(middle)}) rotate(-90)" text-anchor="middle">${title}</text>`;
}

type Place = (place: number) => number;

function temperatures(summaries: readonly MonthSummary[], x: Place, { y }: Scale): string {
  const highs = summaries.map(({ meanHighCelsius }, place) => `${at(x(place))},${at(y(meanHighCelsius))}`);
  const lows = summaries.map(({ meanLowCelsius }, place) => `${at(x(place))},${at(y(meanLowCelsius))}`);
  const last = summaries.at(-1);
  const end = x(summaries.length - 1) + 10;
  const label = (name: string, text: string, value: number | undefined): string =>
    value === undefined ? '' : `<text class="label ${name}" x="${at(end)}" y="${at(y(value) + 4)}">${text}</text>`;
  return (
    `<polygon class="band" points="${[...highs, ...lows.toReversed()].join(' ')}"/>` +
    `<polyline class="line high" points="${highs.join(' ')}"/><polyline class="line low" points="${lows.join(' ')}"/>` +
    label('high', 'mean daily high', last?.meanHighCelsius) +
    label('low', 'mean daily low', last?.meanLowCelsius)
  );
}

function bars(summaries: readonly MonthSummary[], x: Place, { scale, width }: { scale: Scale; width: number }): string {
  const zero = scale.y(0);
  return summaries
    .map(({ precipitationMm }, place) => {
      const top = scale.y(precipitationMm);
      return `<rect class="bar" x="${at(x(place) - width / 2)}" y="${at(top)}" width="${at(width)}" height="${at(zero - top)}" rx="1.5"/>`;
    })
    .join('');
}

/** The years, and a letter for the first month of each quarter. */
function monthAxis(summaries: readonly MonthSummary[], x: Place, step: number): string {
  const base = PRECIPITATION.top + PRECIPITATION.height;
  const marks = summaries.map(({ month }, place) => {
    const [year = '', number = ''] = month.split('-');
    if (Number(number) % 3 !== 1) return '';
    const quarter = `<text class="tick" x="${at(x(place))}" y="${at(base + 16)}" text-anchor="middle">${monthName(month).slice(0, 3)}</text>`;
    if (number !== '01') return quarter;
    const start = x(place) - step / 2;
    return (
      `${quarter}<line class="year" x1="${at(start)}" x2="${at(start)}" y1="${String(TEMPERATURE.top)}" y2="${at(base + 38)}"/>` +
      `<text class="axis" x="${at(start + 6)}" y="${at(base + 36)}">${year}</text>`
    );
  });
  return `${marks.join('')}<text class="axis" x="${at(LEFT + PLOT / 2)}" y="${String(HEIGHT - 4)}" text-anchor="middle">Month</text>`;
}

function targets(summaries: readonly MonthSummary[], x: Place, step: number): string {
  const height = PRECIPITATION.top + PRECIPITATION.height - TEMPERATURE.top;
  return summaries
    .map((summary, place) => {
      const { month, days, meanHighCelsius, meanLowCelsius, precipitationMm, wetDays } = summary;
      const text =
        `${monthName(month)}\nmean daily high ${fixed(meanHighCelsius)} °C, low ${fixed(meanLowCelsius)} °C\n` +
        `${fixed(precipitationMm)} mm on ${String(wetDays)} of ${String(days)} days`;
      return `<rect class="target" x="${at(x(place) - step / 2)}" y="${String(TEMPERATURE.top)}" width="${at(step)}" height="${String(height)}"><title>${text}</title></rect>`;
    })
    .join('');
}

const at = (place: number): string => String(Math.round(place * 10) / 10);
const fixed = (value: number): string => value.toFixed(1);
