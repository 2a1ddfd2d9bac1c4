/**
 * Run by tests as a process that they may kill: starts the embedded server of the folder in its first argument, writes
 * one line of JSON about it, and stays. With `graceful` as the second argument it takes a SIGINT as Ctrl-C should be
 * taken: it uses the server once more, and then stops it.
 */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { startEmbeddedServer } from '../../engine/server/embedded.ts';
import { connectAs } from './connect-as.ts';

const [dataDir = '', manner] = process.argv.slice(2);
const server = await startEmbeddedServer({ dataDir });
const connection = await connectAs(server, 'engine');
await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
await jetstream(connection).publish('kept', 'before');

if (manner === 'graceful') {
  process.on('SIGINT', () => {
    void (async () => {
      const { seq } = await jetstream(connection).publish('kept', 'after');
      await connection.close();
      await server.stop();
      process.stdout.write(`stopped after ${String(seq)} messages\n`);
    })();
  });
}
process.stdout.write(`${JSON.stringify({ pid: server.pid, url: server.url })}\n`);
