import { World } from './simulation/world.ts';
import { historyOf } from './simulation/checkers.ts';
const world = new World(Number(process.argv[2]));
await world.live();
const h = await historyOf(world);
const [a, b] = [Number(process.argv[3]), Number(process.argv[4])];
for (const { entry, at, writer } of h.entries) if (at.seq >= a && at.seq <= b) console.log(at.seq, at.index, writer.slice(0,4), entry.atMs, entry.type, entry.type === 'RULING' ? `${entry.proposal.id} ${(entry.proposal as any).run ?? ''} -> ${(entry.proposal as any).to?.type ?? JSON.stringify((entry.proposal as any).event)} ${entry.outcome} ${JSON.stringify(entry.trail.at(-1))} v${entry.version} x${entry.execution ?? ''}` : JSON.stringify(entry).slice(0, 120));
console.log(world.lines.slice(0, 100).join('\n'));
