/**
 * Two runs that talk: an order waits until its payment says that it is paid, and the payment waits until the order says
 * that it was shipped. Messages are on the ledger: one that comes before anybody waits for it is there when somebody does.
 *
 *   npx node examples/20-orders-and-payments.ts 7        (7 is the number of the order)
 */
import { flow, flowRun, receive, send, serve, startRun, task } from 'assent';
import { z } from 'zod';

const paid = z.object({ payment: z.string(), cents: z.int().positive() });
const shipped = z.object({ parcel: z.string() });

const say = task({ name: 'say' }, (words: string) => {
  console.log(words);
});

export const order = flow({ name: 'order', parameters: z.object({ number: z.int() }) }, async ({ number }) => {
  await say(`order ${String(number)} waits for its money`);
  const { payment, cents } = await receive('paid', { schema: paid, timeout: '1h' });
  await say(`order ${String(number)} has ${String(cents)} cents, and is packed`);
  await send(payment, 'shipped', { parcel: `parcel ${String(number)}` });
  return cents;
});

export const payment = flow(
  { name: 'payment', parameters: z.object({ orderRun: z.string(), cents: z.int() }) },
  async ({ orderRun, cents }) => {
    await say('the card is charged');
    await send(orderRun, 'paid', { payment: flowRun().id, cents });
    const { parcel } = await receive('shipped', { schema: shipped, timeout: '1h' });
    await say(`the customer hears of ${parcel}`);
    return parcel;
  },
);

if (process.argv[1] === import.meta.filename) {
  const [, , number = '7'] = process.argv;
  const worker = await serve([order, payment]);
  // A key makes a second start the same run: started again after a kill, this meets the runs that it has started.
  const placed = await startRun(order, { number: Number(number) }, { key: `order ${number}` });
  const charged = await startRun(payment, { orderRun: placed.id, cents: 4200 }, { key: `payment ${number}` });
  console.log(await Promise.all([placed.result(), charged.result()]));
  await worker.stop();
}
