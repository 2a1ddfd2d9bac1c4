/** How the command line helps: versions, help, wrong usage, an engine's start and end. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VERSION } from '../../engine/version.ts';
import { assentOn, type Assent } from './assent.ts';

let folder: string;
let assent: Assent;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-usage-'));
  assent = assentOn(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COMMANDS = [
  ['server'],
  ['run'],
  ['runs', 'ls'],
  ['runs', 'inspect'],
  ['runs', 'cancel'],
  ['runs', 'watch'],
  ['runs', 'logs'],
  ['events'],
  ['why'],
  ['limits', 'ls'],
  ['limits', 'set'],
  ['limits', 'rm'],
  ['artifacts', 'ls'],
  ['artifacts', 'show'],
  ['variables', 'ls'],
  ['variables', 'get'],
  ['variables', 'set'],
  ['variables', 'unset'],
  ['doctor'],
  ['audit', 'verify'],
  ['export'],
  ['replay'],
];

describe('help', () => {
  test('of every command has an example, and goes to standard output', async () => {
    const helps = await Promise.all(COMMANDS.map((command) => assent(...command, '--help')));
    helps.forEach(({ code, stdout, stderr }, index) => {
      expect([COMMANDS[index], code, stderr]).toEqual([COMMANDS[index], 0, '']);
      expect(stdout).toContain(`Example:\n  $ assent ${COMMANDS[index]!.join(' ')}`);
    });
  });

  test('of assent itself documents the exit codes', async () => {
    const { stdout, code } = await assent('--help');
    expect(code).toBe(0);
    for (const words of ['2    wrong usage', '4    rejected by a rule', '130  interrupted', 'NO_COLOR']) {
      expect(stdout).toContain(words);
    }
  });

  test('is short for the version', async () => {
    expect(await assent('--version')).toMatchObject({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });
});

describe('wrong usage', () => {
  test.each([
    [['rnus', 'ls'], 'Did you mean runs?'],
    [['runs', 'lss'], 'Did you mean ls?'],
    [['runs', 'ls', '--limt', '3'], 'Did you mean --limit?'],
    [['runs', 'ls', '--limit', 'many'], 'It is a whole number'],
    [['runs', 'cancel', 'abc'], "required option '--reason <text>'"],
    [['runs', 'ls', '-o', 'xml'], 'Allowed choices are text, json'],
    [['export', 'abc'], 'RUN FILE, or --all FILE'],
    [['server', '--durability', 'maybe'], "--durability is 'power' or 'process'"],
    [['server', '--grace', 'soon'], "--grace is a time like '10s'"],
    [['server', '--port', '99999'], '--port is a number'],
    [['limits'], 'Usage: assent limits'],
  ])('%j ends with 2 and says how it is meant', async (args, words) => {
    const { code, stdout, stderr } = await assent(...args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
  });

  test('shows a stack only when ASSENT_DEBUG asks for it', async () => {
    const args = ['audit', 'verify', join(folder, 'missing')];
    expect((await assent(...args)).stderr).not.toMatch(/^ {4}at /m);
    expect((await assentOn(folder, { ASSENT_DEBUG: '1' })(...args)).stderr).toMatch(/^ {4}at /m);
    const json = await assent.json<{ error: { kind: string } }>(...args);
    expect(json.error).toMatchObject({ kind: 'USAGE', code: 2008 });
  });

  test('of a data folder that is a file is an error with a remedy', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const { code, stderr } = await assentOn(file)('runs', 'ls');
    expect(code).toBe(1);
    expect(stderr).toMatch(/1006 FOLDER_READ_ONLY/);
  });

  test('of an address where nobody is says so', async () => {
    const { code, stderr } = await assentOn(folder, { ASSENT_URL: 'nats://127.0.0.1:1' })('runs', 'ls');
    expect(code).toBe(1);
    expect(stderr).toMatch(/1004 NATS_UNREACHABLE/);
  });
});

describe('assent server', () => {
  test('greets, keeps others out of its folder, and stops without a word lost', async () => {
    const first = assent.start(['server', '--durability', 'process', '--workspace', 'mine']);
    await first.noted('Ctrl-C stops it');
    const second = await assent('server', '--durability', 'process');
    expect(second.code).toBe(75);
    expect(second.stderr).toContain('1005 FOLDER_LOCKED');
    expect((await assent('limits', 'set', 'api', '1')).code).toBe(0);
    first.child.kill('SIGINT');
    const { code, stdout, stderr } = await first.ended;
    expect(code).toBe(0);
    expect(stdout).toBe('');
    for (const words of ['address     nats://127.0.0.1:', 'workspace   mine, durability process', 'assent runs ls']) {
      expect(stderr).toContain(words);
    }
  });
});
