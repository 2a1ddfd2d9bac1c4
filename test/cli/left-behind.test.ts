/** What runs leave behind, at the command line: artifacts, failed hooks, titles; and the variables of the workspace. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'devalue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { sha256 } from '../../protocol/segment.ts';
import { proposeRaw, type RawSession } from '../support/raw-session.ts';
import { assentOn, type Assent } from './assent.ts';

const RUN = 'lllllllllllllll1';
const STARTED = 'lllllllllllllll2';
const ESCAPE = '\u001b';
let dataDir: string;
let engine: Engine;
let session: RawSession;
let assent: Assent;

const valueOf = (value: unknown): object => {
  const inline = stringify(value);
  return { digest: sha256(inline), size: Buffer.byteLength(inline), inline };
};
const event = (what: object): Promise<unknown> => session.ask({ kind: 'workspace', event: what });
const artifact = (key: string, kind: string, data: unknown, more: object = {}): Promise<unknown> =>
  event({ type: 'ARTIFACT_MADE', run: RUN, key, kind, data: valueOf(data), ...more });
const flow = (run: string, name: string, more: object): object => ({
  kind: 'flow',
  run,
  to: { type: 'RUNNING', name: 'Running' },
  basedOn: 0,
  claim: true,
  create: { kind: 'flow', name, ...more },
});

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'assent-left-'));
  // The session made by hand does not beat: its runs must not be taken for dead.
  engine = await startEngine({ dataDir, durability: 'process', settings: { heartbeatLimitMs: 3_600_000 } });
  session = await proposeRaw(dataDir);
  assent = assentOn(dataDir);
  await session.ask(flow(RUN, 'etl', { title: 'etl 2026-11-22 of ACME' }));
  await session.ask(flow(STARTED, 'report', { startedBy: RUN }));
  await artifact('quality', 'markdown', `# Quality\n\n99 %\tgood ${ESCAPE}[31m`, { description: 'How good it is' });
  await artifact('rows', 'table', [
    { region: 'eu', rows: 12 },
    { region: 'us', rows: 3, note: 'late' },
  ]);
  await artifact('site', 'link', { url: 'https://example.org/r', text: 'the report' });
  await artifact('load', 'progress', { done: 1, total: 4 });
  await artifact('load', 'progress', { done: 3, total: 4 });
  const error = valueOf({ name: 'TypeError', message: 'no channel' });
  await event({ type: 'HOOK_RAN', run: RUN, hook: 'onFailure', function: 'notify', error });
  await event({ type: 'HOOK_RAN', run: RUN, hook: 'onRunning' });
});

afterAll(async () => {
  await session.close();
  await engine.stop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('artifacts', () => {
  test('ls lists the newest of each run and key, of one run or of all', async () => {
    const { stdout, code } = await assent('artifacts', 'ls', RUN);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^RUN\/KEY +OF +KIND +MADE$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/)[0])).toEqual(
      ['load', 'site', 'rows', 'quality'].map((key) => `${RUN}/${key}`),
    );
    expect(stdout).toContain('75 %, 3 of 4');
    expect(stdout).toContain('How good it is');
    expect((await assent('artifacts', 'ls', STARTED)).stdout).toBe('No artifacts.\n');
    const found = await assent.json<{ key: string; data: { value: unknown } }[]>('artifacts', 'ls', '--key', 'site');
    expect(found).toMatchObject([{ key: 'site', data: { value: { url: 'https://example.org/r' } } }]);
  });

  test('show prints text as text, tables as tables, progress as a bar', async () => {
    expect((await assent('artifacts', 'show', `${RUN.slice(0, 16)}/quality`)).stdout).toBe(
      'How good it is\n\n# Quality\n\n99 %\tgood\n',
    );
    expect((await assent('artifacts', 'show', 'rows')).stdout).toBe(
      'region  rows  note\neu      12\nus      3     late\n',
    );
    expect((await assent('artifacts', 'show', 'site')).stdout).toBe('the report  https://example.org/r\n');
    const { stdout, stderr } = await assent('artifacts', 'show', 'load');
    expect(stdout).toBe(`[${'#'.repeat(23)}${'.'.repeat(7)}] 75 %, 3 of 4\n`);
    expect(stderr).toContain(`${RUN}/load`);
  });

  test('that nobody made, or that nobody could make, are told apart', async () => {
    const none = await assent('artifacts', 'show', 'nothing');
    expect(none).toMatchObject({ code: 3, stdout: '' });
    expect(none.stderr).toContain('2013 ARTIFACT_NOT_FOUND');
    expect((await assent('artifacts', 'show', 'a key')).code).toBe(2);
  });
});

describe('a run', () => {
  test('shows its title beside its name, who started it, its artifacts and the hooks that failed', async () => {
    expect((await assent('runs', 'ls')).stdout).toContain('etl “etl 2026-11-22 of ACME”');
    const inspected = (await assent('runs', 'inspect', RUN)).stdout;
    expect(inspected).toContain('etl “etl 2026-11-22 of ACME”');
    expect(inspected).toMatch(/Hooks that failed\n {2}onFailure notify +of etl .+TypeError: no channel\n/);
    expect(inspected).toMatch(/Artifacts\n {2}lllllllllllllll1\/load +progress/);
    expect((await assent('runs', 'inspect', STARTED)).stdout).toMatch(/started by +lllllllllllllll1/);
    const why = (await assent('why', RUN)).stdout;
    expect(why).toMatch(/flow run lllllllllllllll1 \(etl “etl 2026-11-22 of ACME”\): Running/);
    expect(why).toMatch(/\nHooks that failed\n {2}onFailure notify/);
    expect(why).toMatch(/\nArtifacts\n/);
    expect((await assent('why', STARTED)).stdout).toContain(`It was started by run ${RUN}`);
    const json = await assent.json<{ title: string; failedHooks: object[]; artifacts: object[] }>(
      'runs',
      'inspect',
      RUN,
    );
    expect(json).toMatchObject({ title: 'etl 2026-11-22 of ACME', failedHooks: [{ function: 'notify' }] });
    expect(json.artifacts).toHaveLength(4);
  });
});

describe('variables', () => {
  test('are set, listed with who set them and when, read, and removed', async () => {
    expect((await assent('variables', 'ls')).stdout).toBe('No variables are set.\n');
    const set = await assent('variables', 'set', 'rate-per-minute', '60', '--tag', 'ops', '--reason', 'a new quota');
    expect(set).toMatchObject({ code: 0, stdout: "Variable 'rate-per-minute' is set.\n" });
    await assent('variables', 'set', 'region', 'eu');
    const { stdout } = await assent('variables', 'ls');
    expect(stdout).toMatch(/^VARIABLE +VALUE +SET BY +WHEN +TAGS\n/);
    expect(stdout).toMatch(/\nrate-per-minute +60 +\S.* +(\d+ \w+ ago|just now) +ops\n/);
    const got = await assent('variables', 'get', 'region');
    expect(got.stdout).toBe('eu\n');
    expect(got.stderr).toMatch(/set by \S.* at /);
    expect(await assent.json('variables', 'get', 'rate-per-minute')).toMatchObject({
      variable: 'rate-per-minute',
      value: { value: 60 },
      by: expect.stringMatching(/./) as string,
      tags: ['ops'],
    });
    expect((await assent('variables', 'unset', 'region')).code).toBe(0);
    const gone = await assent('variables', 'get', 'region');
    expect(gone.code).toBe(3);
    expect(gone.stderr).toContain('2014 VARIABLE_NOT_FOUND');
  });

  test('have names and sizes that fit', async () => {
    expect((await assent('variables', 'set', 'Rate', '1')).code).toBe(2);
    expect((await assent('variables', 'unset', 'nothing')).code).toBe(3);
    const large = await assent('variables', 'set', 'large', 'x'.repeat(20_000));
    expect(large.stderr).toContain('2004 VALUE_TOO_LARGE');
  });
});
