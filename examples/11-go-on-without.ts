/**
 * When one thing fails, what depends on it cannot begin, and says why (`NotReady`); what was told to do without goes on
 * (`allowFailure`); and what has nothing to do with it never hears of it.
 *
 *   npx node examples/11-go-on-without.ts
 */
import { allowFailure, flow, task } from 'assent';
import { z } from 'zod';

type Rates = Readonly<Record<string, number>>;

const loadRates = task({ name: 'load-rates', retries: 1 }, (bank: string): Rates => {
  if (bank !== 'open') throw new Error('the bank is closed');
  return { USD: 1.25, GBP: 0.8 };
});
const loadSales = task({ name: 'load-sales' }, () => [120, 80, 300]);
const convert = task({ name: 'convert' }, (sales: readonly number[], rates: Rates) =>
  sales.map((euros) => euros * (rates['USD'] ?? Number.NaN)),
);
const report = task({ name: 'report' }, (sales: readonly number[], rates: Rates | Error) => {
  const euros = sales.reduce((sum, each) => sum + each, 0);
  if (rates instanceof Error) return `${String(euros)} EUR (no rates: ${rates.message})`;
  return `${String(euros)} EUR, which is ${String(euros * (rates['USD'] ?? Number.NaN))} USD`;
});

export const dailySales = flow(
  { name: 'daily-sales', parameters: z.object({ bank: z.enum(['open', 'closed']).default('closed') }) },
  async ({ bank }) => {
    // Nothing is awaited here: each call begins when its inputs are there.
    const sales = loadSales.submit();
    const rates = loadRates.submit(bank);
    const converted = convert.submit(sales, rates);
    const text = report.submit(sales, allowFailure(rates));
    const { name, message } = await converted.state();
    return { converted: name, why: message, report: await text };
  },
);

if (process.argv[1] === import.meta.filename) {
  const [, , bank = 'closed'] = process.argv;
  console.log(await dailySales({ bank: bank === 'open' ? 'open' : 'closed' }));
}
