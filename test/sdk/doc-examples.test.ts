/** The examples in the doc comments of what `assent` exports run as they stand, as a newcomer would run them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive } from '../../sdk/client/target.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SDK = join(ROOT, 'sdk');

type Example = { readonly name: string; readonly code: string };

/** Every `@example` of the folder, named after the symbol whose doc comment it ends. */
async function examples(): Promise<Example[]> {
  const found: Example[] = [];
  const files = (await readdir(SDK, { recursive: true })).filter((file) => file.endsWith('.ts'));
  for (const file of files) {
    const source = await readFile(join(SDK, file), 'utf8');
    for (const match of source.matchAll(
      / \* @example\n(?<code>(?: \*.*\n)+?) \*\/\nexport (?:async )?(?:function|const|class) (?<name>\w+)/g,
    )) {
      const code = (match.groups?.['code'] ?? '').replace(/^ \* ?/gm, '');
      found.push({ name: match.groups?.['name'] ?? '', code });
    }
  }
  return found;
}

/** The names that `sdk/index.ts` exports as values. */
async function exportedFunctions(): Promise<string[]> {
  const index = await readFile(join(SDK, 'index.ts'), 'utf8');
  const names = [...index.matchAll(/export \{([^}]*)\}/g)].flatMap(([, list]) => (list ?? '').split(','));
  return names.map((name) => name.trim()).filter((name) => /^[a-z]/.test(name) && !name.startsWith('type '));
}

const all = await examples();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-examples-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules', 'assent'));
  await symlink(dirname(join(ROOT, 'node_modules', 'zod', 'package.json')), join(folder, 'node_modules', 'zod'));
  await writeFile(join(folder, 'package.json'), '{ "name": "examples", "type": "module" }');
});

afterAll(async () => {
  const text = await readFile(join(folder, '.assent', 'engine.json'), 'utf8').catch(() => '{}');
  const { pid = 0 } = JSON.parse(text) as { pid?: number };
  while (pid > 0 && isAlive(pid)) await pause(50);
  await rm(folder, { recursive: true, force: true });
});

test('every exported function has an example', async () => {
  expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(await exportedFunctions()));
});

test.each(all)('the example of $name runs, and prints what it says', async ({ name, code }) => {
  const file = join(folder, `${name}.ts`);
  await writeFile(file, code);
  const env = { ...process.env };
  for (const inherited of ['ASSENT_URL', 'ASSENT_DATA']) Reflect.deleteProperty(env, inherited);
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let problems = '';
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (problems += bytes.toString()));
  const [exit] = (await once(child, 'close')) as [number | null];
  expect({ exit, problems }).toEqual({ exit: 0, problems: '' });
  const said = [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map(([, expected]) => expected);
  if (said.length > 0) expect(out.trim().split('\n')).toEqual(said);
});
