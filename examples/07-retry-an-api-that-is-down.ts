/**
 * An API that is down comes back, sooner or later. Each retry waits longer than the one before, stretched by chance so
 * that a thousand clients do not come back at the same moment. An answer that no retry can change is not asked for again.
 *
 *   npx node examples/07-retry-an-api-that-is-down.ts                      (starts an API that is down at first)
 *   npx node examples/07-retry-an-api-that-is-down.ts http://127.0.0.1:8080
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exponential, flow, signal, task, taskRun } from 'assent';
import { z } from 'zod';

class NotWorthARetry extends Error {}

const fetchPrice = task(
  {
    name: 'fetch-price',
    retries: 5,
    retryDelay: exponential('100ms', { max: '2s' }),
    retryJitter: 0.5,
    retryIf: (error) => !(error instanceof NotWorthARetry),
    timeout: '5s',
  },
  async (api: string, item: string) => {
    const response = await fetch(`${api}/prices/${item}`, { signal: signal() });
    console.log(`${item}, attempt ${String(taskRun().attempt)}: ${String(response.status)}`);
    if (response.status === 404) throw new NotWorthARetry(`there is no ${item}`);
    if (!response.ok) throw new Error(`the API answered ${String(response.status)}`);
    return z.object({ cents: z.number() }).parse(await response.json()).cents;
  },
);

export const askForPrices = flow(
  { name: 'ask-for-prices', parameters: z.object({ api: z.url(), items: z.array(z.string()) }) },
  async ({ api, items }) => {
    const prices = await fetchPrice.map(api, items).states();
    return items.map((item, index) => {
      const price = prices[index];
      return { item, price: price?.isCompleted === true ? price.result() : (price?.message ?? '') };
    });
  },
);

/** Answers 503 to the first four requests. */
async function startApi(): Promise<Server> {
  let asked = 0;
  const server = createServer(({ url }, response) => {
    asked += 1;
    if (asked <= 4) response.writeHead(503).end();
    else if (url === '/prices/unicorn') response.writeHead(404).end();
    else response.end(JSON.stringify({ cents: 1000 + (url ?? '').length }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === import.meta.filename) {
  const server = process.argv[2] === undefined ? await startApi() : undefined;
  const api = process.argv[2] ?? `http://127.0.0.1:${String((server?.address() as AddressInfo).port)}`;
  console.table(await askForPrices({ api, items: ['apple', 'pear', 'unicorn'] }));
  server?.close();
}
