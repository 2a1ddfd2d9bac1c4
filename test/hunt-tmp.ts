import fc from 'fast-check';
import { wrongsOf } from '/work/main/test/support/worlds-invariants.ts';
import { Monkey } from '/work/main/test/support/worlds-random.ts';
const runs = Number(process.argv[2] ?? 300), len = Number(process.argv[3] ?? 300);
const t0=performance.now();
fc.assert(fc.property(fc.array(fc.tuple(...[0,1,2,3,4].map(()=>fc.nat(999))) as any, {minLength: 0, maxLength: len, size:'max'}), (list: any) => {
  const m = new Monkey(); const log: string[] = [];
  for (const s of list) {
    const before = m.desk.ruled.length;
    m.do(s);
    const w = wrongsOf(m.desk.workspace);
    for (const { ruling: r } of m.desk.ruled.slice(before)) log.push(`${r.proposal.id} ${(r.proposal as any).run ?? ''} -> ${(r.proposal as any).to?.type ?? JSON.stringify((r.proposal as any).event)} ${r.outcome} ${JSON.stringify(r.trail.at(-1))} v${r.version}`);
    if (w.length) throw new Error('\n' + log.slice(-25).join('\n') + '\n' + w.join('\n'));
  }
}), { numRuns: runs, interruptAfterTimeLimit: 90000 });
console.log('ok', performance.now()-t0);
