import { afterEach, beforeEach, expect, test } from 'vitest';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, task, registerSerializer, secret, INPUTS, sleep, setResultStorage, startRun, cancelRun, allowFailure, concurrent, transaction, type Secret } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';
import { Said, workersOf } from './workers-in-memory.ts';

let workspace: MemoryWorkspace;
let link: MemoryLink;
beforeEach(async () => {
  workspace = await memoryWorkspace();
  const connected = await workspace.connect();
  link = connected.link;
  useClient(connected.client);
});
afterEach(async () => {
  useClient(undefined);
  await workspace.stop();
});
const T = 6000;
const soon = <V>(what: Promise<V>): Promise<V | 'HANGS'> => Promise.race([what, new Promise<'HANGS'>((r) => setTimeout(r, 4000, 'HANGS'))]);

test('A lost failure outside', async () => {
  const seen: unknown[] = [];
  const hear = (e: unknown) => seen.push(e);
  process.on('unhandledRejection', hear);
  const bad = task({ name: 'bad' }, async () => { throw new Error('lost'); });
  void bad();
  const badFlow = flow({ name: 'bad-flow' }, async () => { throw new Error('lost flow'); });
  void badFlow.submit();
  await new Promise((r) => setTimeout(r, 500));
  process.off('unhandledRejection', hear);
  expect(seen.length).toBe(2);
}, T);

test('C cyclic futures', async () => {
  const two = task({ name: 'two' }, () => 2);
  const use = task({ name: 'use' }, (v: any) => v.f);
  const f = flow({ name: 'c' }, async () => {
    const a: any = { f: two.submit() };
    a.self = a;
    let n = 0; 
    return use(a);
  });
  expect(await soon(f())).toBe(2);
}, T);

test('E literal secrets share a cached result', async () => {
  const account = task({ name: 'account', cachePolicy: INPUTS }, (key: Secret) => `account of ${key.reveal().slice(0, 5)}`);
  const f = flow({ name: 'e' }, async () => [await account(secret.literal('alice-token')), await account(secret.literal('bobby-token'))]);
  expect(await f()).toEqual(['account of alice', 'account of bobby']);
}, T);

test.each([1e13, 1e15, 1e16, 1e300])('G sleep %d', async (ms) => {
  const f = flow({ name: 'g' }, async () => { await sleep(ms); });
  const r = await soon(f().catch((e: unknown) => e));
  expect([r === 'HANGS' ? 'HANGS' : String(r), (await workspace.rulings()).length]).toEqual('?');
}, T);

test('H storage failure', async () => {
  let n = 0;
  setResultStorage({ put: async () => { n += 1; if (n === 1) throw new Error('disk full'); }, get: async () => undefined });
  const big = task({ name: 'big', retries: 1 }, () => 'x'.repeat(50_000));
  const f = flow({ name: 'h' }, async () => { try { return (await big()).length; } catch (e) { return String(e); } });
  const r = await soon(f());
  setResultStorage(undefined);
  const rulings = await workspace.rulings();
  expect([r, rulings.filter(({ proposal }) => proposal.kind === 'task').map(({ state }: any) => state?.name)]).toEqual('?');
}, T);

test('I hooks doubled', async () => {
  const said = new Said(workspace);
  let hooks = 0;
  const f = flow({ name: 'i', retries: 1, retryDelay: '1h', onCancellation: () => { hooks += 1; } }, async () => { throw new Error('x'); });
  const w = workersOf(workspace, f);
  const run = await startRun(f);
  await said.until(() => run.id, 'SCHEDULED', );
  await new Promise((r) => setTimeout(r, 300));
  await cancelRun(run.id);
  await run.result().catch(() => undefined);
  await new Promise((r) => setTimeout(r, 500));
  w.stop();
  expect([hooks, workspace.hints.filter((h: any) => h.hook !== undefined).length]).toEqual([1, 1]);
}, T);

test('L flow.submit with futures outside', async () => {
  const two = task({ name: 'two' }, () => 2);
  const f = flow({ name: 'l' }, ({ n }: { n: number }) => n + 1);
  expect(await f.submit({ n: two.submit() })).toBe(3);
}, T);

test('M divergence with redacted', async () => {
  const charge = task({ name: 'charge', key: 'one', redact: ['cvv'] }, (o: { cvv: string; cents: number }) => o.cents);
  let n = 0;
  const f = flow({ name: 'm', retries: 1 }, async () => {
    n += 1;
    await charge({ cvv: '123', cents: n });
    if (n === 1) throw new Error('again');
  });
  const e = String(await f().catch((e: unknown) => e));
  expect(e).not.toContain("'123'");
}, T);

test('P scrub of keys', async () => {
  const s = secret.literal('hunter2secret');
  const t = task({ name: 't', key: (x: string) => `k ${x}`, cacheKey: (x: string) => `c ${x}`, limits: { l: { by: (x: string) => x } }, tags: ['tag'] }, (x: string) => x.length);
  const { failed } = await import('../../sdk/index.ts');
  const u = task({ name: 'u' }, () => failed({ name: 'Bad hunter2secret' }));
  const f = flow({ name: 'p' }, async () => { const v = s.reveal(); await t(v); await u().catch(() => undefined); });
  await f();
  const text = JSON.stringify(await workspace.rulings());
  const at = [...text.matchAll(/.{60}hunter2secret/g)].map(([m]) => m);
  expect(at).toEqual([]);
}, T);

test('R transaction and limit', async () => {
  let at = 0, most = 0;
  const t = task({ name: 't' }, async (n: number) => { at += 1; most = Math.max(most, at); await new Promise((r) => setTimeout(r, 30)); at -= 1; return n; });
  const f = flow({ name: 'r', taskRunner: concurrent({ limit: 1 }) }, () => Promise.all([1, 2, 3].map((n) => transaction(`t${n}`, () => t(n)))));
  await f();
  expect(most).toBe(1);
}, T);

test('B throwing test', async () => {
  registerSerializer({ name: 'Bad', test: (v: any): v is Date => { return v.foo.bar === 1; }, encode: () => 1, decode: () => new Date() });
  const t = task({ name: 't' }, () => ({ a: 1 }));
  const u = task({ name: 'u' }, () => { throw new Error('mine'); });
  const f = flow({ name: 'b' }, async () => { 
    const a = await t().catch((e: unknown) => String(e)); 
    const b = await u().catch((e: unknown) => String(e)); 
    return `${String(a)} | ${String(b)}`; });
  expect(await soon(f().catch((e: unknown) => `rejected ${String(e)}`))).toBe('?');
}, T);
