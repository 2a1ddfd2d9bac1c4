/** What JetStream itself does here: appends of 300 bytes with 1 and 256 in flight, and reading them back. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { jetstreamLog } from '../../engine/log/jetstream.ts';
import { latency } from './statistics.ts';
import { round3 } from './machine.ts';

const BYTES = new Uint8Array(300).fill(97);
const WINDOW_MS = 1000;

export async function ceiling(connection: NatsConnection): Promise<Record<string, number>> {
  const manager = await jetstreamManager(connection);
  const stream = 'CEILING';
  const subject = 'ceiling.a';
  await manager.streams.add({ name: stream, subjects: [subject] });
  const log = jetstreamLog(connection, { stream, subject });
  let last = 0;
  const append = async (): Promise<void> => {
    last += 1;
    const outcome = await log.append(BYTES, last - 1);
    if (outcome.type !== 'OK') throw new Error(`the ceiling's append is ${outcome.type}`);
  };
  const awaited: number[] = [];
  for (const until = performance.now() + WINDOW_MS; performance.now() < until;) {
    const startMs = performance.now();
    await append();
    awaited.push(performance.now() - startMs);
  }
  const startMs = performance.now();
  const before = last;
  const lane = async (): Promise<void> => {
    while (performance.now() < startMs + WINDOW_MS) await append();
  };
  await Promise.all(Array.from({ length: 256 }, lane));
  const pipelined = ((last - before) * 1000) / (performance.now() - startMs);
  const readMs = performance.now();
  let read = 0;
  for await (const _ of log.read(1)) read += 1;
  const readPerS = (read * 1000) / (performance.now() - readMs);
  log.close();
  await manager.streams.delete(stream);
  return {
    append_awaited_per_s: round3((awaited.length * 1000) / WINDOW_MS),
    append_pipelined_per_s: round3(pipelined),
    read_per_s: round3(readPerS),
    ...latency(awaited),
  };
}
