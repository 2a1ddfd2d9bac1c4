import { World } from './simulation/world.ts';
import { historyOf, wrongsIn, codeOf } from './simulation/checkers.ts';
const from = Number(process.argv[2]), to = Number(process.argv[3] ?? from);
const total: Record<string, number> = {};
const add = (k: string, n = 1) => (total[k] = (total[k] ?? 0) + n);
for (let seed = from; seed <= to; seed += 1) {
  const t = performance.now();
  const world = new World(seed);
  try {
    await world.live();
    const h = await historyOf(world);
    const w = wrongsIn(world, h);
    for (const { ruling } of h.rulings) { add(ruling.outcome); const c = codeOf(ruling); if (c) add('code ' + c); for (const e of ruling.trail) add('rule ' + (typeof e === 'string' ? e : e.rule)); }
    for (const [f, n] of world.faults) add('fault ' + f, n);
    add('void', h.voidSegments);
    for (const a of world.arbiters) { const c = a.arbiter.counters; add('takeovers', c.takeovers); add('unknownStored', c.unknownFatesStored); add('record', c.answeredFromRecord); add('rewinds', c.rewinds); add('abandoned2+', c.abandoned.filter(n=>n>1).length) }
    for (const [, r] of h.final.runs.entries()) if (!r.parent) add('end ' + r.state.type);
    add('digests', world.digests.length);
    console.log(seed, (performance.now() - t).toFixed(0) + 'ms', 'virtual', world.kernel.nowMs.toFixed(0), 'rulings', h.rulings.length, 'segments', (await world.ledger.bounds()).last, w.length ? 'WRONG' : '');
    if (w.length) { console.log(w.slice(0, 8).join('\n')); if (from === to) console.log(world.lines.join('\n')); }
  } catch (e) { console.log(seed, 'THREW', e); if (from===to) console.log(world.lines.join('\n')); }
}
if (from !== to || true) console.log(Object.fromEntries(Object.entries(total).sort()));
