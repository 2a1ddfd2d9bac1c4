/**
 * Three mirrors have the same file. All are asked at once, the first good answer wins, and the flow ends with it: the other
 * downloads are cancelled, down to their connections. A mirror that is broken loses, and nothing else happens.
 *
 *   npx node examples/12-first-of-several-mirrors.ts                        (starts three mirrors)
 *   npx node examples/12-first-of-several-mirrors.ts http://a http://b …
 */
import { hash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { flow, signal, task } from 'assent';
import { z } from 'zod';

const download = task({ name: 'download', timeout: '30s' }, async (mirror: string) => {
  try {
    const response = await fetch(`${mirror}/file`, { signal: signal() });
    if (!response.ok) throw new Error(`${mirror} answered ${String(response.status)}`);
    return { mirror, text: await response.text() };
  } finally {
    if (signal().aborted) console.log(`${mirror}: not needed any more`);
  }
});

export const downloadFastest = flow(
  { name: 'download-fastest', parameters: z.object({ mirrors: z.array(z.url()).min(1) }) },
  // When its function has ended, what a flow has left at work is cancelled.
  ({ mirrors }) => Promise.any(mirrors.map((mirror) => download(mirror))),
);

/** One that is slow, one that is good, one that is broken. */
async function startMirrors(): Promise<Server[]> {
  const behaviours = [
    { afterMs: 20_000, status: 200 },
    { afterMs: 200, status: 200 },
    { afterMs: 20, status: 500 },
  ];
  return Promise.all(
    behaviours.map(async ({ afterMs, status }) => {
      const server = createServer((_, response) => {
        const timer = setTimeout(() => response.writeHead(status).end('a big file'), afterMs);
        response.once('close', () => {
          clearTimeout(timer);
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
}

if (process.argv[1] === import.meta.filename) {
  const servers = process.argv.length > 2 ? [] : await startMirrors();
  const started = servers.map((server) => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  const { mirror, text } = await downloadFastest({ mirrors: [...process.argv.slice(2), ...started] });
  console.log(`${mirror} was first: ${String(text.length)} bytes, sha256 ${hash('sha256', text).slice(0, 16)}`);
  for (const server of servers) server.close();
}
