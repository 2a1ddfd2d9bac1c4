import { startUniverse } from './universe.ts';
import { engineOf } from '../../sdk/client/target.ts';
import { connectTo, NatsLink } from '../../sdk/client/nats-link.ts';
import { sha256 } from '../../protocol/segment.ts';
import { Objm } from '@nats-io/obj';
import { jetstreamManager } from '@nats-io/jetstream';
import { streams } from '../../protocol/subjects.ts';
const u = await startUniverse();
const target = (await engineOf(u.dataDir))!;
const connection = await connectTo(target, 'x');
const store = await new Objm(connection).open(streams.values('default'), false);
let stuck = 0;
for (let round = 0; round < 60; round++) {
  const text = 'y'.repeat(20000) + round;
  const digest = sha256(text);
  const links = Array.from({ length: 8 }, () => u.link);
  let late = 0;
  await Promise.race([Promise.all(links.map(async (l, i) => { await new Promise((r) => setTimeout(r, Math.random() * 6)); await l.putBlob(digest, text); late++; const got = await l.getBlob(digest); if (got !== text) console.log('bad'); late++; })), new Promise((r) => setTimeout(r, 3000))]);
  if (late < 16) {
    stuck++;
    const jsm = await jetstreamManager(connection, { checkAPI: false });
    const info = await store.info(digest);
    const si = await jsm.streams.info('OBJ_' + streams.values('default'), { subjects_filter: `$O.${streams.values('default')}.C.${info?.nuid}` }).catch((e) => e);
    console.log('stuck', round, late, info?.nuid, info?.chunks, JSON.stringify(si.state?.subjects ?? String(si)));
  }
}
console.log({ stuck });
await connection.close();
await u.stop();
process.exit(0);
