/**
 * Finds a free port on loopback, outside the range from which the kernel takes the ports of outgoing connections: a
 * client that tries again and again to reach a server that is down would sooner or later be given the server's own port,
 * connect to itself, and keep the server from coming back.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const TRIES = 100;

export async function freePort(): Promise<number> {
  const end = await firstOutgoingPort();
  for (let tried = 0; end - LOWEST >= 1000 && tried < TRIES; tried += 1) {
    const port = await listen(randomInt(LOWEST, end));
    if (port !== undefined) return port;
  }
  const port = await listen(0);
  if (port === undefined) throw new Error('No port is free on 127.0.0.1.');
  return port;
}

async function firstOutgoingPort(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => undefined);
  // 49152: the start of the range elsewhere (RFC 6335; macOS).
  return range === undefined ? 49_152 : Number.parseInt(range, 10);
}

/** The port, if it could be listened on. */
function listen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(undefined);
    });
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        resolve(address === null || typeof address === 'string' ? undefined : address.port);
      });
    });
  });
}
