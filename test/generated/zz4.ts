import { startUniverse } from './universe.ts';
import { sha256 } from '../../protocol/segment.ts';
import { connectTo } from '../../engine/connect.ts';
import { jetstreamManager } from '@nats-io/jetstream';
import { engineOf } from '../../sdk/client/target.ts';
import { readFileSync } from 'node:fs';
const u = await startUniverse();
const ann = JSON.parse(readFileSync(u.dataDir + '/engine.json', 'utf8'));
const { connection } = await connectTo({ url: ann.url, user: ann.credentials.engine.user, password: ann.credentials.engine.password }, 'x');
const jsm = await jetstreamManager(connection, { checkAPI: false });
const text = 'y'.repeat(20000);
const digest = sha256(text);
await u.link.putBlob(digest, text);
for (let round = 0; round < 8; round++) {
  const t = performance.now();
  let slow = 0;
  await Promise.all(Array.from({ length: 100 }, async () => { const t = setTimeout(() => slow++, 3000); await Promise.race([u.link.getBlob(digest), new Promise((r) => setTimeout(r, 6000))]); clearTimeout(t); }));
  const si = await jsm.streams.info('OBJ_assent_default_values');
  console.log(round, performance.now() - t, 'consumers', si.state.consumer_count, 'slow', slow);
}
await connection.close();
await u.stop();
process.exit(0);
