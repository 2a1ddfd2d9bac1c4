/**
 * A flow that goes on after a crash has to make the calls that it made before, or its record means nothing. Here the
 * process dies, and a new version of the code goes on: it packs something else. As it is, a call that differs is simply
 * made, and `assent diff` shows it; a `strict` flow is refused at that call, and told which one was expected in its place.
 *
 *   npx node examples/27-strict-replay.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { AssentError, flow, task } from 'assent';

const version = process.argv[2] === 'dies' ? 1 : 2;

const pack = task({ name: 'pack' }, (parcel: string) => {
  console.log(`  version ${String(version)} packs ${parcel}`);
  return parcel;
});
const handOver = task({ name: 'hand-over' }, (parcels: readonly string[]) => {
  // The power goes off: nobody hears of it.
  if (version === 1) process.kill(process.pid, 'SIGKILL');
  return parcels.length;
});

async function packAll(): Promise<string[]> {
  const packed = [await pack('the books'), await pack(version === 1 ? 'the blue vase' : 'the red vase')];
  await handOver(packed);
  return packed;
}

export const careless = flow({ name: 'careless' }, packAll);
export const careful = flow({ name: 'careful', strict: true }, packAll);

if (process.argv[1] === import.meta.filename) {
  const [, , command, which] = process.argv;
  const flows = [careless, careful].filter(({ name }) => which === undefined || which === name);
  for (const each of flows) {
    if (command === undefined) {
      console.log(each.name);
      await once(fork(import.meta.filename, ['dies', each.name]), 'exit');
    }
    const ended = each().then(String, (error: unknown) => {
      if (!(error instanceof AssentError) || error.kind !== 'DIVERGED') throw error;
      return error.message;
    });
    console.log(' ', await ended);
  }
}
