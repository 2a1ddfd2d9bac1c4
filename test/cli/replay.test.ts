/**
 * `assent replay`, on an engine that runs, and on files that were exported from it or made up. The engine here runs from
 * its sources and the command from the build: what the files name is the source that they bring, so it has to be trusted.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeLine, rulingLineOf, type ExportLine } from '../../engine/cli/audit/export-lines.ts';
import { writeExport } from '../../engine/cli/audit/export-file.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import { coreSource } from '../../engine/policy/index.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { encodeEntry, sha256 } from '../../protocol/segment.ts';
import { proposeRaw } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

const RUN = 'aaaaaaaaaaaaaaaa' as RunId;
const RUNNING = { type: 'RUNNING', name: 'Running' };

let folder: string;
let engine: Engine;
let assent: Assent;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-replay-'));
  const dataDir = join(folder, 'data');
  // The session made by hand does not beat: its run must not be taken for dead.
  engine = await startEngine({ dataDir, settings: { heartbeatLimitMs: 3_600_000 } });
  assent = assentOn(dataDir);
  const session = await proposeRaw(dataDir);
  const retry = { retriesMax: 1, delaysMs: [60_000], jitter: 1 };
  await session.ask({ kind: 'flow', run: RUN, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f', retry } });
  await session.ask({ kind: 'flow', run: RUN, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 });
  await session.ask({ kind: 'workspace', event: { type: 'LIMIT_SET', limit: 'db', slotsMax: 1 } });
  await session.close();
});
afterAll(async () => {
  await engine.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The lines of the exported run, without the last. */
async function exported(): Promise<ExportLine[]> {
  const file = join(folder, 'run.jsonl');
  expect((await assent('export', RUN, file)).code).toBe(0);
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as ExportLine).filter(({ kind }) => kind !== 'end');
}

async function write(name: string, lines: readonly ExportLine[]): Promise<string> {
  const file = join(folder, name);
  await writeExport(file, stream(lines), { of: 'run', run: RUN });
  return file;
}

async function* stream(lines: readonly ExportLine[]): AsyncGenerator<ExportLine> {
  for (const line of lines) yield await Promise.resolve(line);
}

/** What a forger makes of a ruling, its check included. */
function forged(line: ExportLine, change: (ruling: Ruling) => Ruling): ExportLine {
  return line.kind === 'ruling' ? rulingLineOf(line, encodeEntry(change(JSON.parse(line.line) as Ruling))) : line;
}

describe('replay', () => {
  test('of the whole ledger, and of a run by the beginning of its id, comes out as recorded', async () => {
    const whole = await assent('replay', '--facts');
    expect({ code: whole.code, stderr: whole.stderr }).toEqual({ code: 0, stderr: '' });
    expect(whole.stdout).toContain('The ledger is reproduced.');
    expect(whole.stdout).toContain('2 rulings of 2 came out byte for byte as recorded');
    expect(whole.stdout).toContain('1 ruling without a judgment');
    const run = await assent.json('replay', 'aaaa');
    expect(run).toMatchObject({ ok: true, of: 'run', run: RUN, rulings: 2, reproduced: 2, differing: 0, unjudged: 0 });
    expect(await assent.json('replay', 'aaaa', '--facts')).toMatchObject({ ok: true, facts: { reproduced: 2 } });
    expect((await assent('replay', 'zzzz')).code).toBe(3);
  });

  test('of an exported file needs no engine, and the file has the policy that judged', async () => {
    const lines = await exported();
    expect(lines.at(-1)).toMatchObject({ kind: 'policy' });
    const elsewhere = assentOn(join(folder, 'nothing-here'));
    expect(await elsewhere.json('replay', await write('copy.jsonl', lines), '--trust')).toMatchObject({
      ok: true,
      reproduced: 2,
    });
    const all = join(folder, 'all.jsonl');
    expect((await assent('export', '--all', all)).code).toBe(0);
    expect(await elsewhere.json('replay', all, '--facts', '--trust')).toMatchObject({
      of: 'ledger',
      facts: { reproduced: 3 },
    });
    expect((await elsewhere('replay', join(folder, 'run.jsonl'), '--facts')).code).toBe(2);
  });

  test('finds a fact that was changed, in a file whose every hash is right', async () => {
    const [start, failure, ...rest] = await exported();
    const luck = forged(failure!, (ruling) => ({ ...ruling, facts: { ...ruling.facts, chance: 2 } }));
    const file = await write('forged.jsonl', [start!, luck, ...rest]);
    expect((await assent('audit', 'verify', file)).code).toBe(0);
    const { code, stdout } = await assent('replay', file, '--trust');
    expect(code).toBe(1);
    expect(stdout).toContain(`Run ${RUN} is not reproduced.`);
    expect(stdout).toMatch(/ on a{16}, policy [0-9a-f]{16}: trail\[\d\]\.why differs\n {2}recorded {2}"retry 1 of 1/);
    expect(await assent.json('replay', file, '--trust')).toMatchObject({
      ok: false,
      differing: 1,
      differences: [{ run: RUN }],
    });
  });

  test('runs a policy that a file brings only when it is trusted, and says which one is missing', async () => {
    const [start] = await exported();
    const source = `${await coreSource()}\n// from elsewhere`;
    const policy = sha256(source).slice(0, 16);
    const foreign = forged(start!, (ruling) => ({ ...ruling, policy }));
    const file = await write('foreign.jsonl', [foreign, { v: 1, kind: 'policy', policy, source }]);
    const refused = await assent('replay', file);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('POLICY_UNTRUSTED');
    expect(await assent.json('replay', file, '--trust')).toMatchObject({ ok: true, policies: { [policy]: 1 } });

    const bare = await assent('replay', await write('bare.jsonl', [foreign]), '--trust');
    expect(bare.code).toBe(1);
    expect(bare.stderr).toContain('POLICY_MISSING');
    expect(bare.stderr).toContain(`${policy} (1 ruling, the first at `);
  });

  test.each([
    [
      'leads out of its realm is not run',
      "import('x').catch((e) => e.constructor.constructor('return process')());",
      1,
    ],
    ['leaves something to a promise harms nobody', 'Promise.reject({ get name() { throw 1; } });', 0],
  ])('a trusted source that %s', async (_, text, code) => {
    const [start] = await exported();
    const source = `${text}\n${await coreSource()}`;
    const policy = sha256(source).slice(0, 16);
    const foreign = forged(start!, (ruling) => ({ ...ruling, policy }));
    const file = await write('hostile.jsonl', [foreign, { v: 1, kind: 'policy', policy, source }]);
    const done = await assent('replay', file, '--trust');
    expect(done.code).toBe(code);
    if (code === 0) expect(done.stdout).toContain('is reproduced');
    else
      expect(done.stderr).toMatch(new RegExp(`POLICY_MISSING.*The policy ${policy} cannot be loaded: line 1 imports`));
  });

  test('takes no source for another than it says that it is', async () => {
    const lines = await exported();
    const other = lines.map((line) => (line.kind === 'policy' ? { ...line, source: `${line.source} ` } : line));
    const { code, stderr } = await assent('replay', await write('swapped.jsonl', other), '--trust');
    expect(code).toBe(1);
    expect(stderr).toContain('EXPORT_BROKEN');
    const [first, ...rest] = lines;
    const late = join(folder, 'late.jsonl');
    await writeFile(late, [...rest, first!].map((line) => `${encodeLine(line)}\n`).join(''));
    expect((await assent('audit', 'verify', late)).stderr).toContain('EXPORT_BROKEN');
  });
});
