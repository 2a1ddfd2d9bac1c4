/**
 * Serves what an engine measures to Prometheus: `GET /metrics`, in its text format.
 *
 * M1 A reader never disturbs the engine: numbers are asked for by message, once for all who read at the same time, and what
 *    does not answer in time is left out.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { AssentError } from '../../protocol/errors.ts';
import { familiesOf } from './families.ts';
import type { Measured } from './measured.ts';

export type MetricsAddress = {
  /** 0: a free one. */
  readonly port: number;
  /** Default 127.0.0.1: this machine only. */
  readonly host?: string;
};

export type MetricsServer = { readonly url: string; stop(): Promise<void> };

const CONNECTIONS_MAX = 64;

/** @throws AssentError PORT_IN_USE, BAD_OPTION */
export async function serveMetrics(
  { port, host = '127.0.0.1' }: MetricsAddress,
  measure: () => Promise<Measured>,
): Promise<MetricsServer> {
  const text = metricsText(measure);
  const server = createServer((request, response) => void answer(request, response, text));
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, port, host);
  const { address, family, port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${String(bound)}/metrics`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${host}:${String(port)}`;
      reject(
        error.code === 'EADDRINUSE'
          ? new AssentError('PORT_IN_USE', `The port of the metrics, ${where}, is in use.`, { cause: error })
          : new AssentError('BAD_OPTION', `Metrics cannot be served at ${where}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(port, host, resolve);
  });
}

type Text = { readonly contentType: string; read(): Promise<string> };

async function answer(request: IncomingMessage, response: ServerResponse, text: Text): Promise<void> {
  const path = request.url?.split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
  } else if (path !== '/metrics') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('The metrics are at /metrics.\n');
  } else {
    try {
      const body = await text.read();
      response.writeHead(200, { 'content-type': text.contentType }).end(request.method === 'HEAD' ? undefined : body);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`);
    }
  }
}

/** A hearing takes tens of microseconds; one that takes longer than a second is ended. */
const JUDGMENT_BUCKETS_SECONDS = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1, 1];

function metricsText(measure: () => Promise<Measured>): Text {
  /** What is kept here from one reader to the next: the process's own numbers, and the histogram. */
  const kept = new Registry();
  collectDefaultMetrics({ register: kept });
  const judgments = new Histogram({
    name: 'assent_judgment_seconds',
    help: 'How long the judgment of a proposal took, facts and rules: a sample, at most 1024 between two readings.',
    buckets: JUDGMENT_BUCKETS_SECONDS,
    registers: [kept],
  });
  let seen = 0;
  let reading: Promise<string> | undefined;

  const observe = ({ counters }: Measured): void => {
    if (counters === undefined) return;
    const { samples, latest } = counters.times;
    // The arbiter's thread began anew.
    if (samples < seen) seen = 0;
    for (let n = Math.max(seen, samples - latest.length); n < samples; n += 1) {
      judgments.observe(latest[n % latest.length] ?? 0);
    }
    seen = samples;
  };
  const read = async (): Promise<string> => {
    const measured = await measure();
    kept.setDefaultLabels({ workspace: measured.workspace });
    observe(measured);
    return `${await familiesOf(measured).metrics()}\n${await kept.metrics()}`;
  };
  return {
    contentType: kept.contentType,
    read: () =>
      (reading ??= read().finally(() => {
        reading = undefined;
      })),
  };
}
