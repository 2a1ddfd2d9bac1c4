import { afterEach, describe, expect, test } from 'vitest';
import { startDataServer, type DataServer, type DataServerOptions } from '../../examples/demo/data-server.ts';
import { planFaults } from '../../examples/demo/faults.ts';

type Page = { readonly month: string; readonly days: readonly Readonly<Record<string, unknown>>[] };

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);
const MONTHS = Array.from({ length: 48 }, (_, place) => `month ${String(place)}`);
const DATES = Array.from({ length: 1461 }, (_, place) => `date ${String(place)}`);

let running: DataServer | undefined;
const started = async (options: DataServerOptions): Promise<DataServer> => {
  running = await startDataServer({ paceMs: [0, 0], ...options });
  return running;
};
afterEach(() => running?.close());

const monthWith = ({ plan }: DataServer, faults: string): string =>
  [...plan.answers].find(([, each]) => each.join() === faults)?.[0] ?? 'none';
const pageOf = async (server: DataServer, month: string): Promise<Page> =>
  (await (await fetch(`${server.url}/months/${month}`)).json()) as Page;

describe('the plan of faults', () => {
  test('is the same for the same seed, and another for another one', () => {
    expect(planFaults(7, MONTHS, DATES)).toEqual(planFaults(7, MONTHS, DATES));
    expect(planFaults(7, MONTHS, DATES)).not.toEqual(planFaults(8, MONTHS, DATES));
  });

  test.each([
    ['a 500', 'error'],
    ['a slow answer', 'slow'],
    ['an answer that breaks off', 'truncated'],
  ])('has %s for every seed', (_, fault) => {
    for (const seed of SEEDS) expect([...planFaults(seed, MONTHS, DATES).answers.values()].flat()).toContain(fault);
  });

  test('has exactly one page that succeeds at the third attempt only, and none that needs more, for every seed', () => {
    for (const seed of SEEDS) {
      const lengths = [...planFaults(seed, MONTHS, DATES).answers.values()].map(({ length }) => length);
      expect(lengths.filter((length) => length === 2)).toHaveLength(1);
      expect(Math.max(...lengths)).toBe(2);
    }
  });

  test('has every kind of damaged row for every seed, in about one of a hundred', () => {
    for (const seed of SEEDS) {
      const { rows } = planFaults(seed, MONTHS, DATES);
      expect(new Set(rows.values()).size).toBe(4);
      expect(rows.size).toBeGreaterThanOrEqual(10);
      expect(rows.size).toBeLessThanOrEqual(16);
    }
  });
});

describe('the data server', () => {
  test('lists 48 months in pages that name the next one', async () => {
    const server = await started({ seed: 7 });
    const months: string[] = [];
    let pages = 0;
    for (let path: string | undefined = '/months'; path !== undefined; pages += 1) {
      const page = (await (await fetch(server.url + path)).json()) as { months: string[]; next?: string };
      months.push(...page.months);
      path = page.next;
    }
    expect(pages).toBe(4);
    expect(months).toEqual(server.months);
    expect([months.length, months[0], months.at(-1)]).toEqual([48, '2012-01', '2015-12']);
  });

  test('has the real records: every day of four years', async () => {
    const server = await started({ seed: 7 });
    expect(server.days).toBe(1461);
    const untouched = server.months.find((month) => !server.plan.answers.has(month)) ?? '';
    const { days } = await pageOf(server, untouched);
    expect(days.length).toBeGreaterThanOrEqual(28);
    expect(days[0]).toMatchObject({ date: `${untouched}-01`, wind: expect.any(Number) as number });
  });

  test('answers 500 twice and then well, for the page that needs three attempts, whoever else asks meanwhile', async () => {
    const server = await started({ seed: 7 });
    const month = monthWith(server, 'error,error');
    const other = server.months.find((each) => !server.plan.answers.has(each)) ?? '';
    const statuses: number[] = [];
    for (let asked = 0; asked < 4; asked += 1) {
      statuses.push((await fetch(`${server.url}/months/${month}`)).status);
      expect((await fetch(`${server.url}/months/${other}`)).status).toBe(200);
    }
    expect(statuses).toEqual([500, 500, 200, 200]);
  });

  test('breaks off in the middle of the JSON once', async () => {
    const server = await started({ seed: 7 });
    const month = monthWith(server, 'truncated');
    await expect(pageOf(server, month)).rejects.toThrow(SyntaxError);
    expect((await pageOf(server, month)).month).toBe(month);
  });

  test('is slower than a client’s patience once, and closes at once although it still owes an answer', async () => {
    const server = await started({ seed: 7, slowMs: 60_000 });
    const url = `${server.url}/months/${monthWith(server, 'slow')}`;
    await expect(fetch(url, { signal: AbortSignal.timeout(100) })).rejects.toThrow('timeout');
    expect((await fetch(url)).status).toBe(200);
    await server.close();
  });

  test('sends each planned row as planned, in every answer', async () => {
    const server = await started({ seed: 7, slowMs: 0 });
    for (const [date, damage] of server.plan.rows) {
      const month = date.slice(0, 7);
      for (const _ of server.plan.answers.get(month) ?? []) await (await fetch(`${server.url}/months/${month}`)).text();
      const row = (await pageOf(server, month)).days.find((day) => day['date'] === date) ?? {};
      const wrong = {
        'field missing': !('temp_max' in row),
        'text for a number': row['precipitation'] === 'n/a',
        'sentinel value': row['temp_min'] === -9999,
        'extremes swapped': Number(row['temp_min']) > Number(row['temp_max']),
      };
      expect(wrong[damage], `${date} ${damage}`).toBe(true);
    }
  });

  test.each([['/months/1999-01'], ['/months?page=9'], ['/months?page=x'], ['/elsewhere']])(
    'answers 404 to %s',
    async (path) => {
      const server = await started({ seed: 7 });
      expect((await fetch(server.url + path)).status).toBe(404);
    },
  );
});
