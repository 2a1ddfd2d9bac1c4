/** Conditions in CEL: what they may say, what they mean, and that they end. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileCondition, isLike, type Condition } from '../../engine/declared/conditions.ts';
import { WORDS } from '../../engine/declared/words.ts';
import type { Facts, Transition } from '../../rules/rule.ts';
import { at, facts, FROM_TYPES, MANY_FACTS, RUN_KINDS, stateOf, transition } from '../rules/fixtures.ts';

function compiled(text: string): Condition {
  const condition = compileCondition(text);
  if (!condition.ok) throw new Error(condition.problem);
  return condition.condition;
}

const SUNDAY_NOON = at(Date.parse('2026-11-22T12:00:00Z'));
const asked: Transition = transition('PENDING', 'RUNNING', {
  kind: 'flow',
  by: 'ops',
  onBehalfOf: 'ada',
  reason: 'release 4.2',
});
const known: Facts = facts({
  nowMs: SUNDAY_NOON,
  run: { name: 'nightly-import', tags: ['pii', 'team:data'], deployment: 'prod-eu' },
  attempt: 2,
  retry: { used: 1, retriesMax: 3, delaysMs: [], jitter: 0 },
  resume: { byWorker: true, used: 4 },
  chance: 0.25,
});

describe('a condition', () => {
  test.each<[string, Condition['needs'], boolean]>([
    ['true', [], true],
    ['now.getDayOfWeek("Europe/Berlin") in [0, 6]', [], true],
    ['now.getDayOfWeek() == 0 && now.getHours() == 12 && now.getMinutes() == 0', [], true],
    [
      'now.getHours("Asia/Tokyo") == 21 && now.getHours("Asia/Kathmandu") * 60 + now.getMinutes("Asia/Kathmandu") == 1065',
      [],
      true,
    ],
    ['now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 22 && now.getDayOfMonth() == 21', [], true],
    ['now.getDate("Pacific/Auckland") == 23', [], true],
    ['now >= timestamp("2026-11-22T12:00:00Z") && now < timestamp("2026-11-22T12:00:00.001Z")', [], true],
    ['now > timestamp("2026-11-22T12:00:00Z") || now <= timestamp("2026-11-22T11:59:59Z")', [], false],
    ['"pii" in run.tags', ['run'], true],
    ['run.tags.exists(tag, tag.startsWith("team:"))', ['run'], true],
    ['run.tags.filter(t, t.contains("i")).size() == 1 && run.tags.all(t, size(t) > 2)', ['run'], true],
    ['run.tags.exists_one(t, ["pii", "phi"].exists(p, p == t))', ['run'], true],
    ['run.name.like("nightly-*") && run.deployment.like("*-eu") && !run.name.like("nightly")', ['run'], true],
    ['run.deployment == ""', ['run'], false],
    [
      'run.name.upperAscii().endsWith("IMPORT") && " a ".trim() == "a" && run.name.lowerAscii() == run.name',
      ['run'],
      true,
    ],
    ['run.attempt > 1 && run.retriesUsed < run.retriesMax', ['attempt', 'retry'], true],
    ['run.resumes >= 4', ['resume'], true],
    ['kind == "flow" && from.type == "PENDING" && from.name == "Pending" && to.type == "RUNNING"', [], true],
    ['to.name == "Running" && to.message == ""', [], true],
    ['by == "ops" && onBehalfOf == "ada" && reason.contains("release") && !report', [], true],
    ['flow.type == "RUNNING"', ['flow'], true],
    ['chance < 0.3', ['chance'], true],
    ['(kind == "task" ? run.attempt : run.resumes) == 4', ['attempt', 'resume'], true],
    [
      'double(run.attempt) / 4.0 == 0.5 && string(run.attempt) == "2" && int("3") - 1 == run.attempt',
      ['attempt'],
      true,
    ],
  ])('%s needs %j and is %s', (text, needs, holds) => {
    const condition = compiled(text);
    expect(condition.needs).toEqual(needs);
    expect(condition.holds(asked, known)).toBe(holds);
  });

  test('reads what is not there as nothing', () => {
    const { flow: _, ...noFlow } = facts();
    const none = transition('NONE', 'RUNNING');
    const text = 'from.type == "NONE" && from.name == "" && reason == "" && onBehalfOf == "" && flow.type == "NONE"';
    expect(compiled(text).holds(none, noFlow)).toBe(true);
    expect(compiled('run.deployment == "" && run.tags.size() == 0').holds(none, noFlow)).toBe(true);
  });

  test.each([
    ['run.nam == "x"', 'run.nam', 'no such word; there are: now, kind, run.name'],
    ['run', undefined, 'no such word'],
    ['nwo.getHours() > 3', 'nwo', 'no such word'],
    ['constructor.name == "x"', 'constructor.name', 'no such word'],
    ['run.attempt', undefined, 'it is of type int'],
    ['reason == 3', undefined, 'string == int'],
    ['to.type == "RUNING"', '"RUNING"', 'it can only be SCHEDULED, PENDING, RUNNING'],
    ['"flows" != kind', '"flows"', 'it can only be flow, subflow, task, background'],
    ['from.type in ["PENDING", "Running"]', '"Running"', 'it can only be NONE, SCHEDULED'],
    ['1 +', undefined, 'Unexpected token'],
    ['run.name.matches("(a+)+$")', undefined, `instead of 'matches': like`],
    ['has(run.name)', undefined, `no function 'has'`],
    ['run.tags[0] == "x"', 'run.tags[0]', 'not possible here'],
    ['{"a": 1}.size() > 0', '{"a": 1}', 'not possible here'],
    ['b"x" == b"x"', 'b"x"', 'not possible here'],
    ['now.getHours("Europe/Berln") < 3', '"Europe/Berln"', 'no time zone'],
    ['now.getHours(run.name) < 3', 'run.name', 'a time zone is written as a text'],
    [
      'timestamp("2026-01-01T00:00:00Z").getHours("UTC") == 0',
      'timestamp("2026-01-01T00:00:00Z").getHours("UTC")',
      `only 'now' has a calendar`,
    ],
    ['now > timestamp("2026-01-01")', 'timestamp("2026-01-01")', 'no time'],
    ['now > timestamp("2026-13-01T00:00:00Z")', 'timestamp("2026-13-01T00:00:00Z")', 'no time'],
    ['now > timestamp("2026-01-01T00:00:00")', 'timestamp("2026-01-01T00:00:00")', 'no time'],
    [
      'run.tags.exists(a, run.tags.exists(b, run.tags.exists(c, a == b && b == c)))',
      'run.tags.exists(c, a == b && b == c)',
      'at most 2 deep',
    ],
    ['cel.bind(x, "a", x == "a")', 'cel', 'no such word'],
    [`${'!'.repeat(500)}true`, undefined, 'maxAstNodes'],
  ])('%s is refused at %s: %s', (text, place, problem) => {
    const refused = compileCondition(text);
    if (refused.ok) throw new Error('it was taken');
    expect(refused.problem).toContain(problem);
    expect(refused.at).toBe(place);
  });

  test('an error while it is judged is thrown, and so is the rule’s', () => {
    expect(() => compiled('1 / (run.attempt - run.attempt) == 1').holds(asked, known)).toThrow(/zero/);
    expect(() => compiled('run.attempt * 9223372036854775807 > 0').holds(asked, known)).toThrow(/overflow/);
  });
});

test('any text is a condition or a problem, and any condition gives the same answer twice', () => {
  const piece = fc.constantFrom(
    ...Object.keys(WORDS),
    '"a"',
    '1',
    '[0, 6]',
    '&&',
    '||',
    '==',
    'in',
    '(',
    ')',
    '!',
    '?',
    ':',
    '.size()',
    '.like("*")',
    '.getHours("UTC")',
    '.exists(t, ',
    't',
  );
  const anyTransition = fc.record({
    kind: fc.constantFrom(...RUN_KINDS),
    from: fc.constantFrom(...FROM_TYPES),
    reason: fc.string(),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(' ')),
      ),
      anyTransition,
      fc.constantFrom(...MANY_FACTS),
      (text, { from, ...more }, one) => {
        const condition = compileCondition(text);
        if (!condition.ok) return;
        const said = (): unknown => {
          try {
            return condition.condition.holds({ ...transition(from, stateOf('RUNNING')), ...more }, one);
          } catch (error) {
            return String(error);
          }
        };
        expect(said()).toEqual(said());
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  ['', '', true],
  ['a', '*', true],
  ['', '*', true],
  ['abc', 'a*c', true],
  ['ac', 'a*c', true],
  ['aba', 'ab*ba', false],
  ['abcabc', 'a*b*c', true],
  ['abc', 'b*', false],
  ['a.c', 'a.c', true],
  ['abc', 'a.c', false],
  ['a*c', 'a*c', true],
  ['xaybzc', '*a*b*c', true],
  ['xaybz', '*a*b*c', false],
])('%s is like %s: %s', (text, pattern, like) => {
  expect(isLike(text, pattern)).toBe(like);
});

test('a pattern means what it would as a regular expression', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 });
  fc.assert(
    fc.property(texts, patterns, (text, pattern) => {
      expect(isLike(text, pattern)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
    }),
  );
});
