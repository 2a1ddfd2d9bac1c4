/** Which data folder it is: for scripts by where they lie, for a look by where one is; and who makes one. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { placeOf as placeForCommand } from '../../engine/cli/place.ts';
import { isAlive, placeOf } from '../../sdk/client/target.ts';
import { PROJECT } from './assent.ts';

const BIN = resolve(PROJECT, 'bin/assent.js');
const SDK = pathToFileURL(resolve(PROJECT, 'dist/sdk/index.js')).href;

let base: string;
let project: string;
let elsewhere: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'assent-place-')));
  project = join(base, 'project');
  elsewhere = join(base, 'elsewhere');
  await mkdir(join(project, 'src'), { recursive: true });
  await mkdir(elsewhere);
  await writeFile(join(project, 'package.json'), '{"type":"module"}');
});
afterEach(async () => {
  const file = join(project, '.assent/engine.json');
  const { pid } = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as { pid?: number };
  if (pid !== undefined) await vi.waitUntil(() => !isAlive(pid), { timeout: 20_000, interval: 50 });
  await rm(base, { recursive: true, force: true });
});

const run = promisify(execFile);
const env = (): NodeJS.ProcessEnv => ({ ...process.env, ASSENT_DATA: '', ASSENT_URL: '', NO_COLOR: '1' });
const node = (cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, args, { cwd, env: env() });

describe('the data folder', () => {
  const of = (script: string | undefined, more: NodeJS.ProcessEnv = {}): unknown =>
    placeOf(more, { script, folder: elsewhere });

  beforeEach(async () => {
    for (const file of ['src/nightly.ts', 'index.js', 'node_modules/runner/run.js']) {
      await mkdir(resolve(project, file, '..'), { recursive: true });
      await writeFile(join(project, file), '');
    }
    await writeFile(join(elsewhere, 'alone.ts'), '');
    await symlink(join(project, 'src/nightly.ts'), join(elsewhere, 'linked.ts'));
  });

  test.each([
    ['of a script is in its project, wherever it was started', 'project/src/nightly.ts', 'project'],
    ['of a script that is a link is in the project of what it leads to', 'elsewhere/linked.ts', 'project'],
    ['of a script without its ending is the same', 'project/index', 'project'],
    ['of a folder that is run is in it', 'project', 'project'],
    ['of a script in no project is beside it', 'elsewhere/alone.ts', 'elsewhere'],
    ['of what a tool runs is where the tool was started', 'project/node_modules/runner/run.js', 'elsewhere'],
  ])('%s', (_what, script, where) => {
    expect(of(join(base, script))).toEqual({ type: 'FOLDER', dataDir: join(base, where, '.assent') });
  });

  test('of no script is where the process is', () => {
    expect(of(undefined)).toEqual({ type: 'FOLDER', dataDir: join(elsewhere, '.assent') });
  });

  test('is what ASSENT_DATA names, unless that is empty', () => {
    const script = join(project, 'src/nightly.ts');
    expect(of(script, { ASSENT_DATA: 'kept' })).toEqual({ type: 'FOLDER', dataDir: join(elsewhere, 'kept') });
    expect(of(script, { ASSENT_DATA: '' })).toEqual({ type: 'FOLDER', dataDir: join(project, '.assent') });
  });

  test('of a command is that of the file that it runs, as that of the script would be', () => {
    const file = '../project/src/nightly.ts:day';
    expect(placeForCommand({ file }, {}, elsewhere).dataDir).toBe(join(project, '.assent'));
    expect(placeForCommand({ file, data: 'd' }, {}, elsewhere).dataDir).toBe(join(elsewhere, 'd'));
    expect(placeForCommand({}, {}, join(project, 'src')).dataDir).toBe(join(project, '.assent'));
  });
});

test('a script that is started elsewhere uses the folder of its project, and who looks there sees its run', async () => {
  const file = join(project, 'src/hello.js');
  await writeFile(
    file,
    `import { flow } from '${SDK}';
    export const hello = flow({ name: 'hello' }, async () => 'hello');
    if (process.argv[1] === import.meta.filename) console.log(await hello());`,
  );
  expect((await node(elsewhere, file)).stdout).toBe('hello\n');
  expect((await node('/', BIN, 'run', file)).stdout).toBe('hello\n');
  const { stdout } = await node(project, BIN, 'runs', 'ls', '-o', 'json');
  expect(JSON.parse(stdout)).toHaveLength(2);
  expect(existsSync(join(elsewhere, '.assent'))).toBe(false);
});

test.each([['runs', 'ls'], ['limits', 'set', 'db', '0'], ['replay'], ['variables', 'ls']])(
  'where there is no data folder, `assent %s %s` says so and makes none',
  async (...args) => {
    await expect(node(elsewhere, BIN, ...args)).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringContaining(
        `There is no data folder ${elsewhere}/.assent, and no package.json in ${elsewhere} or in a folder above it.`,
      ) as string,
    });
    expect(existsSync(join(elsewhere, '.assent'))).toBe(false);
  },
);
