/**
 * What is outside of an example: an HTTP server on loopback that behaves as the test says, and remembers all that it was
 * asked for. What an example did to the world is counted here, not in the example.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly idempotencyKey: string;
  readonly body: string;
  readonly atMs: number;
  /** Who asked did not wait for the answer. */
  left: boolean;
};

/** LOST: the connection ends without an answer. NEVER: it stays open without one. */
export type Reply = 'LOST' | 'NEVER' | { readonly status?: number; readonly body?: string };

export interface Outside {
  readonly url: string;
  /** In the order of arrival. */
  readonly asked: readonly Asked[];
  /** The most requests that were at work at the same time. */
  readonly mostAtOnce: number;
  /** Resolves when so many requests have come. */
  wasAsked(times: number): Promise<void>;
  close(): Promise<void>;
}

export async function startOutside(reply: (asked: Asked, nth: number) => Reply | Promise<Reply>): Promise<Outside> {
  const asked: Asked[] = [];
  const waiting = new Map<number, () => void>();
  let atWork = 0;
  let mostAtOnce = 0;
  const server = createServer((request, response) => {
    atWork += 1;
    mostAtOnce = Math.max(mostAtOnce, atWork);
    response.once('close', () => (atWork -= 1));
    void text(request).then(async (body) => {
      const one: Asked = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        idempotencyKey: String(request.headers['idempotency-key'] ?? ''),
        body,
        atMs: performance.now(),
        left: false,
      };
      asked.push(one);
      response.once('close', () => (one.left = !response.writableFinished));
      const nth = asked.length;
      waiting.get(nth)?.();
      const answer = await reply(one, nth);
      if (answer === 'LOST') request.socket.destroy();
      else if (answer !== 'NEVER') response.writeHead(answer.status ?? 200).end(answer.body ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    asked,
    get mostAtOnce() {
      return mostAtOnce;
    },
    wasAsked: (times) =>
      new Promise((resolve) => {
        if (asked.length >= times) resolve();
        else waiting.set(times, resolve);
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
