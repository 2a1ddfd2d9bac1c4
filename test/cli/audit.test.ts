/** Exports, and that a verifier finds a changed byte exactly where it is. */
import { connect } from '@nats-io/transport-node';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyFile } from '../../engine/cli/audit/file-check.ts';
import { verifyLedger } from '../../engine/cli/audit/ledger-check.ts';
import { rulingLineOf, type RulingLine, type SegmentLine } from '../../engine/cli/audit/export-lines.ts';
import { writeExport } from '../../engine/cli/audit/export-file.ts';
import { standingAt } from '../../engine/fold/chain.ts';
import { startEngine, type Engine } from '../../engine/main.ts';
import { readConnectionFile } from '../../engine/server/connection-file.ts';
import { AssentError } from '../../protocol/errors.ts';
import type { Digest, RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { decodeSegment, encodeSegment, segmentText, sha256 } from '../../protocol/segment.ts';
import { subjects } from '../../protocol/subjects.ts';
import { History, seeded } from '../projections/history.ts';
import { proposeRaw } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-audit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function* segmentsOf({ log }: History): AsyncGenerator<SegmentLine> {
  for await (const { seq, bytes } of log.read(1)) yield { v: 1, seq, kind: 'segment', text: segmentText(bytes) ?? '' };
}

async function problemOf(file: string): Promise<string> {
  try {
    const verified = await verifyFile(file);
    return `verified ${JSON.stringify(verified)}`;
  } catch (error) {
    return error instanceof AssentError && error.kind === 'LEDGER_BROKEN' ? error.message : String(error);
  }
}

describe('an exported ledger', () => {
  let file: string;
  let history: History;
  let bytes: Buffer;
  beforeAll(async () => {
    history = new History(21).grow(300);
    history.addVoid();
    history.epoch();
    history.grow(200);
    file = join(folder, 'ledger.jsonl');
    await writeExport(file, segmentsOf(history), { of: 'ledger' });
    bytes = await readFile(file);
  });

  test('verifies with the counts that the ledger has', async () => {
    const verified = await verifyFile(file);
    expect(verified).toMatchObject({
      of: 'ledger',
      rulings: history.rulings.length,
      segments: history.seq - 1,
      voidSegments: 1,
      epochs: 2,
      runs: history.workspace.runs.size,
      head: history.workspace.meta.head,
    });
    expect(await verifyLedger(history.log.read(1), (seq) => standingAt(history.log, seq))).toEqual(
      Object.fromEntries(Object.entries(verified).filter(([name]) => name !== 'of')),
    );
  });

  test('with one byte changed is broken at exactly the sequence of that byte, in each of 100 random segments', async () => {
    const random = seeded(4711);
    const ends: number[] = [];
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at);
    const damaged = join(folder, 'damaged.jsonl');
    for (let round = 0; round < 100; round += 1) {
      const seq = 1 + Math.floor(random() * history.seq);
      const from = seq === 1 ? 0 : ends[seq - 2]! + 1;
      // The line feed that ends the line is a byte of it as well.
      const at = from + Math.floor(random() * (ends[seq - 1]! + 1 - from));
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at]! + 1 + Math.floor(random() * 255)) % 256;
      await writeFile(damaged, changed);
      const problem = await problemOf(damaged);
      expect([round, at, problem]).toEqual([
        round,
        at,
        expect.stringMatching(new RegExp(`at sequence ${String(seq)}:`)),
      ]);
    }
  });

  test.each([
    ['a segment left out', (lines: string[]) => [...lines.slice(0, 4), ...lines.slice(5)], 'at sequence 5:'],
    ['two segments exchanged', (lines: string[]) => lines.with(5, lines[6]!).with(6, lines[5]!), 'at sequence 6:'],
    ['a segment put in twice', (lines: string[]) => lines.toSpliced(7, 0, lines[6]!), 'at sequence 8:'],
    ['its last line gone', (lines: string[]) => lines.slice(0, -1), 'it was cut off'],
    ['something after its last line', (lines: string[]) => [...lines, lines[0]!], 'goes on after its last line'],
  ])('with %s does not verify', async (_, change, expected) => {
    const lines = bytes.toString('utf8').trimEnd().split('\n');
    const other = join(folder, 'other.jsonl');
    await writeFile(other, `${change(lines).join('\n')}\n`);
    expect(await problemOf(other)).toContain(expected);
  });

  test('that was forged with all its hashes still shows in the chain of the run whose ruling was changed', async () => {
    const lines: SegmentLine[] = [];
    for await (const line of segmentsOf(new History(21).grow(300))) lines.push(line);
    const segments = lines.map(({ text }) => {
      const decoded = decodeSegment(Buffer.from(text));
      if (!decoded.ok) throw new Error(decoded.problem);
      return decoded.segment;
    });
    const all = segments.flatMap((segment, at) => segment.lines.map((line) => ({ line, seq: at + 1 })));
    const next = all.find(({ line, seq }) => seq > 5 && line.includes('"prev":"'))!;
    const { prev } = JSON.parse(next.line) as Ruling;
    const victim = all.find(({ line }) => sha256(line) === prev)!;
    let parent: { seq: number; hash: Digest | '' } = { seq: 0, hash: '' };
    const forged = segments.map((segment, at): SegmentLine => {
      const changed = segment.lines.map((line) =>
        line === victim.line ? line.replace('RULING', 'RULING","x":"') : line,
      );
      const { bytes: written, hash } = encodeSegment({ ...segment.header, parent }, changed);
      parent = { seq: at + 1, hash };
      return { v: 1, seq: at + 1, kind: 'segment', text: segmentText(written) ?? '' };
    });
    const other = join(folder, 'forged.jsonl');
    await writeExport(other, stream(forged), { of: 'ledger' });
    const problem = await problemOf(other);
    expect(problem).toContain(`at sequence ${String(next.seq)}: its ruling`);
    expect(problem).toContain('does not name the ruling before it');
  });
});

describe('an exported run', () => {
  test('verifies alone, and shows a change at its ruling', async () => {
    const history = new History(22).grow(400);
    const counts = Map.groupBy(history.rulings, ({ proposal }) =>
      proposal.kind === 'workspace' ? '' : proposal.run.split('.')[0]!,
    );
    const [root = ''] = [...counts].filter(([id]) => id !== '').sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
    const lines: RulingLine[] = [];
    for await (const { seq, bytes } of history.log.read(1)) {
      const decoded = decodeSegment(bytes);
      if (!decoded.ok) continue;
      decoded.segment.lines.forEach((line, index) => {
        if (line.includes(`"run":"${root}`)) lines.push(rulingLineOf({ seq, index }, line));
      });
    }
    const file = join(folder, 'run.jsonl');
    await writeExport(file, stream(lines), { of: 'run', run: root as RunId });
    expect(await verifyFile(file)).toMatchObject({ of: 'run', run: root, rulings: lines.length });
    const text = await readFile(file, 'utf8');
    const third = lines[2]!;
    await writeFile(
      file,
      text.replace(
        `"index":${String(third.index)},"kind":"ruling","check":"${third.check}"`,
        `"index":${String(third.index + 1)},"kind":"ruling","check":"${third.check}"`,
      ),
    );
    expect(await problemOf(file)).toContain(`at sequence ${String(third.seq)}:`);
    await writeExport(file, stream(lines.toSpliced(3, 1)), { of: 'run', run: root as RunId });
    expect(await problemOf(file)).toMatch(/does not name the ruling before it|it is the first of run|^verified/);
  });
});

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  await Promise.resolve();
  yield* items;
}

describe('on an engine', () => {
  let dataDir: string;
  let engine: Engine;
  let assent: Assent;
  const RUN = 'vvvvvvvvvvvvvvv1';
  const RUNNING = { type: 'RUNNING', name: 'Running' };

  beforeAll(async () => {
    dataDir = join(folder, 'data');
    engine = await startEngine({ dataDir, durability: 'process' });
    assent = assentOn(dataDir);
    const session = await proposeRaw(dataDir);
    await session.ask({
      kind: 'flow',
      run: RUN,
      to: RUNNING,
      basedOn: 0,
      claim: true,
      create: { kind: 'flow', name: 'f' },
    });
    const parameters = { digest: '0'.repeat(64), size: 9000, inline: 'x'.repeat(9000) };
    const create = { kind: 'task', name: 't', parent: RUN, parameters };
    await session.ask({ kind: 'task', run: `${RUN}.t-1`, execution: 1, to: RUNNING, create });
    const to = { type: 'COMPLETED', name: 'Completed' };
    await session.ask({ kind: 'task', run: `${RUN}.t-1`, execution: 1, report: true, to });
    await session.ask({ kind: 'flow', run: RUN, execution: 1, report: true, to });
    await session.close();
  });
  afterAll(() => engine.stop());

  test('the stream verifies, is exported whole, and the file verifies with no engine', async () => {
    const stored = await assent.json<object>('audit', 'verify');
    expect(stored).toMatchObject({
      ok: true,
      of: 'ledger',
      segments: 5,
      rulings: 4,
      voidSegments: 0,
      epochs: 1,
      runs: 2,
    });
    expect(await assent('replay', '--facts')).toMatchObject({ code: 0, stderr: '' });
    const file = join(folder, 'all.jsonl');
    expect((await assent('export', '--all', file)).code).toBe(0);
    const offline = assentOn(join(folder, 'nobody'));
    expect(await offline.json<object>('audit', 'verify', file)).toEqual(stored);
    const { stdout, code } = await offline('audit', 'verify', file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/holds together\.\n {2}4 rulings in 5 segments verified/);
    await expect(readFile(join(folder, 'nobody', 'engine.json'))).rejects.toThrow('ENOENT');

    const bytes = await readFile(file);
    const at = bytes.indexOf('COMPLETED');
    bytes[at + 3]! ^= 1;
    await writeFile(file, bytes);
    const broken = await offline('audit', 'verify', file);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/3004 EXPORT_BROKEN.+at sequence 4:/);
  });

  test('a run is exported by the beginning of its id, to a file or to standard output', async () => {
    const file = join(folder, 'one.jsonl');
    expect((await assent('export', 'vvvv', file)).stdout).toMatch(/^4 rulings/);
    expect((await assent('audit', 'verify', file)).stdout).toContain(`The exported run ${RUN} holds together.`);
    const { stdout } = await assent('export', RUN, '-');
    expect(stdout).toBe(await readFile(file, 'utf8'));
    expect((await assent('export', 'vvvv')).code).toBe(2);
    expect((await assent('export', 'vvvv', join(folder, 'no', 'such', 'folder'))).code).toBe(2);
    expect((await assent('audit', 'verify', join(folder, 'nothing'))).code).toBe(2);
  });

  test('rubbish in the stream is named at its sequence, by the audit and by every answer of the view', async () => {
    const file = await readConnectionFile(dataDir);
    const { user, password } = file!.credentials.engine;
    const connection = await connect({ servers: file!.url, user, pass: password });
    const stored = await connection.request(subjects.ledger('default'), 'rubbish');
    const { seq } = stored.json<{ seq: number }>();
    await connection.close();
    const audit = await assent('audit', 'verify');
    expect(audit.code).toBe(1);
    expect(audit.stderr).toContain(`the ledger is broken at sequence ${String(seq)}:`);
    expect((await assent('replay')).stderr).toContain(`the ledger is broken at sequence ${String(seq)}:`);
    const runs = await assent('runs', 'ls');
    expect(runs.code).toBe(0);
    expect(runs.stdout).toContain(RUN);
    expect(runs.stderr).toContain(`broken at sequence ${String(seq)}`);
    const exported = join(folder, 'broken.jsonl');
    expect((await assent('export', '--all', exported)).code).toBe(0);
    expect(await problemOf(exported)).toContain(`at sequence ${String(seq)}: it was damaged when it was exported`);
    const doctor = await assent('doctor');
    expect(doctor.code).toBe(1);
    expect(doctor.stdout).toMatch(/^fail {2}ledger/m);
  });
});
