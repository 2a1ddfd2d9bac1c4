/** A flow run that is executed again and makes other calls than before. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { firstDifference } from '../../sdk/divergence.ts';
import { flow, flowRun, task } from '../../sdk/index.ts';
import { memoryWorkspace, type MemoryLink, type MemoryWorkspace } from './arbiter-in-memory.ts';

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

test('a key of one’s own that meets other inputs fails the run, and says what was recorded, what came, and where', async () => {
  const ran: unknown[] = [];
  const charge = task(
    { name: 'charge', key: (order) => `order ${String(order.id)}` },
    (order: { id: number; cents: number }) => {
      ran.push(order);
      return order.cents;
    },
  );
  const after = task({ name: 'after' }, () => ran.push('after'));
  const pay = flow({ name: 'pay', retries: 3 }, async () => {
    const { attempt } = flowRun();
    await charge({ id: 7, cents: attempt === 1 ? 100 : 200 });
    if (attempt === 1) throw new Error('again');
    return after();
  });
  const error = (await pay().catch((e: unknown) => e)) as Error;
  expect(error).toMatchObject({ kind: 'DIVERGED' });
  expect(error.message).toContain('recorded call: charge({ id: 7, cents: 100 })');
  expect(error.message).toContain('charge({ id: 7, cents: 200 })');
  expect(error.message).toContain('first difference: inputs[0].cents: 100 was recorded, 200 was given');
  expect(error.message).toMatch(/called at: +file:.*divergence\.test\.ts:\d+:\d+/);
  // Nothing ran for the other inputs, nothing after it, and it is no failure to try again.
  expect(ran).toEqual([{ id: 7, cents: 100 }]);
  const refused = (await workspace.rulings()).filter(({ outcome }) => outcome === 'rejected');
  expect(refused.map(({ trail }) => trail.at(-1))).toMatchObject([
    { rule: 'refuse-divergent-calls', code: 'DIVERGED' },
  ]);
});

test('and it does not say what nobody shall see, however short', async () => {
  const charge = task(
    { name: 'charge', key: 'one', redact: ['code'] },
    (card: { code: string; cents: number }) => card,
  );
  const pay = flow({ name: 'pay', retries: 1 }, async () => {
    const { attempt } = flowRun();
    await charge({ code: '123', cents: attempt });
    if (attempt === 1) throw new Error('again');
  });
  const error = (await pay().catch((e: unknown) => e)) as Error;
  expect(error.message).toContain('first difference: inputs[0].cents: 1 was recorded, 2 was given');
  expect(error.message).not.toContain("'123'");
});

test('with equal inputs it is the same call', async () => {
  let runs = 0;
  const keyed = task({ name: 'keyed', key: 'one' }, (value: { a: number; b: number }) => {
    runs += 1;
    return value.a + value.b;
  });
  const again = flow({ name: 'again', retries: 1 }, async () => {
    const sum = await keyed(flowRun().attempt === 1 ? { a: 1, b: 2 } : { b: 2, a: 1 });
    if (flowRun().attempt === 1) throw new Error('again');
    return sum;
  });
  expect(await again()).toBe(3);
  expect(runs).toBe(1);
});

test('the first difference names its path', () => {
  const one = { a: [{ b: 1 }], c: new Date(0) };
  expect(firstDifference([one], [{ ...one, a: [{ b: 2 }] }], 'inputs')).toBe(
    'inputs[0].a[0].b: 1 was recorded, 2 was given',
  );
  expect(firstDifference([one], [{ a: [{ b: 1 }], c: new Date(0) }], 'inputs')).toBeUndefined();
  expect(firstDifference([1], [1, 2], 'inputs')).toBe('inputs[1]: undefined was recorded, 2 was given');
});

/** The process dies in the task `hang`: it says and hears nothing more, and another one goes on. */
async function crashed(begin: () => Promise<unknown>, hanging: Promise<unknown>): Promise<RunId> {
  void begin().catch(() => undefined);
  await hanging;
  link.mute = true;
  link.deaf = true;
  const survivor = (await workspace.connect()).client;
  useClient(survivor);
  const run = (await workspace.rulings()).flatMap(({ proposal }) =>
    proposal.kind === 'flow' ? [proposal.run] : [],
  )[0];
  await survivor.session.ask({
    kind: 'flow',
    run: run as RunId,
    to: { type: 'CRASHED', name: 'Crashed' },
    report: true,
    execution: 1,
  });
  return run as RunId;
}

function changingFlow(strict: boolean) {
  const ran: string[] = [];
  const { promise: hanging, resolve: hangs } = Promise.withResolvers<undefined>();
  const code = { version: 1 };
  const step = task({ name: 'step' }, (name: string) => ran.push(name));
  const hang = task({ name: 'hang' }, async () => {
    if (code.version > 1) return;
    hangs(undefined);
    await new Promise(() => undefined);
  });
  const changing = flow({ name: 'changing', strict }, async () => {
    await step('a');
    await step(code.version === 2 ? 'changed' : 'b');
    await hang();
    return ran.join('');
  });
  return { changing, ran, code, hanging };
}

test('a strict flow that is executed again and makes another call fails, until its code is put back', async () => {
  const { changing, ran, code, hanging } = changingFlow(true);
  const run = await crashed(() => changing(), hanging);
  code.version = 2;
  const error = (await changing().catch((e: unknown) => e)) as Error;
  expect(error).toMatchObject({ kind: 'DIVERGED' });
  expect(error.message).toContain("expected was call 'step'");
  expect(error.message).toMatch(/called at: +file:.*divergence\.test\.ts:\d+:\d+/);
  expect(ran.join('')).toBe('ab');
  const { client } = await workspace.connect();
  expect((await client.runView(run))?.state).toMatchObject({ type: 'FAILED', name: 'Diverged' });
  process.env['ASSENT_RESUME'] = run;
  expect(await changing().catch((e: unknown) => e)).toMatchObject({ kind: 'DIVERGED' });
  code.version = 3;
  process.env['ASSENT_RESUME'] = run;
  expect(await changing()).toBe('ab');
  expect(ran.join('')).toBe('ab');
});

test('any other flow goes on: the changed call is a new one', async () => {
  const { changing, code, hanging } = changingFlow(false);
  await crashed(() => changing(), hanging);
  code.version = 2;
  expect(await changing()).toBe('abchanged');
});
