/**
 * The same thing is asked for by many at the same time, and computed once: calls with one cache key wait for the first of
 * them, in whatever run and process they are. An hour later it is computed anew, or when somebody says so.
 *
 *   npx node examples/29-compute-it-once.ts
 *   ASSENT_REFRESH_CACHE=1 npx node examples/29-compute-it-once.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { flow, INPUTS, task } from 'assent';
import { z } from 'zod';

const planRoute = task(
  // Who asks makes no difference to the route: it is no part of the key.
  { name: 'plan-route', cachePolicy: INPUTS.minus('customer'), cacheExpiration: '1h', retries: 1 },
  async ({ from, to, customer }: { from: string; to: string; customer: string }) => {
    console.log(`planning ${from} to ${to}, for ${customer}`);
    await pause(500);
    return { from, to, minutes: 10 * (from.length + to.length) };
  },
);

export const quote = flow(
  { name: 'quote', parameters: z.object({ customer: z.string(), to: z.string() }), resume: false },
  async ({ customer, to }) => {
    const { minutes } = await planRoute({ from: 'Antwerp', to, customer });
    return `${customer} is in ${to} in ${String(minutes)} minutes`;
  },
);

if (process.argv[1] === import.meta.filename) {
  const [, , to = 'Bruges'] = process.argv;
  // Three runs of their own, side by side.
  const quotes = ['Ada', 'Grace', 'Barbara'].map((customer) => quote({ customer, to }));
  for (const words of await Promise.all(quotes)) console.log(words);
}
