import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { blocksOf, filesBelow, pages, readText, ROOT } from './markdown.ts';

const run = promisify(execFile);

test("the README's flow does what the README says, and the ledger says why", async () => {
  const [source = ''] = blocksOf(readText('README.md'), 'ts');
  const folder = mkdtempSync(join(tmpdir(), 'assent-readme-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/assent'));
  symlinkSync(join(ROOT, 'node_modules/zod'), join(folder, 'node_modules/zod'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
  writeFileSync(join(folder, 'order.ts'), source);
  const options = { cwd: folder };

  const { stdout } = await run(process.execPath, ['order.ts'], options);
  const [, promised = ''] = /; \/\/ (.*)$/m.exec(source) ?? [];
  expect(stdout.trim()).toBe(promised);

  const assent = join(ROOT, 'bin/assent.js');
  const list = await run(process.execPath, [assent, 'runs', 'ls'], options);
  const [, id = ''] = /^([a-z0-9]{16}) +order +Completed/m.exec(list.stdout) ?? [];
  const why = await run(process.execPath, [assent, 'why', id], options);
  expect(why.stdout).toContain('Its process reported that it is done.');
  expect(why.stdout).toContain('retry-failed-task made it AwaitingRetry: retry 1 of 3 in 100 ms');
  // The engine that the script has started ends when it has no clients.
  await expect.poll(() => existsSync(join(folder, '.assent/engine.json')), { timeout: 20_000 }).toBe(false);
});

test("the README's policy is one, and does what the README says", async () => {
  const [, source = ''] = blocksOf(readText('README.md'), 'ts');
  const folder = mkdtempSync(join(tmpdir(), 'assent-readme-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/assent'));
  writeFileSync(join(folder, 'policy.ts'), source);
  const { stdout } = await run(process.execPath, [join(ROOT, 'bin/assent.js'), 'policy', 'check', 'policy.ts'], {
    cwd: folder,
  });
  expect(stdout).toMatch(/flow NONE → RUNNING +accepted → rejected NO_TEAM +name-your-team/);
});

test('every command that a page names is one', () => {
  const sources = filesBelow('engine/cli', '.ts').filter((path) => /\/(?:program|[\w-]+-commands?)\.ts$/.test(path));
  const source = sources.map(readText).join('\n');
  const groups = new Map([
    ['this.root', ''],
    ['root', ''],
    ...[
      ...source.matchAll(/const (\w+)(?:: Command)? = (?:(?:this\.)?root\s*\.|)command\(\s*(?:root,\s*)?'(\w+)/g),
    ].map(([, variable = '', name = '']): [string, string] => [variable, `${name} `]),
  ]);
  const commands = [...source.matchAll(/\bcommand\(\s*([\w.]+),\s*'([\w-]+)/g)].map(
    ([, parent = '', name = '']) => `${groups.get(parent) ?? ''}${name}`,
  );
  const named = pages().flatMap((page) =>
    [...readText(page).matchAll(/(?:`|\$ )(?:npx )?assent ([a-z]+)(?: ([a-z-]+))?/g)].map(
      ([, first = '', second = '']) => {
        const isGroup = [...groups.values()].includes(`${first} `);
        // `events RUN` is a command and has commands.
        return isGroup && !commands.includes(first) ? `${first} ${second}` : first;
      },
    ),
  );
  expect(commands).toContain('runs ls');
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((name) => ![...commands, ...groups.values()].includes(name))).toEqual([]);
});
