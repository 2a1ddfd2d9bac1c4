/**
 * A small HTTP API over a real data set: the weather of Seattle, day by day from 2012 to 2015, which ships in the package
 * `vega-datasets`. It listens on loopback only, and it fails now and then, as its plan of faults says.
 *
 *   GET /months?page=1     { "months": ["2012-01", …], "next": "/months?page=2" }
 *   GET /months/2012-01    { "month": "2012-01", "days": [{ "date": "2012-01-01", "precipitation": 0, … }, …] }
 */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chanceOf, planFaults, type Damage, type Fault, type FaultPlan } from './faults.ts';

export interface DataServer {
  readonly url: string;
  readonly months: readonly string[];
  readonly days: number;
  readonly plan: FaultPlan;
  close(): Promise<void>;
}

export type DataServerOptions = {
  /** Draws the faults and the pace. */
  readonly seed: number;
  /** How long a good answer takes, at least and at most. */
  readonly paceMs?: readonly [number, number];
  /** How long a slow answer takes. */
  readonly slowMs?: number;
};

type Row = Readonly<Record<string, unknown>>;
type Answer = { readonly status: number; readonly body: string; readonly delayMs: number };

const MONTHS_PER_PAGE = 12;

export async function startDataServer({
  seed,
  paceMs = [150, 450],
  slowMs = 8000,
}: DataServerOptions): Promise<DataServer> {
  const rows = await readRows();
  const byMonth = Map.groupBy(rows, ({ date }) => String(date).slice(0, 7));
  const months = [...byMonth.keys()].sort();
  const plan = planFaults(
    seed,
    months,
    rows.map(({ date }) => String(date)),
  );
  const asked = new Map<string, number>();

  const answer = (path: string): Answer => {
    const url = new URL(path, 'http://loopback');
    if (url.pathname === '/months') return listing(months, Number(url.searchParams.get('page') ?? 1));
    const month = url.pathname.replace('/months/', '');
    const days = byMonth.get(month);
    if (days === undefined) return { status: 404, body: '{"error":"no such month"}', delayMs: 0 };
    const before = asked.get(month) ?? 0;
    asked.set(month, before + 1);
    const sent = days.map((row) => damaged(row, plan.rows.get(String(row['date']))));
    // The pace depends on the month and the number of the request, not on who asks first.
    const share = chanceOf(seed + 100 * months.indexOf(month) + before)();
    const pace = Math.round(paceMs[0] + (paceMs[1] - paceMs[0]) * share);
    return faulty(plan.answers.get(month)?.[before], JSON.stringify({ month, days: sent }), pace, slowMs);
  };

  const server = createServer((request, response) => {
    if (request.method === 'GET') send(answer(request.url ?? '/'), response);
    else response.writeHead(405).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    months,
    days: rows.length,
    plan,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The data as the API means it: dates and kinds of weather as text, all else as numbers. */
async function readRows(): Promise<Row[]> {
  const file = new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets'));
  const [header = '', ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  const columns = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(
      columns.map((column, place) => {
        const cell = cells[place] ?? '';
        return [column, column === 'date' || column === 'weather' ? cell : Number(cell)];
      }),
    );
  });
}

function listing(months: readonly string[], page: number): Answer {
  const last = Math.ceil(months.length / MONTHS_PER_PAGE);
  if (!Number.isInteger(page) || page < 1 || page > last)
    return { status: 404, body: '{"error":"no such page"}', delayMs: 0 };
  const listed = months.slice((page - 1) * MONTHS_PER_PAGE, page * MONTHS_PER_PAGE);
  const next = page < last ? { next: `/months?page=${String(page + 1)}` } : {};
  return { status: 200, body: JSON.stringify({ months: listed, ...next }), delayMs: 20 };
}

function faulty(fault: Fault | undefined, body: string, paceMs: number, slowMs: number): Answer {
  switch (fault) {
    case undefined:
      return { status: 200, body, delayMs: paceMs };
    case 'error':
      return { status: 500, body: '{"error":"the weather station does not answer"}', delayMs: paceMs };
    case 'slow':
      return { status: 200, body, delayMs: slowMs };
    case 'truncated':
      return { status: 200, body: body.slice(0, Math.floor(body.length * 0.7)), delayMs: paceMs };
  }
}

function damaged(row: Row, damage: Damage | undefined): Row {
  switch (damage) {
    case undefined:
      return row;
    case 'field missing':
      return Object.fromEntries(Object.entries(row).filter(([column]) => column !== 'temp_max'));
    case 'text for a number':
      return { ...row, precipitation: 'n/a' };
    case 'sentinel value':
      return { ...row, temp_min: -9999 };
    case 'extremes swapped':
      return { ...row, temp_max: row['temp_min'], temp_min: row['temp_max'] };
  }
}

function send({ status, body, delayMs }: Answer, response: ServerResponse): void {
  const timer = setTimeout(() => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  }, delayMs);
  // Nobody waits any more: do not answer, and do not keep the process alive for it.
  response.once('close', () => {
    clearTimeout(timer);
  });
}
