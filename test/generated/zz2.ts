import fc from 'fast-check';
import { anyProgram } from './programs.ts';
import { printed } from './printed.ts';
import { linesText } from './ledger.ts';
import { startUniverse } from './universe.ts';
import { runWorld, setWorldLimit, type Life } from './world.ts';
const [, , count, seed, kind, which, lives, times] = process.argv;
const u = await startUniverse();
const program = fc.sample(
  anyProgram.filter((p) => p.isOpen === (kind === 'open')),
  { numRuns: Number(count), seed: Number(seed) },
)[Number(which)]!;
console.log(printed(program));
for (let i = 0; i < Number(times ?? 1); i++) {
  await setWorldLimit(u, program, `w${i}`);
  try {
    const r = await runWorld(u, program, { name: `w${i}`, seed: i, lives: eval(lives!) as Life[] });
    if (r.problems.length > 0) {
      console.log(linesText(r.lines), r.problems);
      break;
    }
  } catch (e) {
    console.log(e);
    break;
  }
}
await u.stop();
process.exit(0);
