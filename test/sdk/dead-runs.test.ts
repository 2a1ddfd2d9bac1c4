/** A process that executes several flow runs is killed: all of them are dead, whichever of them somebody goes on with. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunRow } from '../../protocol/query.ts';
import { assentOn, type Assent } from '../cli/assent.ts';
import { ScriptFolder } from './script-process.ts';

let scripts: ScriptFolder;
let assent: Assent;

beforeEach(async () => {
  scripts = await ScriptFolder.make();
  assent = assentOn(join(scripts.folder, 'data'));
});

afterEach(() => scripts.remove());

const states = async (): Promise<string[]> =>
  (await assent.json<RunRow[]>('runs', 'ls')).map(({ state }) => state?.name ?? '').sort();

test('both calls with the same parameters go on, and what they completed does not run again', async () => {
  await scripts.run('pairs.ts', { NUMBERS: '2 2', DIE: '1' }).ended;
  expect(await scripts.effects()).toEqual(['first 2', 'first 2']);
  const { out } = await scripts.run('pairs.ts', { NUMBERS: '2 2' }).ended;
  expect(JSON.parse(out)).toEqual([2, 2]);
  expect(await scripts.effects()).toEqual(['first 2', 'first 2', 'second 2', 'second 2']);
  expect(await states()).toEqual(['Completed', 'Completed']);
});

test('the one that nobody goes on with is ruled crashed in the moment in which the other is', async () => {
  const keeper = scripts.run('slow.ts');
  await keeper.line('MIDDLE');
  await scripts.run('pairs.ts', { NUMBERS: '11 15', DIE: '1' }).ended;
  const { out } = await scripts.run('pairs.ts', { NUMBERS: '11' }).ended;
  expect(JSON.parse(out)).toEqual([2]);
  expect(await states()).toEqual(['Completed', 'Crashed', 'Running']);
});

test('an engine that begins after it rules at once that all are dead', async () => {
  await scripts.run('pairs.ts', { NUMBERS: '11 15', DIE: '1' }).ended;
  await scripts.engineGone();
  expect(await states()).toEqual(['Crashed', 'Crashed']);
});
