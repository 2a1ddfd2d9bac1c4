/** Files of declared rules: each form of a rule, in both notations, and where it stands in the policies. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withDeclaredRules } from '../../engine/declared/compile.ts';
import { declaredRules, describeProblem, type Declared } from '../../engine/declared/declared-rules.ts';
import { formatOf, type DeclaredFormat } from '../../engine/declared/source.ts';
import { court, judge } from '../../rules/judge.ts';
import { isOpinion } from '../../rules/opinions.ts';
import { corePolicies } from '../../rules/policy.ts';
import type { Facts, Opinion, Rule, Transition } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, MANY_FACTS, NOW_MS, RUN_KINDS, stateOf, transition } from '../rules/fixtures.ts';

function declared(text: string, format: DeclaredFormat = 'yaml'): Declared {
  const read = declaredRules(text, format, `rules.${format}`);
  if (!read.ok) throw new Error(read.problems.map(describeProblem).join('\n'));
  return read.value;
}

function problems(text: string, format: DeclaredFormat = 'yaml'): string[] {
  const read = declaredRules(text, format, `rules.${format}`);
  return read.ok ? [] : read.problems.map(describeProblem);
}

/** One rule, its fields as lines of YAML. */
function ruleOf(...lines: readonly string[]): Rule {
  const fields = ['summary: Said by the file.', ...lines].map((line) => `    ${line}`);
  const [rule] = declared(['rules:', '  - name: one', ...fields].join('\n')).rules;
  if (rule === undefined) throw new Error('no rule');
  return rule;
}

const SUNDAY = at(Date.parse('2026-11-22T12:00:00Z'));
const MONDAY = Date.parse('2026-11-23T07:00:00Z');
const WEEKEND = `when: now.getDayOfWeek("Europe/Berlin") in [0, 6]`;
const start = transition('PENDING', 'RUNNING', { kind: 'flow' });
const failed = transition('RUNNING', { type: 'FAILED', name: 'Failed', message: 'HTTP 500' }, { report: true });
const tagged = (tags: readonly string[], more: Partial<Facts> = {}): Facts =>
  facts({ run: { name: 'work', tags }, ...more });
const retry = (used: number, retriesMax: number): Partial<Facts> => ({
  retry: { used, retriesMax, delaysMs: [], jitter: 0 },
});
const PASS: Opinion = { type: 'PASS' };
const WHY = 'Said by the file.';

describe('a rule', () => {
  test.each<[string, readonly string[], Transition, Facts, Opinion]>([
    [
      'holds until a time of the week',
      [WEEKEND, `hold: { until: 'Monday 08:00 Europe/Berlin' }`],
      start,
      facts({ nowMs: SUNDAY }),
      { type: 'HOLD', waits: { type: 'TIME', dueAtMs: at(MONDAY) }, why: WHY },
    ],
    [
      'lets be what its condition does not mean',
      [WEEKEND, `hold: { until: 'Monday 08:00 Europe/Berlin' }`],
      start,
      facts({ nowMs: at(MONDAY) }),
      PASS,
    ],
    [
      'holds for a while',
      ['hold: { for: 10m }', 'why: Not yet.'],
      start,
      facts(),
      { type: 'HOLD', waits: { type: 'TIME', dueAtMs: at(NOW_MS + 600_000) }, why: 'Not yet.' },
    ],
    [
      'forbids a tag in production',
      [`when: '"pii" in run.tags && run.deployment.like("prod-*")'`, 'reject: { code: PII_IN_PRODUCTION }'],
      start,
      facts({ run: { name: 'work', tags: ['pii'], deployment: 'prod-eu' } }),
      { type: 'REJECT', code: 'PII_IN_PRODUCTION', why: WHY },
    ],
    [
      'lets the tag be elsewhere',
      [`when: '"pii" in run.tags && run.deployment.like("prod-*")'`, 'reject: {}'],
      start,
      tagged(['pii']),
      PASS,
    ],
    ['has its name as its code', ['reject: {}'], start, facts(), { type: 'REJECT', code: 'ONE', why: WHY }],
    [
      'lets a retry be below the cap',
      [`when: '"flaky" in run.tags'`, 'retries: { max: 2 }'],
      failed,
      tagged(['flaky'], retry(1, 5)),
      PASS,
    ],
    [
      'caps retries by tag',
      [`when: '"flaky" in run.tags'`, 'retries: { max: 2 }'],
      failed,
      tagged(['flaky'], retry(2, 5)),
      { type: 'REWRITE', to: { type: 'FAILED', name: 'Failed', message: 'HTTP 500', retriable: false }, why: WHY },
    ],
    [
      'caps none without the tag',
      [`when: '"flaky" in run.tags'`, 'retries: { max: 2 }'],
      failed,
      tagged([], retry(2, 5)),
      PASS,
    ],
    ['has nothing to cap where no retry is left', ['retries: { max: 0 }'], failed, facts(retry(2, 2)), PASS],
    [
      'has nothing to cap of a final failure',
      ['retries: { max: 0 }'],
      transition('RUNNING', { type: 'FAILED', name: 'Failed', retriable: false }),
      facts(retry(0, 2)),
      PASS,
    ],
    [
      'requires a reason for a cancel',
      ['require: reason'],
      transition('RUNNING', 'CANCELLING', { by: 'ops' }),
      facts(),
      { type: 'REJECT', code: 'REASON_NEEDED', why: WHY },
    ],
    [
      'of spaces is none',
      ['require: reason'],
      transition('RUNNING', 'CANCELLING', { by: 'ops', reason: ' ' }),
      facts(),
      { type: 'REJECT', code: 'REASON_NEEDED', why: WHY },
    ],
    [
      'is content with any',
      ['require: reason'],
      transition('RUNNING', 'CANCELLING', { by: 'ops', reason: 'wrong input' }),
      facts(),
      PASS,
    ],
    [
      'asks the engine for none',
      ['require: reason'],
      transition('CANCELLING', 'CANCELLED', { by: 'engine' }),
      facts(),
      PASS,
    ],
    [
      'nor a process for what has happened',
      ['require: reason'],
      transition('CANCELLING', 'CANCELLED', { report: true }),
      facts(),
      PASS,
    ],
    [
      'nor who asked for something else',
      ['require: reason'],
      transition('CANCELLING', 'CANCELLED', { asked: 'COMPLETED' }),
      facts(),
      PASS,
    ],
    [
      'asks also when a rule made one cancel of another',
      ['require: reason'],
      transition('PENDING', 'CANCELLED', { asked: 'CANCELLING' }),
      facts(),
      { type: 'REJECT', code: 'REASON_NEEDED', why: WHY },
    ],
    [
      'rewrites to a later start',
      ['from: PENDING', 'to: RUNNING', 'rewrite: { to: SCHEDULED, in: 1h }'],
      start,
      facts(),
      {
        type: 'REWRITE',
        to: { type: 'SCHEDULED', name: 'Scheduled', message: WHY, dueAtMs: at(NOW_MS + 3_600_000) },
        why: WHY,
      },
    ],
    [
      'rewrites to a start at a time',
      [
        'from: PENDING',
        'to: RUNNING',
        `rewrite: { to: SCHEDULED, name: Postponed, message: Later., at: 'Mon 08:00 Europe/Berlin' }`,
      ],
      start,
      facts({ nowMs: SUNDAY }),
      {
        type: 'REWRITE',
        to: { type: 'SCHEDULED', name: 'Postponed', message: 'Later.', dueAtMs: at(MONDAY) },
        why: WHY,
      },
    ],
    [
      'rewrites to a cancel',
      ['from: PENDING', 'to: RUNNING', 'rewrite: { to: CANCELLED, name: Skipped }'],
      start,
      facts(),
      { type: 'REWRITE', to: { type: 'CANCELLED', name: 'Skipped', message: WHY }, why: WHY },
    ],
  ])('%s', (_, lines, asked, known, opinion) => {
    const rule = ruleOf(...lines);
    expect(rule.from).toContain(asked.from?.type ?? 'NONE');
    expect(rule.to).toContain(asked.to.type);
    expect(rule.judge(asked, known)).toEqual(opinion);
    if (opinion.type !== 'PASS') expect(rule.may).toEqual([opinion.type.toLowerCase()]);
  });

  test('keeps what was reported where the other state has a place for it', () => {
    const error = { digest: 'e'.repeat(64), size: 2 } as never;
    const rewrite = (to: string): Rule => ruleOf('from: RUNNING', 'to: [FAILED, COMPLETED]', `rewrite: { to: ${to} }`);
    const asFailed = transition('RUNNING', { type: 'FAILED', name: 'Failed', error });
    const asCompleted = transition('RUNNING', { type: 'COMPLETED', name: 'Completed', result: error });
    expect(rewrite('CANCELLED').judge(asFailed, facts())).toMatchObject({ to: { type: 'CANCELLED', error } });
    expect(rewrite('CANCELLED').judge(asCompleted, facts())).toMatchObject({
      to: { type: 'CANCELLED', result: error },
    });
    expect(rewrite('COMPLETED').judge(asCompleted, facts())).toMatchObject({
      to: { type: 'COMPLETED', result: error },
    });
    expect(rewrite('FAILED').judge(asFailed, facts())).toMatchObject({ to: { type: 'FAILED', error } });
    expect(rewrite('CANCELLING').judge(asFailed, facts())).toMatchObject({ to: { type: 'CANCELLING' } });
  });

  test('governs a run’s beginning, all kinds, unless it says more', () => {
    const { on, from, to, needs } = ruleOf('reject: {}');
    expect([on, from, to, needs]).toEqual([
      RUN_KINDS,
      ['NONE', 'SCHEDULED', 'PENDING'],
      ['SCHEDULED', 'PENDING', 'RUNNING'],
      [],
    ]);
    expect(ruleOf('hold: { for: 1s }').to).toEqual(['RUNNING']);
    expect(ruleOf('retries: { max: 1 }')).toMatchObject({ from: ['RUNNING'], to: ['FAILED'], needs: ['retry'] });
    expect(ruleOf('require: reason')).toMatchObject({ from: FROM_TYPES, to: ['CANCELLING', 'CANCELLED'] });
    expect(ruleOf('on: task', 'from: [RUNNING]', 'to: PAUSED', 'reject: {}')).toMatchObject({
      on: ['task'],
      from: ['RUNNING'],
      to: ['PAUSED'],
    });
  });
});

const TWO = `
rules:
  - name: first
    summary: The first.
    on: [flow]
    reject: {}
  - name: second
    summary: The second.
    on: flow
    before: take-slots
    reject: {}
  - name: third
    summary: The third.
    on: [flow, task]
    reject: {}
  - name: fourth
    summary: The fourth.
    shadow: true
    reject: {}
`;

describe('in the policies', () => {
  test('rules stand where the file says, those in the shadow beside, and an override is not governed', () => {
    const policies = withDeclaredRules(corePolicies, declared(TWO).specs);
    const names = (kind: keyof typeof policies): string[] => policies[kind].rules.map(({ name }) => name);
    const flow = names('flow');
    expect(flow.slice(flow.indexOf('follow-lifecycle')).slice(0, 3)).toEqual(['follow-lifecycle', 'first', 'third']);
    expect(flow[flow.indexOf('take-slots') - 1]).toBe('second');
    expect(flow).toHaveLength(corePolicies.flow.rules.length + 3);
    expect(names('task')).toHaveLength(corePolicies.task.rules.length + 1);
    expect(policies.subflow.shadow?.map(({ name }) => name)).toEqual(['fourth']);
    expect(policies.forced).toBe(corePolicies.forced);
  });

  test('a policy without the place has them at its end', () => {
    const bare = { ...corePolicies, flow: { name: 'flow', rules: [] } };
    expect(withDeclaredRules(bare, declared(TWO).specs).flow.rules.map(({ name }) => name)).toEqual([
      'first',
      'second',
      'third',
    ]);
  });
});

describe('in a hearing of the core policies', () => {
  const text = `
rules:
  - name: cap
    summary: Flaky ones are retried once.
    when: '"flaky" in run.tags'
    retries: { max: 1 }
  - name: no-pii
    summary: None of that.
    when: '"pii" in run.tags'
    reject: {}
`;
  const theCourt = court(withDeclaredRules(corePolicies, declared(text).specs));
  const budget = (used: number): Partial<Facts> => ({ retry: { used, retriesMax: 5, delaysMs: [], jitter: 0 } });
  const hear = (asked: Transition, known: Facts): ReturnType<typeof judge> => judge(theCourt, asked, () => known);
  const failure = transition('RUNNING', 'FAILED', { kind: 'task', report: true });

  test.each<[string, Facts, object]>([
    ['a capped failure stands', tagged(['flaky'], budget(1)), { type: 'FAILED', retriable: false }],
    ['one below the cap is retried', tagged(['flaky'], budget(0)), { type: 'SCHEDULED', name: 'AwaitingRetry' }],
    ['one without the tag is retried', tagged([], budget(1)), { type: 'SCHEDULED', name: 'AwaitingRetry' }],
  ])('%s', (_, known, to) => {
    expect(hear(failure, known)).toMatchObject({ outcome: 'rewritten', to });
  });

  test('what a run may not begin, it may still end', () => {
    expect(hear(transition('NONE', 'RUNNING', { kind: 'task' }), tagged(['pii']))).toMatchObject({ code: 'NO_PII' });
    expect(hear(failure, tagged(['pii']))).toMatchObject({ outcome: 'accepted' });
    expect(hear(transition('RUNNING', 'COMPLETED', { report: true }), tagged(['pii']))).toMatchObject({
      outcome: 'accepted',
    });
  });
});

test('TOML says the same as YAML', () => {
  const toml = `
[[rules]]
name = "first"
summary = "The first."
on = ["flow"]
reject = {}

[[rules]]
name = "second"
summary = "The second."
on = "flow"
before = "take-slots"
[rules.reject]

[[rules]]
name = "third"
summary = "The third."
on = ["flow", "task"]
reject = {}

[[rules]]
name = "fourth"
summary = "The fourth."
shadow = true
reject = {}
`;
  expect(declared(toml, 'toml').specs).toEqual(declared(TWO).specs);
});

test('no text makes it throw, and what it takes can be judged on anything, twice the same', () => {
  const actions = fc.constantFrom(
    'reject: {}',
    'hold: { for: 1s }',
    `hold: { until: 'Mon-Fri 08:00 Europe/Berlin' }`,
    'retries: { max: 1 }',
    'require: reason',
    'hold: {}',
    'nothing',
  );
  const conditions = fc.constantFrom(
    'true',
    'run.attempt > 0',
    '"a" in run.tags',
    'now.getHours("Asia/Tokyo") < 8',
    'reason == ""',
    'oh no',
    '1 / run.attempt == 1',
  );
  const rules = fc
    .tuple(actions, conditions)
    .map(([action, when]) => `rules:\n  - name: one\n    summary: s\n    when: '${when}'\n    ${action}`);
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), rules),
      fc.constantFrom('yaml', 'toml'),
      fc.constantFrom(...FROM_TYPES),
      fc.constantFrom(...MANY_FACTS),
      (text, format, from, known) => {
        const read = declaredRules(text, format, 'any');
        if (!read.ok) return;
        const theCourt = court(withDeclaredRules(corePolicies, read.value.specs));
        for (const to of ['RUNNING', 'FAILED', 'CANCELLING', 'SCHEDULED'] as const) {
          const hear = (): unknown => judge(theCourt, transition(from, stateOf(to), { kind: 'flow' }), () => known);
          expect(hear()).toEqual(hear());
        }
        for (const rule of read.value.rules) {
          const say = (): unknown => rule.judge(transition(from, 'FAILED'), known);
          if (known.attempt > 0) expect(isOpinion(say(), known.nowMs)).toBe(true);
        }
      },
    ),
  );
});

test('the examples are sound', () => {
  const folder = join(import.meta.dirname, '../../examples/policies');
  const files = readdirSync(folder).filter((file) => formatOf(file) !== undefined);
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) expect(problems(readFileSync(join(folder, file), 'utf8'), formatOf(file))).toEqual([]);
});
