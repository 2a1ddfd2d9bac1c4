import { beforeAll, describe, expect, test } from 'vitest';
import { loadBundle } from '../../engine/policy/load-bundle.ts';
import { importIn } from '../../engine/policy/imports.ts';
import { bundleCore, bundlePolicy } from '../../engine/policy/bundle.ts';
import { corePolicy, policiesOf } from '../../engine/policy/loaded-policy.ts';
import { judge, type Verdict } from '../../rules/judge.ts';
import { RUN_KINDS } from '../../rules/rule.ts';
import { SAMPLE_FACTS, sampleTransitions } from '../../engine/policy/samples.ts';
import { facts, transition } from '../rules/fixtures.ts';
import { folder, moduleWith, writeModule } from './policy-files.ts';

const load = async (body: string, asking?: (rule: number) => void) => {
  const { source } = await bundlePolicy(writeModule(moduleWith(body)));
  return loadBundle(source, { trusted: true, ...(asking === undefined ? {} : { asking }) });
};

async function verdict(body: string, times = 1): Promise<Verdict> {
  const court = (await load(body)).courtOf()!;
  const hear = () => judge(court, transition('NONE', 'RUNNING', { kind: 'flow' }), () => facts());
  for (let i = 1; i < times; i += 1) hear();
  return hear();
}

describe('a rule of a bundle', () => {
  test.each([
    ["throw new Error('oh no')", 'Error: oh no'],
    ['throw { toString() { throw 1; } }', 'cannot be shown'],
    ["transition.by = 'me'; return pass();", 'Cannot assign to read only property'],
    ["run.tags.push('mine'); return pass();", 'object is not extensible'],
    ['return 7;', 'no opinion'],
    ["return { type: 'PERHAPS' };", 'no opinion'],
    ['return undefined;', 'no opinion'],
    ['return Promise.resolve(pass());', 'a rule answers at once'],
    ['return new Date() > 1 ? pass() : pass();', 'nowMs'],
    ["return rewrite({ type: 'FAILED', name: 'Failed' }, 'because');", "may not rewrite: its 'may' does not say so"],
    ["return { type: 'REJECT', code: 'X', why: 'x', extra: 'y'.repeat(200_000) };", 'too large'],
    ['return facts.slots.length > 0 ? pass() : pass();', 'undefined'],
  ])('that says %s is an error in the trail, and the proposal is rejected', async (body, why) => {
    const { outcome, code, trail } = await verdict(body);
    expect({ outcome, code }).toEqual({ outcome: 'rejected', code: 'RULE_ERROR' });
    const said = { rule: 'house-rule', opinion: 'error', code: 'RULE_ERROR' };
    expect(trail.at(-1)).toMatchObject({ ...said, why: expect.stringContaining(why) as string });
  });

  test('that says two things about the same is impure', async () => {
    const body = "globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n % 2 ? pass() : reject('ODD', 'odd');";
    expect(await verdict(body)).toMatchObject({
      outcome: 'rejected',
      code: 'RULE_IMPURE',
      trail: expect.arrayContaining([
        expect.objectContaining({ rule: 'house-rule', code: 'RULE_IMPURE' }),
      ]) as unknown[],
    });
  });

  test('that becomes impure later is found out within sixteen times', async () => {
    const body =
      "globalThis.n = (globalThis.n ?? 0) + 1; return reject('N', globalThis.n < 50 ? 'n' : String(globalThis.n));";
    const codes = new Set<string>();
    const court = (await load(body)).courtOf()!;
    for (let i = 0; i < 70; i += 1) {
      codes.add(judge(court, transition('NONE', 'RUNNING', { kind: 'flow' }), () => facts()).code ?? '');
    }
    expect(codes).toEqual(new Set(['N', 'RULE_IMPURE']));
  });

  test('has its number noted while it is asked, and not after', async () => {
    const noted: number[] = [];
    const policy = await load('return pass();', (rule) => noted.push(rule));
    judge(policy.courtOf()!, transition('NONE', 'RUNNING', { kind: 'flow' }), () => facts());
    expect(noted).toContain(policy.rules!.indexOf('house-rule'));
    expect(noted.at(-1)).toBe(-1);
  });

  test('is not asked while it is muted, and what it governs is rejected', async () => {
    const { source } = await bundlePolicy(writeModule(moduleWith('return pass();')));
    const muted = (rule: string) => (rule === 'house-rule' ? 'it is not asked' : undefined);
    const policy = loadBundle(source, { trusted: true, muted });
    expect(judge(policy.courtOf()!, transition('NONE', 'RUNNING', { kind: 'flow' }), () => facts())).toMatchObject({
      code: 'RULE_ERROR',
      outcome: 'rejected',
    });
  });
});

describe('the core rules', () => {
  let source: string;
  beforeAll(async () => {
    ({ source } = await bundleCore());
  });

  test('come out of their bundle as they went in, and judge the same about everything', () => {
    const core = corePolicy('' as never);
    const loaded = loadBundle(source, { trusted: true });
    const listed = (sets: typeof core.sets) =>
      [...policiesOf(sets)].map(({ name, policy }) => [name, policy.rules.map((rule) => ({ ...rule, judge: 0 }))]);
    expect(listed(loaded.sets)).toEqual(listed(core.sets));
    for (const kind of RUN_KINDS) {
      for (const asked of sampleTransitions(kind)) {
        for (const known of SAMPLE_FACTS) {
          const [own, theirs] = [core, loaded].map((policy) => judge(policy.courtOf()!, asked, () => known));
          expect(theirs).toEqual(own);
        }
      }
    }
  });

  test('are not run from a source that is not trusted', () => {
    expect(() => loadBundle(source, { trusted: false })).toThrow('POLICY_UNTRUSTED');
  });

  test('make the same bytes wherever a module that uses them lies', async () => {
    const text = moduleWith("return run.name === 'x' ? reject('X', 'x') : pass();");
    const [one, other] = await Promise.all([
      bundlePolicy(writeModule(text)),
      bundlePolicy(writeModule(text, folder())),
    ]);
    expect(one.digest).toBe(other.digest);
    expect(one.files).not.toEqual(other.files);
  });
});

describe('which part judges', () => {
  const parts = `
import { definePolicies } from 'assent/rules';
export default definePolicies({
  flows: { nightly: {}, report: {} },
  tags: { paid: {}, audited: {} },
});`;
  const run = (name: string, tags: readonly string[] = [], isFlow = true) => ({ isFlow, name, tags });

  test.each([
    [[run('nightly', ['paid'])], { flow: 'nightly' }],
    [[run('other', ['paid', 'audited'])], { tag: 'audited' }],
    [[run('other', ['unknown'])], undefined],
    // A task is judged by the part of its flow; one that has a flow's name is no flow.
    [[run('nightly', [], false), run('report')], { flow: 'report' }],
    [[run('step', ['paid'], false), run('sub'), run('nightly')], { flow: 'nightly' }],
    [[run('step', [], false), run('sub', ['paid']), run('top', ['audited'])], { tag: 'paid' }],
  ])('%j: %j', async (runs, selection) => {
    const { source } = await bundlePolicy(writeModule(parts));
    const policy = loadBundle(source, { trusted: true });
    expect(policy.select?.(runs)).toEqual(selection);
    expect(policy.courtOf(selection)).toBeDefined();
  });

  test('nobody is asked where there is but one', async () => {
    expect((await load('return pass();')).select).toBeUndefined();
  });
});

describe('a source that imports', () => {
  test.each([
    "import('x')",
    "import ('x')",
    "import\n('x')",
    "import\ufeff\u2028('x')",
    "import/**/('x')",
    "import /* ** / */ // y (\n ('x')",
    "import <!-- y\n('x')",
    "import\n--> y\r('x')",
    "import.source('x')",
    "import . defer /**/ ('x')",
    "`${import('x')}`",
    "[...import('x')]",
  ])('%j is found', (text) => {
    expect(importIn(`let a = 1;\n${text}`)).toBe(2);
  });

  test.each([
    'important(1)',
    "const flow = 'import.daily'",
    'reimport(1)',
    '$import(1)',
    "import 'x'",
    '// imports (all)',
    `import ${'/**/'.repeat(50_000)} x`,
    `import ${'// y '.repeat(50_000)} x`,
  ])('%j has none', (text) => {
    expect(importIn(text)).toBeUndefined();
  });

  test('is not run', () => {
    const source = "import('x').catch((error) => error.constructor.constructor('return process')()); ({ format: 1 })";
    expect(() => loadBundle(source, { trusted: true })).toThrow('line 1 imports');
  });
});

describe('what a rule may hold', () => {
  test.each(['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLING', 'CANCELLED'])('is not that a run is %s', async (to) => {
    const { source } = await bundlePolicy(
      writeModule(moduleWith('return pass();').replace("to: ['RUNNING']", `to: ['RUNNING', '${to}']`)),
    );
    expect(() => loadBundle(source, { trusted: true })).toThrow(
      `the rule 'house-rule' may hold, so it cannot govern what goes to ${to}`,
    );
  });
});
