/**
 * Flows called by flows: each shop of a chain is closed for the day by a flow of its own, with its own parameters, retries
 * and state. When the whole is tried again, it meets the shops that are closed already, and closes only the others.
 *
 *   npx node examples/10-subflows.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { flow, flowRun, task } from 'assent';
import { z } from 'zod';

const countTill = task({ name: 'count-till' }, async (shop: string) => {
  await pause(50);
  console.log(`${shop}: the till is counted`);
  return shop.length * 10_000;
});

const printReport = task({ name: 'print-report' }, async (shop: string, cents: number) => {
  await pause(50);
  // In Ghent somebody has to fetch paper first. It takes longer than the shop tries.
  if (shop === 'Ghent' && sheetsMissing > 0) {
    sheetsMissing -= 1;
    throw new Error('there is no paper');
  }
  console.log(`${shop}: ${String(cents)} cents are reported`);
});
let sheetsMissing = 2;

const closeShop = flow(
  // Its own budget of retries: the shop is tried again, and a till that is counted is not counted again.
  { name: 'close-shop', parameters: z.object({ shop: z.string().min(1) }), retries: 1, retryDelay: '50ms' },
  async ({ shop }) => {
    const cents = await countTill(shop);
    await printReport(shop, cents);
    return cents;
  },
);

export const closeChain = flow(
  { name: 'close-chain', parameters: z.object({ shops: z.array(z.string()) }), retries: 2, retryDelay: '100ms' },
  async ({ shops }) => {
    console.log(`The chain, attempt ${String(flowRun().attempt)}`);
    const takings = await Promise.all(shops.map((shop) => closeShop({ shop })));
    return takings.reduce((sum, cents) => sum + cents, 0);
  },
);

if (process.argv[1] === import.meta.filename) {
  const cents = await closeChain({ shops: ['Antwerp', 'Bruges', 'Ghent'] });
  console.log(`The chain took ${String(cents)} cents.`);
}
