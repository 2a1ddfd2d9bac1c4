/** Hooks in processes of their own, with a real engine and a real nats-server. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptFolder } from './script-process.ts';

let scripts: ScriptFolder;

beforeEach(async () => {
  scripts = await ScriptFolder.make();
});

afterEach(async () => {
  await scripts.remove();
});

test('a process ends when its hooks have, though nobody waits for the run', async () => {
  expect((await scripts.run('hooked.ts').ended).code).toBe(0);
  expect((await scripts.effects()).sort()).toEqual(['nightly Failed', 'work Completed']);
});

test('the script that goes on with a run whose process was killed calls onCrashed first', async () => {
  expect((await scripts.run('hooked.ts', { DIES: '1' }).ended).code).toBeNull();
  expect((await scripts.run('hooked.ts').ended).code).toBe(0);
  expect((await scripts.effects())[0]).toBe('nightly Crashed');
  expect((await scripts.effects()).slice(1).sort()).toEqual(['nightly Failed', 'work Completed']);
});
