/**
 * A web server answers at once, and leaves the work to others: `delay` records the call for any worker, in this process or
 * on another machine, and gives a handle to wait for it or not. The work is retried, and survives whoever asked for it.
 *
 *   npx node examples/30-work-in-the-background.ts
 *   npx assent worker examples/30-work-in-the-background.ts --queue mail          (as many as you like)
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { serve, task, workers } from 'assent';

let failures = 1;

export const sendMail = task(
  { name: 'send-mail', retries: 3, retryDelay: '200ms', runner: workers({ queue: 'mail' }) },
  async (to: string) => {
    await pause(100);
    if (failures > 0) {
      failures -= 1;
      throw new Error('the mail server is busy');
    }
    console.log(`a mail to ${to} is sent`);
    return to.length;
  },
);

if (process.argv[1] === import.meta.filename) {
  const people = process.argv.slice(2);
  const server = createServer((request, response) => {
    const to = decodeURIComponent(request.url?.slice(1) ?? '');
    void sendMail.delay(to).then(({ id }) => {
      response.writeHead(202).end(id);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  for (const to of people.length > 0 ? people : ['ada@example.org', 'grace@example.org']) {
    const response = await fetch(`${url}/${encodeURIComponent(to)}`);
    console.log(`${to}: ${String(response.status)}, run ${await response.text()}`);
  }
  server.close();

  // Nothing is lost if this comes later, or elsewhere: the runs are on the ledger.
  const worker = await serve([sendMail], { queue: 'mail' });
  const last = await sendMail.delay('barbara@example.org');
  console.log('the last mail has', await last.result(), 'letters in its address');
  await worker.stop();
}
