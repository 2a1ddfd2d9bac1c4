import { expect, onTestFinished, test } from 'vitest';
import type { PolicyView } from '../../protocol/messages.ts';
import { assentOn } from '../cli/assent.ts';
import { folder, moduleWith, writeModule } from './policy-files.ts';

test('a server with a policy shows its rules in order, since when and by whom, and lists what was in force', async () => {
  const assent = assentOn(folder());
  const file = writeModule(moduleWith("return run.name === 'bad' ? reject('HOUSE', 'not here') : pass();"));
  const server = assent.start(['server', '--durability', 'process', '--policy', file]);
  onTestFinished(async () => {
    server.child.kill('SIGTERM');
    await server.ended;
  });
  await server.noted('is ready');

  const text = (await assent('policy', 'show', '--flow', 'any')).stdout;
  expect(text).toMatch(/policy [0-9a-f]{16}, made of policy\.ts; in force since sequence \d+ \(.*\), by .+@/);
  expect(text).toMatch(/house-rule +reject, hold +What this house wants\.\n +\d+ +follow-lifecycle/);
  type Shown = { policy: string; since: PolicyView; policies: { policy: string; rules: { name: string }[] }[] };
  const shown = await assent.json<Shown>('policy', 'show');
  expect(shown.since).toMatchObject({ policy: shown.policy, from: 'policy.ts', core: false });
  const [flow] = shown.policies;
  expect(flow?.rules.map(({ name }) => name)).toContain('house-rule');

  const listed = await assent.json<(PolicyView & { inForce: boolean })[]>('policy', 'ls');
  expect(listed.map(({ core, inForce }) => [core, inForce])).toEqual([
    [false, true],
    [true, false],
  ]);
  expect((await assent('policy', 'ls')).stdout).toContain('in force');
});

test('files are checked without an engine; one that is not valid is named, and the answer is 1', async () => {
  const assent = assentOn(folder());
  const good = writeModule(moduleWith("return run.name === 'work' ? reject('HOUSE', 'no') : pass();"));
  const bad = writeModule(moduleWith('return Date.now() > 0 ? pass() : pass();'));
  const both = await assent('policy', 'check', good, bad);
  expect(both.code).toBe(1);
  expect(both.stdout).toMatch(/✓ .*policy\.ts: policy [0-9a-f]{16}/);
  expect(both.stdout).toContain('workspace, flow: + house-rule');
  expect(both.stdout).toMatch(/policy\.ts:8:\d+: a rule may not use Date\.now/);
  expect((await assent('policy', 'check', good)).code).toBe(0);
});

test('the policies among the examples are valid', async () => {
  const assent = assentOn(folder());
  const { stdout, code } = await assent('policy', 'check', 'examples/policies/house-rules.ts');
  expect({ stdout, code }).toMatchObject({ code: 0 });
});
