/** A worker's process outlives what nobody awaits in one of its runs. */
import { expect, test } from 'vitest';
import { ScriptFolder } from './script-process.ts';

test('a rejection that nobody handles is the failure of its run, and all others go on', async () => {
  const scripts = await ScriptFolder.make();
  const { out, code } = await scripts.run('stray.ts').ended;
  await scripts.remove();
  expect(JSON.parse(out)).toEqual([
    'ended',
    ['UNAWAITED_FAILURE', 'broken'],
    ['UNAWAITED_FAILURE', 'lost in a task'],
    'well',
  ]);
  expect(code).toBe(0);
});
