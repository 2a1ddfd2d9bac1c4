/**
 * Many runs wait for one thing to happen: shops that open when the market does. An event is emitted once, by anybody, and
 * every run that listens goes on; a run that listens for a key hears only the events of that key.
 *
 *   npx node examples/21-wait-for-an-event.ts             (emits the events itself after a second)
 *   npx node examples/21-wait-for-an-event.ts listen
 *   npx assent events emit market-open '{"at":"9:00"}' --key Ghent
 */
import { emitEvent, flow, task, waitForEvent, type Duration } from 'assent';
import { z } from 'zod';

const market = z.object({ at: z.string() });

const open = task({ name: 'open' }, (shop: string, town: string, at: string) => {
  console.log(`${shop} in ${town} opens at ${at}`);
  return shop;
});

const shopDay = flow(
  { name: 'shop-day', parameters: z.object({ shop: z.string(), town: z.string(), patience: z.string() }) },
  async ({ shop, town, patience }) => {
    const { at } = await waitForEvent('market-open', { key: town, schema: market, timeout: patience as Duration });
    return open(shop, town, at);
  },
);

export const marketDay = flow(
  { name: 'market-day', parameters: z.object({ patience: z.string().default('1h') }) },
  async ({ patience }) => {
    const shops = [
      { shop: 'The baker', town: 'Ghent' },
      { shop: 'The florist', town: 'Ghent' },
      { shop: 'The butcher', town: 'Bruges' },
    ];
    const days = shops.map((where) => shopDay.submit({ ...where, patience }));
    console.log('the shops are waiting');
    const states = await Promise.all(days.map((day) => day.state()));
    return states.map(({ name }, index) => `${shops[index]?.shop ?? ''}: ${name}`);
  },
);

if (process.argv[1] === import.meta.filename) {
  const listens = process.argv[2] === 'listen';
  const day = marketDay({ patience: process.argv[3] ?? '1h' });
  if (!listens) {
    setTimeout(() => void emitEvent('market-open', { at: '8:00' }, { key: 'Bruges' }), 800);
    setTimeout(() => void emitEvent('market-open', { at: '9:00' }, { key: 'Ghent' }), 1000);
  }
  console.log(await day);
}
