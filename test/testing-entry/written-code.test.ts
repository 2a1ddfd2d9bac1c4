/** The examples in the doc comments of `assent/testing`, and the code of its guide, run as they stand. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as entry from '../testing/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const GUIDE = join(ROOT, 'docs', 'guides', 'testing-rules.md');
const run = promisify(execFile);
let folder: string;

/** Every `@example`, by the name of the symbol whose doc comment it ends. */
async function examples(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const file of await readdir(join(ROOT, 'test', 'testing'))) {
    const source = await readFile(join(ROOT, 'test', 'testing', file), 'utf8');
    const written = / \* @example\n(?<code>(?: \*.*\n)+?) \*\/\nexport (?:async )?(?:function|const) (?<name>\w+)/g;
    for (const { groups } of source.matchAll(written)) {
      found.set(groups?.['name'] ?? '', (groups?.['code'] ?? '').replace(/^ \* ?/gm, ''));
    }
  }
  return found;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-testing-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules', 'assent'));
  await symlink(join(ROOT, 'node_modules', 'fast-check'), join(folder, 'node_modules', 'fast-check'));
  await writeFile(join(folder, 'package.json'), '{ "name": "examples", "type": "module" }');
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('every exported function has an example', async () => {
  expect([...(await examples()).keys()].sort()).toEqual(Object.keys(entry).sort());
});

test('the examples run, and print what they say', async () => {
  const all = await examples();
  for (const [name, code] of all) await writeFile(join(folder, `${name}.ts`), code);
  const main = [...all.keys()].map((name) => `console.log('> ${name}');\nawait import('./${name}.ts');\n`).join('');
  await writeFile(join(folder, 'all.ts'), main);
  const { stdout } = await run(process.execPath, ['all.ts'], { cwd: folder });
  const said = [...all].flatMap(([name, code]) => {
    return [`> ${name}`, ...[...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map(([, expected]) => expected)];
  });
  expect(stdout.trim().split('\n')).toEqual(said);
});

test('the guide’s code runs under node:test', async () => {
  const guide = await readFile(GUIDE, 'utf8');
  const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
  // One file, as a reader puts it together: the imports of a later block add to those of an earlier one.
  await writeFile(join(folder, 'guide.test.ts'), blocks.join('\n'));
  const { stdout } = await run(process.execPath, ['guide.test.ts'], { cwd: folder });
  expect(stdout).toMatch(/^(# |ℹ )pass 6$/m);
  expect(stdout).toMatch(/^(# |ℹ )fail 0$/m);
});

test('what the guide shows of a failure is what is said', async () => {
  const [, shown = ''] = /```text\n([\s\S]*?)```/.exec(await readFile(GUIDE, 'utf8')) ?? [];
  const question = entry
    .given(entry.running())
    .propose(entry.failed('boom'))
    .with({ execution: { current: 2 } });
  expect(() => question.expectRewritten({ name: 'AwaitingRetry' })).toThrow(shown.trim());
});
