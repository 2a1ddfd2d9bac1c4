/** `assent runs retry`, `assent run --resume --from` and `assent diff`: going on with what has ended. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunDetail, RunRow } from '../../protocol/query.ts';
import { assentOn, follow, PROJECT, type Assent, type Ended } from './assent.ts';

const FLOWS = 'test/cli/retry-flows.ts';

let dataDir: string;
let assent: Assent;
let keeper: ReturnType<Assent['start']>;
let effects: string;
let files = 0;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-retry-'));
  assent = assentOn(dataDir);
  keeper = assent.start(['server', '--durability', 'process']);
  await keeper.noted('is ready');
});
beforeEach(() => {
  effects = join(dataDir, `effects-${String((files += 1))}`);
});
afterAll(async () => {
  expect(await assent('replay', '--facts')).toMatchObject({ code: 0 });
  keeper.child.kill('SIGTERM');
  await keeper.ended;
  await rm(dataDir, { recursive: true, force: true });
});

const newest = async (): Promise<RunRow> => (await assent.json<RunRow[]>('runs', 'ls', '--limit', '1'))[0]!;
const done = async (): Promise<string[]> => (await readFile(effects, 'utf8')).trimEnd().split('\n');
const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  assent.start(['run', `${FLOWS}:order`, ...args], { EFFECTS: effects, ...env }).ended;

/** An order whose charge failed. */
async function failedOrder(): Promise<string> {
  expect((await run([], { FAIL: 'yes' })).code).toBe(5);
  return (await newest()).run;
}

describe('a run of a script', () => {
  test('that failed goes on from where it failed, and keeps what it has finished', async () => {
    const id = await failedOrder();
    const how = await assent('runs', 'retry', id);
    expect(how.code).toBe(2);
    expect(how.stderr).toContain(`assent run FILE:order --resume ${id}`);
    expect((await run(['--resume', id, '--params', '{}'])).stderr).toContain('leave out --param and --params');
    expect((await run(['--from', 'charge'])).stderr).toContain('--resume RUN says which');
    const { code, stdout } = await run(['--resume', id]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'reservation of book, paid 7\n' });
    expect(await done()).toEqual(['reserve book', 'charge 7', 'charge 7', 'ship']);
    const why = await assent('why', id);
    expect(why.stdout).toMatch(/Begun anew at .+: 1 call was answered from the record, 1 is new\./);
  });

  test('that completed does again what it is told to, if somebody says why', async () => {
    const id = await failedOrder();
    await run(['--resume', id]);
    expect((await run(['--resume', id])).stderr).toContain('--from says which of its calls to do again');
    expect((await run(['--resume', id, '--from', 'charge'])).stderr).toContain('--reason says why');
    const unknown = await assent('runs', 'retry', id, '--from', 'chrage', '--reason', 'so');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(
      /has made no call 'chrage'\. It has made these:\n {2}reserve-\w+ {2}reserve {2}Completed/,
    );
    const told = await assent('runs', 'retry', id, '--from', 'charge', '--reason', 'a new card');
    expect(told.stderr).toMatch(new RegExp(`--resume ${id} --from charge-\\w+ --reason "a new card"`));
    const again = await run(['--resume', id, '--from', 'charge', '--reason', 'a new card']);
    expect(again).toMatchObject({ code: 0, stdout: 'reservation of book, paid 7\n' });
    expect((await done()).slice(4)).toEqual(['charge 7', 'ship']);
    expect(await assent.json<RunDetail>('runs', 'inspect', id)).toMatchObject({ state: { type: 'COMPLETED' } });
  });

  test('that was cancelled goes on if somebody says why', async () => {
    const id = await failedOrder();
    const to = await assent('runs', 'set-state', id, 'cancelled', '--reason', 'wrong order');
    expect(to.code).toBe(0);
    expect((await run(['--resume', id])).stderr).toContain('--reason says why');
    expect((await run(['--resume', id, '--reason', 'it was right'])).code).toBe(0);
    expect(await done()).toEqual(['reserve book', 'charge 7', 'charge 7', 'ship']);
  });
});

test('a key that is made with other inputs than before is a divergence, which is explained', async () => {
  const billing = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> =>
    assent.start(['run', `${FLOWS}:billing`, ...args], { EFFECTS: effects, ...env }).ended;
  expect((await billing([], { FAIL: 'yes' })).code).toBe(5);
  const { run: id } = await newest();
  expect((await billing(['--resume', id], { AMOUNT: '9' })).code).not.toBe(0);
  const { stdout } = await assent('why', id);
  expect(stdout).toMatch(
    /It diverged from what it did before: call 'the bill' was made with inputs \w+, and is made now/,
  );
  expect(await done()).toEqual(['bill 7', 'charge 0']);
  const diff = await assent('diff', id);
  expect(diff.stdout).toMatch(
    /With other inputs: 1\n {2}bill 'the bill' {2}inputs\[0\].*\n.*\n {4}now .*refused \(DIVERGED\)\n/,
  );
  // What is to be done again has no record that it could contradict.
  const again = await billing(['--resume', id, '--from', 'the bill', '--reason', 'nine it is'], { AMOUNT: '9' });
  expect(again).toMatchObject({ code: 0 });
  expect((await done()).slice(2)).toEqual(['bill 9', 'charge 0']);
});

describe('assent diff', () => {
  type Call = { readonly key: string; readonly how: string; readonly state: string; readonly order: number };
  type Diff = {
    readonly both: readonly { before: Call; now: Call }[];
    readonly changed: readonly { before: Call; now: Call }[];
    readonly onlyBefore: readonly Call[];
    readonly onlyNow: readonly Call[];
  };
  const keys = (calls: readonly Call[]): string[] => calls.map(({ key }) => key);

  test('shows what the last two executions of a run called', async () => {
    const id = await failedOrder();
    const once = await assent('diff', id);
    expect(once.stdout).toContain('was executed once');
    await run(['--resume', id], { AMOUNT: '9' });
    const diff = await assent.json<Diff>('diff', id);
    expect(diff).toMatchObject({ before: { execution: 1, calls: 2 }, now: { execution: 2, calls: 3 } });
    expect(diff.both).toMatchObject([
      { before: { key: 'reserve', how: 'ran' }, now: { key: 'reserve', how: 'reused' } },
    ]);
    expect(diff.changed).toMatchObject([
      { before: { key: 'charge', state: 'Failed' }, now: { key: 'charge', state: 'Completed', how: 'ran' } },
    ]);
    expect({ before: keys(diff.onlyBefore), now: keys(diff.onlyNow) }).toEqual({ before: [], now: ['ship'] });
    const { stdout } = await assent('diff', id);
    expect(stdout).toContain('1 call in both, answered from the record.');
    expect(stdout).toMatch(/With other inputs: 1\n {2}charge\n {4}before .*Failed after .*\n {4}now .*Completed after/);
    expect(stdout).toMatch(/Only now: 1\n {2}ship /);
  });

  test('shows what two runs called', async () => {
    await run([]);
    const one = await newest();
    await run([], { AMOUNT: '9' });
    const other = await newest();
    const diff = await assent.json<Diff>('diff', one.run, other.run);
    expect(diff.both.map(({ now }) => now.key)).toEqual(['reserve']);
    expect(diff.changed.map(({ now }) => now.key).sort()).toEqual(['charge', 'ship']);
    expect([...diff.onlyBefore, ...diff.onlyNow]).toEqual([]);
    expect((await assent('diff', one.run, one.run)).stdout).toContain('3 calls in both.');
  });
});

test('a run that workers execute goes on in the next one', async () => {
  const script = follow(
    spawn(process.execPath, [join(PROJECT, FLOWS)], {
      cwd: PROJECT,
      env: { ...process.env, ASSENT_DATA: dataDir, EFFECTS: effects, SERVE: 'yes', FAIL: 'once' },
    }),
  );
  await script.said('.\n');
  const { run: id } = await newest();
  await assent('runs', 'watch', id);
  const wrong = await assent('runs', 'retry', id, '--from', 'nothing');
  expect(wrong.code).toBe(2);
  const { code, stdout } = await assent('runs', 'retry', id, '--from', 'reserve', '--reason', 'another book');
  expect({ code, stdout }).toMatchObject({ code: 0 });
  expect(stdout).toMatch(/is AwaitingRetry: the next worker goes on with it, from \S+\.reserve-\w+ on\./);
  await assent('runs', 'watch', id);
  expect(await assent.json<RunDetail>('runs', 'inspect', id)).toMatchObject({ state: { type: 'COMPLETED' } });
  expect(await done()).toEqual(['reserve book', 'charge 7', 'reserve book', 'charge 7', 'ship']);
  script.child.kill('SIGTERM');
  expect((await script.ended).code).toBe(0);
});
