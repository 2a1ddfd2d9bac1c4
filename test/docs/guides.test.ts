/** The guides about rules: their code runs as it stands, their files are the examples', and what they show is so. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { declaredRules } from '../../engine/declared/declared-rules.ts';
import { businessHours } from '../../examples/policies/business-hours.ts';
import { plainFacts } from '../testing/facts.ts';
import { filesOf, Folder } from './guide-folder.ts';
import { readText } from './markdown.ts';

const passed = (stdout: string): string | undefined => /^(?:#|ℹ) pass (\d+)$/m.exec(stdout)?.[1];

test.each([
  ['write-a-rule', '3'],
  ['business-hours', '4'],
  ['budget-per-tenant', '5'],
  ['dead-mans-switch', '2'],
])('the tests in %s pass', async (guide, count) => {
  const { stdout } = await Folder.of(`docs/guides/${guide}.md`).node('--test');
  expect(passed(stdout)).toBe(count);
  expect(stdout).toMatch(/^(?:#|ℹ) fail 0$/m);
});

test('the policies in the guides are those of the examples', () => {
  for (const guide of ['business-hours', 'budget-per-tenant']) {
    const shown = filesOf(`docs/guides/${guide}.md`).filter(
      ([name]) => name.startsWith(guide) && !name.includes('test'),
    );
    expect(shown.length).toBeGreaterThan(0);
    for (const [name, code] of shown) {
      const example = readText(`examples/policies/${name}`).replace(/^(?:\/\*\*[\s\S]*?\*\/\n|(?:#.*\n)+)/, '');
      expect(code, name).toBe(example);
    }
  }
});

test('business hours in a file are those in TypeScript, the whole year round', () => {
  const read = declaredRules(readText('examples/policies/business-hours.yaml'), 'yaml', 'business-hours.yaml');
  expect(read).toMatchObject({ ok: true });
  const [declared] = read.ok ? read.value.rules : [];
  const transition = { from: { type: 'PENDING', name: 'Pending' }, to: { type: 'RUNNING', name: 'Running' } } as const;
  const whole = { ...transition, kind: 'flow', report: false, claim: true, by: 'sdk' } as const;
  for (let atMs = Date.UTC(2026, 0, 1); atMs < Date.UTC(2027, 0, 1); atMs += 65 * 60_000) {
    const facts = plainFacts({ nowMs: atMs, attempt: 0 });
    expect(declared?.judge(whole, facts), new Date(atMs).toISOString()).toEqual(businessHours.judge(whole, facts));
  }
});

test('write-a-rule names every part of a transition and every fact', () => {
  const guide = readText('docs/guides/write-a-rule.md');
  const named = new Set([...guide.matchAll(/^\| (`.+?) +\|/gm)].flatMap(([, cell = '']) => cell.match(/\w+/g) ?? []));
  const source = readText('rules/rule.ts');
  for (const type of ['Transition', 'Facts']) {
    const [, body = ''] = new RegExp(`^export type ${type} = \\{\\n([\\s\\S]*?)^\\};`, 'm').exec(source) ?? [];
    const fields = [...body.matchAll(/^ {2}readonly (\w+)/gm)].map(([, field = '']) => field);
    expect(fields.length).toBeGreaterThan(8);
    expect(fields.filter((field) => field !== 'nowMs' && !named.has(field))).toEqual([]);
  }
});

test('write-a-rule, with an engine: refused, explained, tried in the shadow, put back; a mistake changes nothing', async () => {
  const folder = Folder.of('docs/guides/write-a-rule.md');
  const [enforced = '', shadowed = ''] = filesOf('docs/guides/write-a-rule.md').flatMap(([name, code]) =>
    name === 'policy.ts' ? [code] : [],
  );
  const inForce = async (): Promise<string> => {
    const [checked] = JSON.parse(await folder.assent('policy', 'check', 'policy.ts', '-o', 'json')) as [
      { policy: string },
    ];
    return `the policy ${checked.policy.slice(0, 16)} judges`;
  };
  const rows = [...readText('docs/guides/write-a-rule.md').matchAll(/^ {4}workspace.*$/gm)].map(([row]) => row);
  const checked = await folder.assent('policy', 'check', 'policy.ts');
  expect(checked.split('\n').filter((row) => row.startsWith('    workspace'))).toEqual(rows);

  const [, rule = ''] = filesOf('docs/guides/write-a-rule.md').find(([name]) => name === 'name-your-team.ts') ?? [];
  folder.write('name-your-team.ts', rule.replace(/return reject\(.*/, "throw new Error('oh no');"));
  const mistaken = await folder
    .assent('policy', 'check', 'policy.ts')
    .catch((error: unknown) => (error as { stdout: string }).stdout);
  expect(readText('docs/guides/write-a-rule.md')).toContain(mistaken);
  folder.write('name-your-team.ts', rule);

  const server = folder.server('--policy', './policy.ts');
  await server.noted(await inForce());
  await server.noted('is ready');
  const { stdout: refused } = await folder.node('report.ts');
  expect(refused).toMatch(
    /^billing: done\nreport: Flow 'report' \(run \w+\) was refused: NO_TEAM, 'report' has no tag team:…\./,
  );
  const [, id = ''] = /run (\w+)\)/.exec(refused) ?? [];
  expect(await folder.assent('why', id)).toContain(
    "It never started. Its process asked for Running; REFUSED by name-your-team (NO_TEAM): 'report' has no tag team:….",
  );

  folder.write('policy.ts', shadowed);
  await server.noted(await inForce());
  expect((await folder.node('report.ts')).stdout).toBe('billing: done\nreport: done\n');
  const shadow = await folder.assent('policy', 'shadow');
  expect(shadow).toMatch(/^name-your-team +2 +1 +– +1 +– +– +1$/m);
  expect(shadow).toContain("name-your-team would have rejected it (NO_TEAM): 'report' has no tag team:…");

  folder.write('policy.ts', enforced);
  folder.write('name-your-team.ts', rule.replace("return reject('NO_TEAM'", 'return reject(String(Math.random())'));
  await server.noted('the policy in force stays, policy.ts is not valid: name-your-team.ts:13:');
  expect((await folder.node('report.ts')).stdout).toBe('billing: done\nreport: done\n');
}, 90_000);

test('business-hours, with an engine: what is urgent is done at night, the rest waits, and why is said', async () => {
  const folder = Folder.of('docs/guides/business-hours.md');
  const hour = Number(new Date().toLocaleString('en-GB', { timeZone: 'Europe/Berlin', hour: '2-digit' }));
  const policy = readText('examples/policies/business-hours.ts');
  // Whatever the time is: the office opens in six hours, and not today at the wrong moment.
  const closed = policy.replace(/return !\['Sat'.*/, `return hour === ${String((hour + 6) % 24)};`);
  expect(closed).not.toBe(policy);
  folder.write('closed.ts', closed);
  await folder.server('--policy', './closed.ts').noted('is ready');

  const worker = folder.start('worker.ts');
  await worker.said('restored');
  const list = JSON.parse(await folder.assent('runs', 'ls', '--name', 'report', '-o', 'json')) as [{ run: string }];
  const why = await folder.assent('why', list[0].run);
  expect(why).toContain('    HELD by business-hours: the office is closed.\n');
  expect(why).toMatch(/^ {4}It is judged again at .*; business-hours lets it pass then, if nothing has changed\.$/m);
}, 60_000);

test('budget-per-tenant, with an engine: each tenant has spent what the guide says', async () => {
  const guide = readText('docs/guides/budget-per-tenant.md');
  const folder = Folder.of('docs/guides/budget-per-tenant.md');
  await folder.server('--policy', './budget-per-tenant.ts').noted('is ready');
  expect(guide).toContain(await folder.assent('limits', 'set', 'model-calls', '3', '--per-second', '0.01667'));
  await folder.node('spend.ts');
  expect(guide).toContain(await folder.assent('limits', 'ls'));
}, 60_000);

test('dead-mans-switch goes off, and is in the list', async () => {
  const folder = Folder.of('docs/guides/dead-mans-switch.md');
  const { stdout } = await folder.node('go-off.ts');
  expect(stdout).toMatch(/^nightly has not run by \S+Z\nnightly has not run\n$/);
  const list = await folder.assent('runs', 'ls', '--state', 'failed', '--name', 'watch');
  expect(list).toMatch(/^\w{16} +watch +Failed +.* +Error: nightly has not run$/m);
  // The engine that the script has started ends when it has no clients.
  await expect.poll(() => existsSync(join(folder.path, '.assent/engine.json')), { timeout: 20_000 }).toBe(false);
}, 60_000);
