/** No byte of a secret that was revealed, or of a value that was redacted, leaves the process: on a real nats-server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEngine, type Engine } from '../../engine/main.ts';
import { readConnectionFile } from '../../engine/server/connection-file.ts';
import { decodeSegment } from '../../protocol/segment.ts';
import { subjects } from '../../protocol/subjects.ts';
import { assentOn } from '../cli/assent.ts';

const SECRETS = {
  KEY_ENV: 'env-hunter2-"quoted"',
  FILE: 'file-<hunter3>\nsecond-line-of-the-key',
  KEY_LITERAL: 'lit/hunter4',
};
const CARD = '4111-2222-3333';
/** What may be seen of none of them. */
const TRACES = /hunter\d|second-line|4111-2222|2222-3333|YWRhOmxpdC/;

let folder: string;
let engine: Engine;
let tap: NatsConnection;
const messages = new Map<string, string[]>();

beforeEach(async () => {
  messages.clear();
  folder = await mkdtemp(join(tmpdir(), 'assent-secrecy-'));
  const dataDir = join(folder, 'data');
  engine = await startEngine({ dataDir, durability: 'process' });
  const file = await readConnectionFile(dataDir);
  if (file === undefined) throw new Error('no engine runs');
  const { user, password } = file.credentials.engine;
  tap = await connect({ servers: file.url, user, pass: password, noAsyncTraces: true });
  tap.subscribe('>', {
    callback: (_, { subject, data }) => {
      const segment = subject === subjects.ledger('default') ? decodeSegment(data) : undefined;
      const text = segment?.ok === true ? segment.segment.lines.join('\n') : Buffer.from(data).toString('latin1');
      const kind = subject.split('.').slice(0, 3).join('.');
      messages.set(kind, [...(messages.get(kind) ?? []), text]);
    },
  });
  await tap.flush();
});

afterEach(async () => {
  await tap.close();
  await engine.stop();
  await rm(folder, { recursive: true, force: true });
});

async function runScript(
  script: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; out: string; problems: string }> {
  await writeFile(join(folder, 'key'), `${SECRETS.FILE}\n`);
  const { KEY_ENV, KEY_LITERAL } = SECRETS;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'scripts', script)], {
    cwd: folder,
    env: {
      ...process.env,
      ASSENT_DATA: join(folder, 'data'),
      ASSENT_LOG: 'trace',
      KEY_ENV,
      KEY_LITERAL,
      KEY_FILE: join(folder, 'key'),
      CARD,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, problems] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (problems += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, problems };
}

async function storedBytes(): Promise<string> {
  const files = await readdir(join(folder, 'data'), { recursive: true, withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFile(join(file.parentPath, file.name), 'latin1').catch(() => ''));
  return (await Promise.all(texts)).join('\n');
}

test.each(['concurrent', 'threads'])(
  'neither by the ledger, a proposal, a log line, an error nor an artifact: %s',
  async (runner) => {
    const { code, out, problems } = await runScript('secretive.ts', { RUNNER: runner });
    expect(code).toBe(1);
    expect(out).toBe('');
    // The error of the flow that nobody caught, and the log lines, were shown, and with them what may be seen.
    expect(problems).toContain('declined ***: ***');
    expect(problems).toContain('charging ***');
    expect(problems).toContain('Bearer ***');
    expect(problems).not.toMatch(TRACES);

    const assent = assentOn(join(folder, 'data'));
    const [run] = await assent.json<{ run: string; title: string }[]>('runs', 'ls');
    expect(run?.title).toBe('pay *** *** Ada');
    const logs = await assent('runs', 'logs', run!.run);
    expect(logs.stdout).toContain('calling with ***');
    for (const args of [['why'], ['events'], ['runs', 'inspect'], ['runs', 'logs'], ['artifacts', 'ls']]) {
      const { stdout, stderr } = await assent(...args, run!.run);
      expect(`${stdout}${stderr}`).not.toMatch(TRACES);
    }
    expect((await assent('variables', 'get', 'last-key')).stdout).not.toMatch(TRACES);

    await tap.flush();
    for (const kind of ['assent.default.propose', 'assent.default.ledger', 'assent.default.logs']) {
      const seen = messages.get(kind)?.join('\n') ?? '';
      expect(seen).toContain('***');
      expect(seen).not.toMatch(TRACES);
    }
    expect([...messages.values()].flat().join('\n')).not.toMatch(TRACES);
    const stored = await storedBytes();
    expect(stored).toContain('"name":"pay"');
    expect(stored).not.toMatch(TRACES);
  },
);

test('and a script that goes on with its run has the values still; a worker has none that it was not given', async () => {
  expect(await runScript('own-values.ts', { DIE: 'yes' })).toMatchObject({ code: null, out: 'begins\n' });
  const { out, code } = await runScript('own-values.ts');
  expect({ out, code }).toEqual({ out: `begins\n${CARD} ${SECRETS.KEY_LITERAL} once\n`, code: 0 });
  const worker = await runScript('own-values.ts', { AS_WORKER: 'yes' });
  expect(worker.out).toBe('begins\nSECRET_UNAVAILABLE SECRET_UNAVAILABLE\n');
  const assent = assentOn(join(folder, 'data'));
  expect(await assent.json<unknown[]>('runs', 'ls')).toHaveLength(2);
});
