import fc from 'fast-check';
import { anyProgram } from './programs.ts';
import { linesText } from './ledger.ts';
import { printed } from './printed.ts';
import { startUniverse } from './universe.ts';
import { runWorld, setWorldLimit, type Life } from './world.ts';
import { chanceOf } from './values.ts';
import { outcomeText } from './explanation.ts';
const u = await startUniverse();
const open = process.argv[4] === 'open';
const programs = fc.sample(
  anyProgram.filter((p) => p.isOpen === open),
  { numRuns: Number(process.argv[2]), seed: Number(process.argv[3]) },
);
let n = 0,
  bad = 0,
  worlds = 0;
const t = performance.now();
let heard = 0,
  completed = 0;
for (const program of programs.slice(Number(process.argv[5] ?? 0), Number(process.argv[6] ?? 1e9))) {
  const name = `w${n++}`;
  await setWorldLimit(u, program, name);
  const go = async (name: string, seed: number, lives: Life[]) => {
    worlds++;
    try {
      await setWorldLimit(u, program, name);
      const r = await runWorld(u, program, { name, seed, lives });
      return r;
    } catch (e) {
      bad++;
      if (bad < 4) console.log(name, lives, printed(program), e);
    }
  };
  const first = await go(name, 1, []);
  if (first === undefined) continue;
  if (first.problems.length > 0) {
    bad++;
    if (bad < 4) console.log(name, printed(program), first.problems);
    continue;
  }
  heard += first.heard;
  if (first.outcome?.type === 'COMPLETED') completed++;
  const R = first.heard + 1;
  let at = 0;
  const lane = async () => {
    for (; at <= R;) {
      const k = at++;
      const chance = chanceOf(Number(process.argv[3]), n, k);
      const fates = ['DEAD', 'STOPPED', 'PARTED'] as const;
      const life = (kk: number): Life => {
        const early = kk === 0;
        return {
          at: kk,
          fate: early ? 'DEAD' : fates[Math.floor(chance() * 3)]!,
          lastWords: chance() < 0.5,
          ...(chance() < 0.7 ? { wakesAt: 1 + Math.floor(chance() * R) } : {}),
        };
      };
      const lives: Life[] = [life(k)];
      while (chance() < 0.3) lives.push(life(2 + Math.floor(chance() * R)));
      const r = await go(`${name}k${k}`, k, lives);
      if (r === undefined) continue;
      const problems = [...r.problems];
      if (
        !open &&
        first.outcome?.type === 'COMPLETED' &&
        outcomeText(first.outcome, 'hidden') !== (r.outcome && outcomeText(r.outcome, 'hidden'))
      )
        problems.push(
          `undisturbed ${outcomeText(first.outcome, 'hidden')}\n got ${r.outcome && outcomeText(r.outcome, 'hidden')}`,
        );
      if (problems.length > 0) {
        bad++;
        if (bad < 4)
          console.log(
            `${name}k${k}`,
            lives,
            printed(program),
            problems,
            linesText(r.lines)); }
              [
                ruling.outcome,
                ruling.proposal.kind !== 'workspace' &&
                  [
                    ruling.proposal.id,
                    ruling.proposal.run,
                    ruling.proposal.to.name,
                    ruling.proposal.execution,
                    ruling.trail
                      .filter((x) => typeof x === 'object')
                      .map((x) => x.rule + ':' + x.why)
                      .join(),
                  ].join(' '),
              ].join(' '),
            ),
          );
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  if (bad > 3) break;
}
console.log({ n, bad, worlds, heard, completed, ms: performance.now() - t });
await u.stop();
process.exit(0);
