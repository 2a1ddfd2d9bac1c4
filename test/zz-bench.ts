import { rmSync, statSync } from 'node:fs';
import { randomBytes, randomUUID } from 'node:crypto';
import { decide } from '../engine/arbiter/decide.ts';
import { evolve, sealSegment } from '../engine/fold/evolve.ts';
import { Workspace } from '../engine/fold/workspace.ts';
import { memoryLog } from '../engine/log/memory.ts';
import { Projector } from '../engine/projections/projector.ts';
import { encodeEntry, encodeSegment, sha256 } from '../protocol/segment.ts';
import { court } from '../rules/judge.ts';
import { corePolicies } from '../rules/policy.ts';
import { idFrom } from '../protocol/ids.ts';
const FLOWS = Number(process.env['FLOWS'] ?? 400), TASKS = 100, SEG = Number(process.env['SEG'] ?? 256);
const ws = new Workspace(); const log = memoryLog(); const c = court(corePolicies);
let now = Date.now(), seq = 0, lines: string[] = [], n = 0, number = 0, bytes = 0;
const seal = () => { if (!lines.length) return; const h = { epoch: 1, writer: 'w', number: number++, parent: ws.meta.head, position: { seq: 1, id: 'x' }, effects: 0 }; const s = encodeSegment(h, lines); bytes += s.bytes.length; log.storeForeign(s.bytes); seq++; sealSegment(ws, h, { seq, hash: s.hash }); lines = []; };
const put = (e: any) => { const line = encodeEntry(e); evolve(ws, e, line, { seq: seq + 1, index: lines.length }); lines.push(line); n++; if (lines.length >= SEG) seal(); };
put({ type: 'EPOCH', epoch: 1, atMs: now, policy: sha256('p') }); seal();
const session = 'abcdefghijklmnop'; let counter = 0;
const ask = (p: any) => { now += 0.05; put(decide(ws, { id: `${session}:${counter}`, by: 'sdk', done: Math.max(0, counter++ - 5), ...p }, { nowMs: Math.floor(now), chance: () => 0.5, graceMs: 1000, court: c, policy: 'ec63be8b0dd9b875', epoch: 1 } as any)); };
const active: string[] = [];
for (let f = 0; f < FLOWS; f += 20) {
  const ids = Array.from({ length: 20 }, () => idFrom(randomBytes(16)));
  for (const run of ids) ask({ kind: 'flow', run, to: { type: 'RUNNING', name: 'Running' }, basedOn: 0, claim: true, create: { kind: 'flow', name: 'etl', parameters: { digest: sha256(run), size: 20, inline: '[{"n":1},5]' } } });
  for (let t = 0; t < TASKS; t++) for (const run of ids) {
    const id = `${run}.process-item-${sha256(String(t)).slice(0, 16)}`;
    ask({ kind: 'task', run: id, execution: 1, to: { type: 'RUNNING', name: 'Running' }, create: { kind: 'task', name: 'process-item', parent: run, call: { key: 'process-item', inputs: sha256(id), ordinal: 0 }, retry: { retriesMax: 2, delaysMs: [0], jitter: 0 } } });
    if (t % 20 === 3) { ask({ kind: 'task', run: id, execution: 1, report: true, to: { type: 'FAILED', name: 'Failed', message: 'Error: HTTP 500' } }); now += 1; ask({ kind: 'task', run: id, execution: 1, to: { type: 'RUNNING', name: 'Running' } }); }
    ask({ kind: 'task', run: id, execution: 1, report: true, to: { type: 'COMPLETED', name: 'Completed', result: { digest: sha256(id), size: 10, inline: '["ok"]' } } });
  }
  for (const run of ids) ask({ kind: 'flow', run, execution: 1, report: true, to: { type: 'COMPLETED', name: 'Completed' } });
}
seal();
console.log('rulings', n, 'segments', seq, 'bytes/ruling', (bytes / n).toFixed(0), 'heap', (process.memoryUsage().heapUsed / 1e6).toFixed(0));
for (let i = 0; i < 3; i++) {
  rmSync('/tmp/proj/bench.sqlite', { force: true });
  const p = new Projector({ ledger: log, path: '/tmp/proj/bench.sqlite', say: console.log });
  const cpu = process.cpuUsage(); const t = performance.now();
  p.start(); const ok = await p.reached(seq, 600000);
  const ms = performance.now() - t; const u = process.cpuUsage(cpu);
  console.log(ok, ms.toFixed(0), 'ms; wall', (ms * 1000 / n).toFixed(2), 'µs/ruling; cpu', ((u.user + u.system) / n).toFixed(2), 'busy', (p.cost.busyMs * 1000 / n).toFixed(2), 'file bytes/ruling', (p.serving.bytes() / n).toFixed(0));
  await p.stop();
}
