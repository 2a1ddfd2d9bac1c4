/**
 * A crawler with manners: never more than two requests at a time to one host, and, to all of them together, ten at once and
 * then twenty a second. Both are named limits of the workspace, so they hold for every process that crawls.
 *
 *   npx node examples/13-scrape-politely.ts                     (starts two small sites)
 *   npx node examples/13-scrape-politely.ts http://127.0.0.1:8080/
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { flow, setLimit, signal, task } from 'assent';
import { z } from 'zod';

const fetchPage = task(
  {
    name: 'fetch-page',
    retries: 3,
    retryDelay: '100ms',
    // A slot of its own host, which comes back when the page is there; and one of all requests, which comes back by time.
    limits: { 'requests-to-a-host': { by: (url) => new URL(url).host }, requests: 1 },
  },
  async (url: string) => {
    const response = await fetch(url, { signal: signal() });
    if (!response.ok) throw new Error(`${url} answered ${String(response.status)}`);
    const html = await response.text();
    const title = /<title>(.*?)<\/title>/.exec(html)?.[1] ?? '';
    const links = [...html.matchAll(/href="(.*?)"/g)].map(([, href = '']) => new URL(href, url).href);
    return { url, title, links };
  },
);

export const crawl = flow(
  { name: 'crawl', parameters: z.object({ from: z.array(z.url()), pagesMax: z.int().positive().default(100) }) },
  async ({ from, pagesMax }) => {
    const titles = new Map<string, string>();
    const seen = new Set(from);
    // Wave after wave: the links that the last pages had, and that nobody has seen yet.
    for (let wave = from; wave.length > 0 && seen.size <= pagesMax;) {
      const pages = await fetchPage.map(wave).results();
      for (const { url, title } of pages) titles.set(url, title);
      wave = [...new Set(pages.flatMap(({ links }) => links))].filter((link) => !seen.has(link));
      for (const link of wave) seen.add(link);
      console.log(`${String(titles.size)} pages, ${String(wave.length)} to go`);
    }
    return titles;
  },
);

/** Fifteen pages, each with links to two more; and one link to the other site. */
async function startSite(name: string, elsewhere: string): Promise<Server> {
  const server = createServer(({ url }, response) => {
    const page = Number(url?.slice(1)) || 1;
    const links = [2 * page, 2 * page + 1].filter((next) => next < 16).map((next) => `<a href="/${String(next)}">`);
    const html = `<title>${name}, page ${String(page)}</title>${links.join('')}<a href="${elsewhere}">`;
    void pause(30).then(() => response.end(html));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
const addressOf = (server: Server): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;

if (process.argv[1] === import.meta.filename) {
  await setLimit('requests-to-a-host', 2);
  await setLimit('requests', 10, { slotsPerSecond: 20 });
  const [, , start] = process.argv;
  const first = start === undefined ? await startSite('Second site', '/') : undefined;
  const second = first && (await startSite('First site', addressOf(first)));
  for (const [url, title] of await crawl({ from: [second === undefined ? (start ?? '') : addressOf(second)] })) {
    console.log(url, title);
  }
  first?.close();
  second?.close();
}
