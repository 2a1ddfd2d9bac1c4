/**
 * `npm run demo`: starts an API that fails now and then, runs the flow against it, and shows what the ledger remembers.
 * Options: `npm run demo -- --seed 8` for other faults, `--report FOLDER` for another place.
 */
import { isAbsolute, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { AssentError, setLimit } from 'assent';
import { startDataServer, type DataServer } from './data-server.ts';
import { API_LIMIT, seattleWeather, type Outcome } from './flow.ts';
import { showLedger } from './ledger.ts';
import { styled, Terminal } from './terminal.ts';
import { Watcher } from './watcher.ts';
import { monthName } from './weather.ts';

const REQUESTS_AT_ONCE = 6;
/** A start that takes longer than this is explained. */
const SLOW_START_MS = 2000;

const { seed, report } = options();
const terminal = new Terminal();
const watcher = new Watcher(terminal);
const stop = new AbortController();
const server = await startDataServer({ seed });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void interrupted(signal));
// The runs' log lines would tear the line of progress; they can be read with `assent runs logs`.
process.env['ASSENT_LOG'] = 'quiet';
// Whoever reads along (`| head`) may leave before the end.
process.stdout.once('error', () => process.exit(1));

try {
  introduce(server);
  await startEngine();
  showOutcome(await runFlow());
  await showLedger(terminal, watcher, stop.signal);
} catch (error) {
  if (!stop.signal.aborted) fail(error);
} finally {
  watcher.close();
  await server.close();
}

function options(): { readonly seed: number; readonly report: string } {
  try {
    const { values } = parseArgs({
      options: { seed: { type: 'string', default: '7' }, report: { type: 'string', default: 'demo-report' } },
    });
    if (!/^\d+$/.test(values.seed)) throw new TypeError(`--seed takes a whole number, not '${values.seed}'`);
    return { seed: Number(values.seed), report: values.report };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

function introduce({ url, days, months, plan }: DataServer): void {
  const faults = [...plan.answers.values()].flat();
  const times = (fault: string): string => `${String(faults.filter((each) => each === fault).length)} ×`;
  terminal.line(styled('bold', 'Assent demo: four years of weather from an API that fails now and then'));
  terminal.heading('1  The data');
  terminal.detail(
    `${url} serves ${days.toLocaleString('en')} days of real records, a page for each of ${String(months.length)} months.`,
  );
  terminal.detail(
    `It fails as APIs do; with seed ${String(seed)}: ${times('error')} status 500, ${times('slow')} too slow, ` +
      `${times('truncated')} cut off, and ${String(plan.rows.size)} malformed rows.`,
  );
}

/** The first use of the SDK starts the engine, or finds the one that runs. */
async function startEngine(): Promise<void> {
  terminal.heading('2  The engine');
  const explain = setTimeout(() => {
    terminal.detail('Starting; the first start on a machine fetches nats-server.');
  }, SLOW_START_MS);
  const beganMs = performance.now();
  await setLimit(API_LIMIT, REQUESTS_AT_ONCE);
  clearTimeout(explain);
  const tookS = ((performance.now() - beganMs) / 1000).toFixed(1);
  const where =
    process.env['ASSENT_URL'] === undefined
      ? `keeps its ledger in ${process.env['ASSENT_DATA'] ?? '.assent'}`
      : 'is at ASSENT_URL';
  terminal.detail(`Ready after ${tookS} s; it ${where}.`);
  terminal.detail(
    `The limit '${API_LIMIT}' has ${String(REQUESTS_AT_ONCE)} slots: no more requests than that at once.`,
  );
}

async function runFlow(): Promise<Outcome> {
  terminal.heading('3  The flow');
  terminal.detail('Fetch all pages in parallel, set malformed rows aside, sum up each month, write a report.');
  const outcome = await seattleWeather({ source: server.url, folder: resolve(report) });
  terminal.endProgress();
  return outcome;
}

function showOutcome({ days, quarantined, warmest, wettest, files }: Outcome): void {
  terminal.heading('4  The result');
  const row = (name: string, text: string): void => {
    terminal.detail(`${name.padEnd(15)}${text}`);
  };
  row('Days', `${days.toLocaleString('en')} used, ${String(quarantined)} in quarantine`);
  if (warmest)
    row('Warmest month', `${monthName(warmest.month)}, mean daily high ${warmest.meanHighCelsius.toFixed(1)} °C`);
  if (wettest)
    row(
      'Wettest month',
      `${monthName(wettest.month)}, ${wettest.precipitationMm.toFixed(1)} mm on ${String(wettest.wetDays)} days`,
    );
  row('Quarantine', nearPath(files.quarantine));
  row('Report', styled('underline', pathToFileURL(files.html).href));
}

/** From here if it lies below. */
function nearPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}

/** The engine was started for this process, and ends by itself when this process is gone. */
async function interrupted(signal: NodeJS.Signals): Promise<void> {
  stop.abort();
  terminal.endProgress();
  terminal.line();
  terminal.line('Stopped.');
  if (watcher.flowRun !== undefined)
    terminal.line(`What the ledger knows of the run: npx assent why ${watcher.flowRun}`);
  await server.close();
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

function fail(error: unknown): void {
  terminal.endProgress();
  // What happened and what to do about it; a stack would say neither.
  console.error(error instanceof AssentError ? error.message : error);
  process.exitCode = 1;
}
