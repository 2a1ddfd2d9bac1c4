/**
 * Declared rules on a real engine, from a file that changes while it runs: a hold, a refusal, and a rule that is tried out
 * in the shadow, looked at, and promoted.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import type { AnswerTo } from '../../protocol/query.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

let dataDir: string;
let file: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;
let invalid: Promise<string>;

const RUNNING = { type: 'RUNNING', name: 'Running' };
const CANCELLING = { type: 'CANCELLING', name: 'Cancelling' };
const run = (digit: number): string => `ssssssssssssss${String(digit).padStart(2, '0')}`;
const flow = (digit: number, more: object = {}): object => ({
  kind: 'flow',
  run: run(digit),
  to: RUNNING,
  basedOn: 0,
  claim: true,
  create: { kind: 'flow', name: 'nightly', ...more },
});

// Every day is a day of the week: true now, whenever now is.
const RULES = `# Rules of the house.
rules:
  - name: hold-the-heavy
    summary: What is heavy waits for the night.
    on: flow
    when: '"heavy" in run.tags && now.getDayOfWeek("Europe/Berlin") in [0, 1, 2, 3, 4, 5, 6]'
    hold: { until: '03:00 Europe/Berlin' }
  - name: quiet-never
    summary: Never true.
    on: flow
    when: now.getDayOfWeek("Europe/Berlin") == 7
    reject: {}
  - name: cancel-with-a-reason
    summary: Who cancels a run says why.
    require: reason
  - name: no-pii
    summary: Nothing runs on personal data.
    when: '"pii" in run.tags'
    reject: { code: PII_FORBIDDEN }
    shadow: true # until we know
`;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-shadow-'));
  file = join(dataDir, 'house.yaml');
  await writeFile(file, RULES);
  // The session made by hand does not beat: its runs must not be taken for dead.
  let say: (line: string) => void = () => undefined;
  invalid = new Promise((resolve) => {
    say = (line) => {
      if (line.includes('is not valid')) resolve(line);
    };
  });
  engine = await startEngine({
    dataDir,
    durability: 'process',
    policies: file,
    settings: { heartbeatLimitMs: 3_600_000 },
    say,
  });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('a file of declared rules', () => {
  test('holds what its condition means until the time that it says, and nothing else', async () => {
    expect(await session.ask(flow(1))).toMatchObject({ outcome: 'accepted' });
    const held = await session.ask(flow(2, { tags: ['heavy'] }));
    expect(held).toMatchObject({ outcome: 'held', why: 'What is heavy waits for the night.' });
    const { stdout } = await assent('why', run(2));
    expect(stdout).toContain('hold-the-heavy');
  });

  test('requires a reason for a cancel', async () => {
    const cancel = { kind: 'flow', run: run(1), to: CANCELLING };
    expect(await session.ask(cancel)).toMatchObject({ outcome: 'rejected', code: 'REASON_NEEDED' });
    const { code } = await assent('runs', 'cancel', run(1), '--reason', 'wrong input');
    expect(code).toBe(0);
  });
});

describe('a rule in the shadow', () => {
  type Shadow = Pick<AnswerTo<'SHADOW'>, 'rules' | 'flips'>;

  test('decides nothing, and stands in the ruling with the fact that it needed', async () => {
    expect(await session.ask(flow(3, { tags: ['pii'] }))).toMatchObject({ outcome: 'accepted' });
    expect(await session.ask(flow(4))).toMatchObject({ outcome: 'accepted' });
    await assent('export', run(3), join(dataDir, 'run.jsonl'));
    const lines = (await readFile(join(dataDir, 'run.jsonl'), 'utf8')).split('\n').filter((line) => line !== '');
    const [ruling] = lines
      .map((line) => JSON.parse(line) as { readonly kind: string; readonly line: string })
      .filter(({ kind }) => kind === 'ruling')
      .map(({ line }) => JSON.parse(line) as Ruling);
    expect(ruling?.shadow).toEqual([
      { rule: 'no-pii', opinion: 'reject', why: 'Nothing runs on personal data.', code: 'PII_FORBIDDEN' },
    ]);
    expect(ruling?.facts['run']).toEqual({ name: 'nightly', tags: ['pii'] });
  });

  test('is counted, and each flip listed', async () => {
    const { rules, flips } = await assent.json<Shadow>('policy', 'shadow');
    expect(rules).toEqual([
      { rule: 'no-pii', asked: 4, passed: 3, rewrote: 0, rejected: 1, held: 0, errors: 0, flips: 1 },
    ]);
    expect(flips).toEqual([
      {
        shadow: 'no-pii',
        opinion: 'reject',
        why: 'Nothing runs on personal data.',
        code: 'PII_FORBIDDEN',
        ruling: expect.objectContaining({ run: run(3), name: 'nightly', outcome: 'accepted', to: 'Running' }) as object,
      },
    ]);
    const { stdout } = await assent('policy', 'shadow', '--rule', 'no-pii', '--since', '1h');
    expect(stdout).toMatch(/no-pii +4 +3 +– +1 +– +– +1\n/);
    expect(stdout).toContain('would have rejected it (PII_FORBIDDEN): Nothing runs on personal data.');
    const later = await assent.json<Shadow>('policy', 'shadow', '--since', '2999-01-01');
    expect(later).toEqual({ rules: [], flips: [] });
    expect((await assent('policy', 'shadow', '--rule', 'other')).stdout).toBe('No shadow rule was asked.\n');
    expect((await assent('policy', 'shadow', '--since', 'yesterday')).code).toBe(2);
  });

  test('is promoted with one command, while the engine runs', async () => {
    const { stdout, code } = await assent('policy', 'promote', 'no-pii');
    expect(stdout).toMatch(
      /no-pii is out of the shadow: .*house\.yaml:20\nIt is in force, by the policy [0-9a-f]{16}\.\n/,
    );
    expect(code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe(RULES.replace('    shadow: true # until we know\n', ''));
    expect(await session.ask(flow(5, { tags: ['pii'] }))).toMatchObject({ outcome: 'rejected', code: 'PII_FORBIDDEN' });
    expect(await session.ask(flow(6))).toMatchObject({ outcome: 'accepted' });
  });

  test.each([
    [['no-pii'], `the rule 'no-pii' is in force already`],
    [['other'], `has no rule 'other'; none is in the shadow`],
    [['no-pii', '--file', 'nowhere.yaml'], 'nowhere.yaml cannot be read'],
    [['no-pii', '--file', 'policy.ts'], 'policy.ts is no file of declared rules'],
  ])('promote %j changes nothing and says why', async (args, problem) => {
    const { stderr, code } = await assent('policy', 'promote', ...args);
    expect(stderr).toContain(problem);
    expect(code).toBe(2);
  });

  test('a file with a mistake leaves the policy in force', async () => {
    await writeFile(file, RULES.replace('run.tags', 'run.tgas'));
    expect(await invalid).toMatch(
      /the policy in force stays.*house\.yaml:6: rule 'hold-the-heavy': when: at `run\.tgas`/s,
    );
    expect(await session.ask(flow(7, { tags: ['heavy'] }))).toMatchObject({ outcome: 'held' });
    const { stderr } = await assent('policy', 'promote', 'no-pii');
    expect(stderr).toContain('has a mistake');
  });
});

test('every ruling comes out again when the ledger is replayed', async () => {
  const { stdout, code, stderr } = await assent('replay');
  expect(`${stdout}${stderr}`).not.toMatch(/differ(s|ent)/i);
  expect(code).toBe(0);
});
