/**
 * `npm run demo`: starts an API that fails now and then, runs the flow against it, and shows what the ledger remembers.
 * Options: `-- --seed 8` for other faults, `-- --report FOLDER` for another place.
 */
import { relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { AssentError, disconnect, setLimit } from 'assent';
import { startDataServer, type DataServer } from './data-server.ts';
import { API_LIMIT, seattleWeather, type Outcome } from './flow.ts';
import { showLedger } from './ledger.ts';
import { styled, Terminal } from './terminal.ts';
import { Watcher } from './watcher.ts';
import { monthName } from './weather.ts';

const REQUESTS_AT_ONCE = 6;
const terminal = new Terminal();
const stop = new AbortController();

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '7' }, report: { type: 'string', default: 'demo-report' } },
});

const server = await startDataServer({ seed: Number(values.seed) });
const watcher = new Watcher(terminal);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void interrupted(signal));
try {
  introduce(server);
  await startEngine();
  const outcome = await runFlow();
  showOutcome(outcome);
  await showLedger(terminal, watcher, stop.signal);
} catch (error) {
  if (!stop.signal.aborted) fail(error);
} finally {
  watcher.close();
  await server.close();
  await disconnect();
}

function introduce({ url, days, months, plan }: DataServer): void {
  terminal.line(styled('bold', 'Assent demo: four years of Seattle’s weather from an API that fails now and then'));
  terminal.heading('1  The data');
  const faults = [...plan.answers.values()].flat();
  const count = (fault: string): string => String(faults.filter((each) => each === fault).length);
  terminal.detail(
    `A small server at ${url} has ${String(days)} days of real records, a page for each of ${String(months.length)} months.`,
  );
  terminal.detail(
    `Seed ${values.seed} makes it answer 500 ${count('error')} times, be too slow ${count('slow')} times, break off in the middle ` +
      `${count('truncated')} times,`,
  );
  terminal.detail(`and send ${String(plan.rows.size)} malformed rows.`);
}

/** The first use of the SDK starts the engine. */
async function startEngine(): Promise<void> {
  terminal.heading('2  The engine');
  const beganMs = performance.now();
  await setLimit(API_LIMIT, REQUESTS_AT_ONCE);
  const tookS = ((performance.now() - beganMs) / 1000).toFixed(1);
  const where =
    process.env['ASSENT_URL'] === undefined ? 'the project’s own, with a nats-server as its ledger' : 'at ASSENT_URL';
  terminal.detail(`Ready after ${tookS} s: ${where}.`);
  terminal.detail(
    `The limit “${API_LIMIT}” has ${String(REQUESTS_AT_ONCE)} slots: so many requests at once, and no more.`,
  );
}

async function runFlow(): Promise<Outcome> {
  terminal.heading('3  The flow');
  terminal.detail('Fetch all pages in parallel, set malformed rows aside, sum up each month, write a report.');
  const outcome = await seattleWeather({ source: server.url, folder: resolve(values.report) });
  terminal.endProgress();
  return outcome;
}

function showOutcome({ days, quarantined, warmest, wettest, files }: Outcome): void {
  terminal.heading('4  The result');
  const row = (name: string, text: string): void => {
    terminal.detail(`${name.padEnd(15)}${text}`);
  };
  row('Days', `${String(days)} used, ${String(quarantined)} in quarantine`);
  if (warmest)
    row('Warmest month', `${monthName(warmest.month)}, mean daily high ${warmest.meanHighCelsius.toFixed(1)} °C`);
  if (wettest)
    row(
      'Wettest month',
      `${monthName(wettest.month)}, ${wettest.precipitationMm.toFixed(1)} mm on ${String(wettest.wetDays)} days`,
    );
  row('Report', styled('underline', pathToFileURL(files.html).href));
  row('Quarantine', relative(process.cwd(), files.quarantine));
}

/** The engine was started for this process, and ends by itself when this process is gone. */
async function interrupted(signal: NodeJS.Signals): Promise<void> {
  stop.abort();
  terminal.endProgress();
  terminal.line(`Stopped by ${signal}.`);
  const { flowRun } = watcher;
  if (flowRun !== undefined) terminal.line(`What the ledger knows of the run: npx assent why ${flowRun}`);
  await server.close();
  process.exit(signal === 'SIGINT' ? 130 : 143);
}

function fail(error: unknown): void {
  terminal.endProgress();
  // What happened and what to do about it; a stack would say neither.
  console.error(error instanceof AssentError ? error.message : error);
  process.exitCode = 1;
}
