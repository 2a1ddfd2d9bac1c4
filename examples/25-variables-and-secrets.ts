/**
 * Settings that people change without touching code, and keys that nobody sees. A variable is read as it is now, and is the
 * same for the whole run, even if the run goes on tomorrow. Of a secret, the ledger has only where it comes from: neither
 * the log nor an error nor a result shows it.
 *
 *   npx node examples/25-variables-and-secrets.ts
 *   npx assent variables set city '"Ghent"'                 (and again)
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { flow, runLogger, secret, Secret, signal, task, variables } from 'assent';
import { z } from 'zod';

const forecast = z.object({ celsius: z.number() });

const ask = task({ name: 'ask', retries: 2 }, async (api: string, city: string, key: Secret) => {
  const headers = { authorization: `Bearer ${key.reveal()}` };
  runLogger().info({ headers }, `asking for ${city}`);
  const response = await fetch(`${api}/forecast/${city}`, { headers, signal: signal() });
  const text = await response.text();
  // An API that repeats the key in its error: it is taken out of everything that is recorded or logged.
  if (!response.ok) throw new Error(`${String(response.status)}: ${text}`);
  return forecast.parse(JSON.parse(text)).celsius;
});

export const weather = flow(
  { name: 'weather', parameters: z.object({ api: z.url(), key: z.instanceof(Secret) }) },
  async ({ api, key }) => {
    const city = await variables.get('city', 'Antwerp');
    return `${city}: ${String(await ask(api, city, key))} °C`;
  },
);

/** Refuses the first request, and says to whom. */
async function startApi(): Promise<Server> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    if (asked === 1) response.writeHead(500).end(`no answer for ${String(request.headers.authorization)}`);
    else response.end(JSON.stringify({ celsius: 18 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.argv[1] === import.meta.filename) {
  process.env['WEATHER_KEY'] ??= 'key-that-nobody-sees';
  const server = process.argv[2] === undefined ? await startApi() : undefined;
  const api = process.argv[2] ?? `http://127.0.0.1:${String((server?.address() as AddressInfo).port)}`;
  const key = secret.env('WEATHER_KEY');
  console.log(`with the key ${String(key)}`);
  console.log(await weather({ api, key }));
  server?.close();
}
