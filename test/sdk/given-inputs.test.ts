/** What a failed call was given stands in the report of its failure: once, hidden where it has to be, and at no call's expense. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LIMITS } from '../../protocol/limits.ts';
import type { GivenInputs, TransitionProposal } from '../../protocol/proposals.ts';
import { useClient } from '../../sdk/client/connect.ts';
import { flow, secret, sleep, task } from '../../sdk/index.ts';
import { forgetHidden } from '../../sdk/scrubber.ts';
import { decodeText } from '../../sdk/values.ts';
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
  forgetHidden();
  await workspace.stop();
});

const reports = async (): Promise<TransitionProposal[]> =>
  (await workspace.rulings()).flatMap(({ proposal }) =>
    proposal.kind === 'task' && proposal.report === true ? [proposal] : [],
  );
const givens = async (): Promise<(GivenInputs | undefined)[]> =>
  (await reports()).filter(({ to }) => to.type === 'FAILED').map(({ inputs }) => inputs);
const opened = (given: GivenInputs | undefined): unknown => decodeText(given?.value?.inline ?? '"nothing"');
const settled = async (run: Promise<unknown>): Promise<unknown> => run.catch((error: unknown) => error);

test('of those that are mapped, each that fails says which it was; what completes says nothing', async () => {
  const fetchPage = task({ name: 'fetch-page' }, (page: number, of: { site: string }) => {
    if (page % 3 === 1) throw new Error('HTTP 500');
    return `${of.site}${String(page)}`;
  });
  const crawl = flow({ name: 'crawl' }, () => fetchPage.map([0, 1, 2, 3, 4], { site: 'a' }).results());
  await settled(crawl());
  const all = await reports();
  expect(all.filter(({ to }) => to.type === 'COMPLETED').every(({ inputs }) => inputs === undefined)).toBe(true);
  expect((await givens()).map(opened)).toEqual([
    [1, { site: 'a' }],
    [4, { site: 'a' }],
  ]);
});

test('it is said once, and not where it is recorded already, nor of what was given nothing', async () => {
  const failing = (): never => {
    throw new Error('no');
  };
  const retried = task({ name: 'retried', retries: 2 }, (_: string) => failing());
  const keyed = task({ name: 'keyed', key: 'one' }, (_: string) => failing());
  const plain = task({ name: 'plain' }, () => failing());
  const calls = flow({ name: 'calls' }, () => Promise.allSettled([retried('a'), keyed('b'), plain()]));
  await calls();
  const strict = flow({ name: 'strict', strict: true }, () => retried('c'));
  await settled(strict());
  const said = (await reports()).filter(({ inputs }) => inputs !== undefined);
  expect(said.map(({ inputs }) => opened(inputs))).toEqual([['a']]);
});

test('what the task or the flow redacts is not in it, wherever it stands, nor is a secret that was revealed', async () => {
  const key = secret.literal('hunter2-hunter2');
  const pay = task({ name: 'pay', redact: ['card.code'] }, (_: object, __: unknown, ___: string): never => {
    throw new Error('declined');
  });
  const checkout = flow({ name: 'checkout', redact: ['iban'] }, async (given: { iban: string }) => {
    const token = key.reveal();
    await pay({ card: { code: 'code-4711', cents: 5 }, ...given }, { list: [given.iban] }, `Bearer ${token}`);
  });
  await settled(checkout({ iban: 'DE02-1203-0000' }));
  const text = JSON.stringify(await workspace.rulings());
  expect(text).not.toMatch(/4711|DE02|hunter2/);
  const [given] = await givens();
  expect(opened(given)).toMatchObject([{ card: { cents: 5 } }, { list: ['***'] }, 'Bearer ***']);
});

test('a strict flow’s redactions hold for the inputs that it records of its calls', async () => {
  const pay = task({ name: 'pay' }, (order: { iban: string }) => order.iban.length);
  const checkout = flow({ name: 'checkout', strict: true, redact: ['iban'] }, (given: { iban: string }) => pay(given));
  await checkout({ iban: 'DE02-1203-0000' });
  expect(JSON.stringify(await workspace.rulings())).not.toContain('DE02');
});

test('inputs that cannot be recorded are left out, and it is said why; the failure is what it was', async () => {
  const odd = task({ name: 'odd', retries: 1 }, (_: { act: () => void }): never => {
    throw new TypeError('odd');
  });
  const error = await settled(flow({ name: 'calls' }, () => odd({ act: () => undefined }))());
  expect(error).toMatchObject({ name: 'TypeError', message: 'odd' });
  expect(await givens()).toEqual([
    { note: expect.stringMatching(/^The inputs of task 'odd' cannot be recorded at .*act: .*function/) as string },
    undefined,
  ]);
});

test('large ones lie where large values lie, with how they begin; of very large ones only that is recorded', async () => {
  const many = task({ name: 'many' }, (rows: readonly string[]): never => {
    throw new Error(`${String(rows.length)} rows`);
  });
  const rows = (count: number): string[] => Array.from({ length: count }, (_, row) => `row ${String(row)}`);
  await flow({ name: 'calls' }, async () => {
    for (const count of [100, 5000, 50_000]) await many(rows(count)).catch(() => undefined);
  })();
  const [small, large, huge] = await givens();
  expect(opened(small)).toEqual([rows(100)]);
  const preview = expect.stringMatching(/^\[ 'row 0', 'row 1',.*\]$/) as string;
  expect(small).toEqual({ value: expect.anything() as object, preview });
  expect(large).toEqual({
    value: { digest: expect.any(String) as string, size: expect.any(Number) as number },
    preview,
  });
  expect(decodeText(link.blobs.get(large?.value?.digest ?? ('' as never)) ?? '')).toEqual([rows(5000)]);
  expect(huge).toEqual({
    preview,
    note: expect.stringMatching(/^They have \d+ bytes: only their beginning is recorded\.$/) as string,
  });
});

test('one that cannot be stored costs the report nothing but itself', async () => {
  const many = task({ name: 'many' }, (_: string): never => {
    throw new Error('no');
  });
  link.putBlob = () => Promise.reject(new Error('no room'));
  const error = await settled(flow({ name: 'calls' }, () => many('x'.repeat(LIMITS.inlineBytesMax)))());
  expect(error).toMatchObject({ message: 'no' });
  expect(await givens()).toEqual([
    { preview: expect.stringContaining("'xxxx") as string, note: expect.stringContaining('no room') as string },
  ]);
});

test('what the worst error and the worst inputs need together is a proposal still', async () => {
  const bad = task({ name: 'bad' }, (text: string): never => {
    throw new Error(text);
  });
  const text = '\u0001'.repeat(LIMITS.inlineBytesMax / 7);
  const error = await settled(flow({ name: 'calls' }, () => bad(text))());
  expect(error).toMatchObject({ message: text });
  expect((await givens()).map((given) => given?.value?.size)).toHaveLength(1);
  for (const report of await reports()) {
    expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(LIMITS.proposalBytesMax);
  }
});

test('an attempt that has changed what it was given says so', async () => {
  const drain = task({ name: 'drain' }, (rows: number[]): never => {
    rows.pop();
    throw new Error('no');
  });
  await settled(flow({ name: 'calls' }, () => drain([1, 2, 3]))());
  const [given] = await givens();
  expect(opened(given)).toEqual([[1, 2]]);
  expect(given?.note).toMatch(/has changed them/);
});

test('what waits and has no code of the user’s says nothing of itself', async () => {
  const calls = flow({ name: 'calls', timeout: '1h' }, async () => {
    await sleep('1ms');
  });
  await calls();
  expect((await reports()).every(({ inputs }) => inputs === undefined)).toBe(true);
});
