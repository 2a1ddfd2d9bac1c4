import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { allowFailure, completed, failed, flow, sleep, task, transaction, variables, send, receive, flowRun, concurrent } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

let workspace: MemoryWorkspace;
let link: MemoryLink;
beforeEach(async () => { workspace = await memoryWorkspace(); });
afterEach(async () => { useClient(undefined); await workspace.stop(); });

function rng(seed: number) { let s = seed >>> 0; return () => { s = (s * 1664525 + 1013904223) >>> 0; return s / 2 ** 32; }; }
const nap = (ms: number) => new Promise((r) => setTimeout(r, ms));

const done = new Map<string, number>();
function program(seed: number) {
  const roll = task({ name: 'roll' }, async (n: number) => { await nap(Math.random() * 6); return Math.floor(Math.random() * 3) + n; });
  const shaky = task({ name: 'shaky', retries: 1 }, async (n: number) => { await nap(Math.random() * 4); if (Math.random() < 0.5) throw new RangeError(`shaky ${n}`); return n; });
  const add = task({ name: 'add' }, (a: any, b: any) => `${String(a)}+${String(b)}`);
  const sync = task({ name: 'sync' }, (n: number) => n + Math.floor(Math.random() * 2));
  const timed = task({ name: 'timed', timeout: '5s' }, async (n: number) => { await nap(Math.random() * 5); return n; });
  const keyed = task({ name: 'keyed', cacheKey: (n: number) => `k${String(seed)}-${String(n)}` }, async (n: number) => { await nap(2); return n; });
  const sub = flow({ name: 'sub' }, async ({ n }: { n: number }) => { const l = sync.map([n, n + 1, n]); const v = await l.results(); return add.submit(v[0], roll.submit(v[1] as number)); });
  const badsub = flow({ name: 'badsub' }, async ({ n }: { n: number }) => { const v = await sync(n); if (v % 2 === 0) throw new Error('even'); return failed({ name: 'Odd', message: 'odd' }); });
  return flow({ name: 'prog', strict: true, ...(seed % 3 === 0 ? { taskRunner: concurrent({ limit: 3 }) } : {}) }, async () => {
    const r = rng(seed);
    const out: unknown[] = [];
    const step = async (depth: number): Promise<unknown> => {
      const k = Math.floor(r() * 13);
      const n = Math.floor(r() * 3);
      switch (k) {
        case 0: return roll(n);
        case 1: return add(roll.submit(n), allowFailure(shaky.submit(n)));
        case 2: return add(shaky.submit(n), roll.submit(n)).catch((e: unknown) => (e as { kind?: string }).kind ?? String(e));
        case 3: return Promise.race([roll(n), timed(n), sync(n), sleep(3)]);
        case 4: return Promise.all([roll.map([n, n, n]).results(), sub({ n }), keyed(n)]);
        case 5: return transaction('tx', async (t) => { t.set('a', await sync(n)); await roll(n); return t.get('a'); });
        case 6: return Promise.allSettled(shaky.map([n, n, n + 1]));
        case 7: { const f = roll.submit(n); const g = add.submit(f, f); void sync(n); return [await g, await f]; }
        case 8: return badsub.submit({ n }).state().then(({ name }) => name);
        case 9: { const a = sub.submit({ n: roll.submit(n) as never }); return add.with({ waitFor: [a, shaky.submit(n)] })(1, 2).catch(() => 'not ready').finally(async () => { await a; }); }
        case 10: await variables.set(`v${String(n)}`, await sync(n)); await send(flowRun().id, 'm', n); return receive('m');
        case 11: { const v = await sync(n); return v % 2 ? roll(v) : timed(v); }
        default: { if (depth > 1) return sync(n); 
          const branch = async (m: number) => { const v = await roll(m); return v % 2 === 0 ? add(v, sync.submit(v)) : Promise.any([shaky(v), timed(v)]).catch(() => 0); };
          return Promise.all([branch(n), branch(n + 1), branch(n)]); }
      }
    };
    for (let i = 0; i < 5; i += 1) out.push(await step(0));
    return out.length;
  });
}

const seeds = Array.from({ length: Number(process.env['FUZZ'] ?? 60) }, (_, i) => i + Number(process.env['SEED'] ?? 0));
test.each(seeds)('strict fuzz %d', async (seed) => {
  let connected = await workspace.connect();
  link = connected.link;
  useClient(connected.client);
  const prog = program(seed);
  let result: unknown = 'CRASH';
  const p = prog();
  let over = false;
  p.then((v) => { result = v; over = true; }, (e: unknown) => { result = e; over = true; });
  for (let crash = 0; crash < 4 && !over; crash += 1) {
    await nap(5 + Math.random() * 40);
    if (over) break;
    link.mute = true; link.deaf = true;
    await nap(5);
    if (over) break;
    const next = await workspace.connect();
    link = next.link;
    useClient(next.client);
    const run = (await workspace.rulings()).flatMap(({ proposal }) => (proposal.kind === 'flow' && !proposal.run.includes('.') ? [proposal] : []))[0];
    if (run === undefined) { return; }
    const view = await next.client.runView(run.run as RunId);
    const ans = await next.client.session.ask({ kind: 'flow', run: run.run as RunId, to: { type: 'CRASHED', name: 'Crashed' }, report: true, execution: view!.execution });
    if (ans.outcome === 'rejected') { await nap(20); return; }
    process.env['ASSENT_RESUME'] = run.run; console.log('CRASHED', seed, view!.execution);
    result = 'CRASH'; over = false;
    const q = prog();
    q.then((v) => { result = v; over = true; }, (e: unknown) => { result = e; over = true; });
  }
  for (let i = 0; i < 500 && !over; i += 1) await nap(10);
  delete process.env['ASSENT_RESUME'];
  if (result instanceof Error) throw result;
  expect(result).toBe(5);
}, 12_000);
