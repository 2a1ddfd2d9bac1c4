/** Rules at work on a real engine: caches across runs, tags, rates, keys, who is cancelled, pauses, overrides. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { Explanation, RunDetail } from '../../protocol/query.ts';
import { disconnect, flow, flowRun, serve, setLimit, signal, startRun, task } from '../../sdk/index.ts';
import { assentOn, type Assent } from '../cli/assent.ts';
import { connectAsEngine } from '../ledger/ledger-copy.ts';
import { ledgerOf, readLedger, type Ruled } from '../faults/ledger-check.ts';

let dataDir: string;
let engine: Engine;
let assent: Assent;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-rulebook-'));
  process.env['ASSENT_DATA'] = dataDir;
  engine = await startEngine({ dataDir, durability: 'process' });
  assent = assentOn(dataDir);
});
afterAll(async () => {
  await disconnect();
  await engine.stop();
  delete process.env['ASSENT_DATA'];
  await rm(dataDir, { recursive: true, force: true });
});

async function rulingsOf(run: string): Promise<readonly Ruled['ruling'][]> {
  const connection = await connectAsEngine(dataDir);
  const { rulings } = await readLedger(ledgerOf(connection));
  await connection.close();
  return rulings.flatMap(({ ruling }) =>
    ruling.proposal.kind !== 'workspace' && ruling.proposal.run.startsWith(run) ? [ruling] : [],
  );
}

test('a result is kept for calls of other runs, until it is asked for anew', async () => {
  let calls = 0;
  const price = task({ name: 'price', cacheKey: (item: string) => `price:${item}` }, (item: string) => {
    calls += 1;
    return { item, calls };
  });
  const fresh = task(
    { name: 'price', cacheKey: (item: string) => `price:${item}`, refreshCache: true },
    (item: string) => {
      calls += 1;
      return { item, calls };
    },
  );
  const ask = flow({ name: 'ask' }, async ({ item }: { item: string; nth: number }) => price(item));
  const renew = flow({ name: 'renew' }, async ({ item }: { item: string }) => fresh(item));
  expect(await ask({ item: 'tea', nth: 1 })).toEqual({ item: 'tea', calls: 1 });
  expect(await ask({ item: 'tea', nth: 2 })).toEqual({ item: 'tea', calls: 1 });
  expect(await renew({ item: 'tea' })).toEqual({ item: 'tea', calls: 2 });
  expect(await ask({ item: 'tea', nth: 3 })).toEqual({ item: 'tea', calls: 2 });
});

test('tasks of a tag share its limit', async () => {
  await setLimit('tag:database', 2);
  let now = 0;
  let most = 0;
  const query = task({ name: 'query', tags: ['database'] }, async (_: number) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    now -= 1;
  });
  await flow({ name: 'queries' }, () => Promise.all([1, 2, 3, 4, 5, 6].map((n) => query(n))))();
  expect(most).toBe(2);
});

test('each key has its own slots', async () => {
  await setLimit('tenant', 1);
  const busy = new Map<string, number>();
  let most = 0;
  const serve = task(
    { name: 'serve', limits: { tenant: { by: (tenant: string) => tenant } } },
    async (tenant: string, _: number) => {
      busy.set(tenant, (busy.get(tenant) ?? 0) + 1);
      most = Math.max(most, [...busy.values()].filter((count) => count > 0).length);
      expect(busy.get(tenant)).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      busy.set(tenant, (busy.get(tenant) ?? 0) - 1);
    },
  );
  await flow({ name: 'tenants' }, () =>
    Promise.all([1, 2, 3].flatMap((n) => ['acme', 'zeta'].map((tenant) => serve(tenant, n)))),
  )();
  expect(most).toBe(2);
});

test('a rate limit lets so many start at once, and the others as time passes', async () => {
  await setLimit('rate', 3, { slotsPerSecond: 20 });
  const startedMs: number[] = [];
  const call = task({ name: 'call', limits: ['rate'] }, (_: number) => {
    startedMs.push(performance.now());
  });
  await flow({ name: 'calls' }, () => Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => call(n))))();
  const span = startedMs[6]! - startedMs[0]!;
  // Four slots come back at 50 ms each; granted a little before they are heard of here.
  expect(span).toBeGreaterThan(150);
});

test('a limit that cancels who runs: the newer run has the slot, the older one is cancelled, and why says so', async () => {
  await setLimit('latest', 1, { onFull: 'cancel-running' });
  const begun = Promise.withResolvers<string>();
  const refresh = flow({ name: 'refresh', limits: ['latest'] }, async ({ wait }: { wait: boolean }) => {
    if (!wait) return 'new';
    begun.resolve(flowRun().id);
    await new Promise((resolve) => {
      signal().addEventListener('abort', resolve);
    });
    return 'old';
  });
  const older = refresh({ wait: true }).catch((error: unknown) => error);
  const run = await begun.promise;
  expect(await refresh({ wait: false })).toBe('new');
  expect(await older).toMatchObject({ kind: 'CANCELLED' });
  const { stdout } = await assent('why', run);
  expect(stdout).toContain('others need its slots');
});

test('a paused flow run starts nothing until it is resumed; an override needs a reason and records what it overrides', async () => {
  const begun = Promise.withResolvers<string>();
  const paused = Promise.withResolvers<undefined>();
  const step = task({ name: 'step' }, (n: number) => n);
  const steps = flow({ name: 'steps' }, async () => {
    await step(1);
    begun.resolve(flowRun().id);
    await paused.promise;
    return step(2);
  });
  const result = steps();
  const run = await begun.promise;
  expect((await assent('runs', 'pause', run, '--reason', 'lunch')).code).toBe(0);
  paused.resolve(undefined);
  await expect.poll(async () => (await rulingsOf(run)).filter(({ outcome }) => outcome === 'held').length).toBe(1);
  const why = await assent.json<Explanation>('why', run);
  expect(JSON.stringify(why)).toContain('paused');
  expect((await assent('runs', 'pause', run)).code).not.toBe(0);
  expect((await assent('runs', 'resume', run)).stdout).toContain('Running');
  expect(await result).toBe(2);

  const late = await assent('runs', 'set-state', run, 'failed', '--reason', 'its input was wrong');
  expect(late.stdout).toContain('RESULT_KEPT');
  expect((await assent('runs', 'set-state', run, 'failed', '--reason', 'its input was wrong', '--force')).code).toBe(0);
  const forced = (await rulingsOf(run)).at(-1);
  expect(forced).toMatchObject({
    outcome: 'accepted',
    proposal: { force: true, reason: 'its input was wrong' },
    overrides: { outcome: 'rejected' },
  });
  const { state } = await assent.json<RunDetail>('runs', 'inspect', run);
  expect(state?.type).toBe('FAILED');
});

test('a run that is started for later waits until then', async () => {
  const later = flow({ name: 'later' }, () => Date.now());
  const worker = await serve([later]);
  const at = Date.now() + 700;
  const run = await startRun(later, undefined, { at });
  const { state } = await assent.json<RunDetail>('runs', 'inspect', run.id);
  expect(state).toMatchObject({ type: 'SCHEDULED', dueAtMs: at });
  expect(await run.result()).toBeGreaterThanOrEqual(at);
  await worker.stop();
});
