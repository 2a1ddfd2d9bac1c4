/** Whether a rule is one: what every rule must keep to, whatever it is about. */
import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import { freeze } from 'immer';
import { isOpinion } from '../../rules/opinions.ts';
import type { State } from '../../protocol/states.ts';
import type { Facts, Need, Opinion, Rule, Transition } from '../../rules/rule.ts';
import { arbitraries } from './arbitraries.ts';
import type { FastCheck } from './arbitrary-facts.ts';

/**
 * Asks a rule about anything that it governs, and sees whether it keeps to what a rule is: it does not throw, has an
 * opinion that it declares in `may`, has the same one when it is asked again, changes nothing that it is given, and gets
 * by with the facts that it names in `needs`.
 *
 * @throws AssertionError with the smallest case that fast-check finds, and what was wrong.
 * @example
 * import fc from 'fast-check';
 * import { defineRule, hold, pass } from 'assent/rules';
 * import { checkRule } from 'assent/testing';
 *
 * const oneMinuteApart = defineRule({
 *   name: 'one-minute-apart', summary: 'An attempt begins at a full minute.',
 *   on: ['flow', 'task'], from: ['NONE', 'PENDING', 'SCHEDULED'], to: ['RUNNING'], needs: ['attempt'], may: ['hold'],
 *   judge: (_, { nowMs, attempt }) =>
 *     attempt === 0 || nowMs % 60_000 === 0
 *       ? pass()
 *       : hold({ type: 'TIME', dueAtMs: (nowMs - (nowMs % 60_000) + 60_000) as typeof nowMs }, 'at the full minute'),
 * });
 * checkRule(oneMinuteApart, fc);
 */
export function checkRule(rule: Rule, fc: FastCheck): void {
  const any = arbitraries(fc);
  const cases = fc.constantFrom(...rule.on).chain((kind) =>
    fc.tuple(
      any.transition(kind),
      fc.constantFrom(...rule.from).chain((type) => (type === 'NONE' ? fc.constant(undefined) : any.stateOf(type))),
      fc.constantFrom(...rule.to).chain((type) => any.stateOf(type)),
      any.facts(kind),
    ),
  );
  const property = fc.property(cases, (given) => problemIn(rule, given) === undefined);
  const { counterexample, seed } = fc.check(property, { numRuns: 100 });
  const [smallest] = counterexample ?? [];
  if (smallest === undefined) return;
  const [asked, from, to, facts] = smallest;
  const problem = problemIn(rule, smallest) ?? 'said two things about the same';
  const shown = [
    `${rule.name} ${problem}.`,
    `The transition: ${JSON.stringify({ ...asked, from, to })}`,
    `The facts: ${JSON.stringify(only(facts, rule.needs))}`,
    `fast-check's seed: ${String(seed)}`,
  ];
  throw new AssertionError({ message: shown.join('\n  '), stackStartFn: checkRule });
}

type Case = [Transition, State | undefined, State, Facts];

const problemIn = (rule: Rule, [asked, from, to, facts]: Case): string | undefined =>
  problemWith(rule, { ...asked, from, to }, facts);

function problemWith(rule: Rule, transition: Transition, facts: Facts): string | undefined {
  const needed = freeze(only(facts, rule.needs), true);
  const asked = freeze({ ...transition }, true);
  let opinion: Opinion;
  let again: Opinion;
  try {
    opinion = rule.judge(asked, needed);
    again = rule.judge(asked, needed);
  } catch (error) {
    return `threw ${String(error)}: it changes what it is given, or reads a fact that it does not name in needs`;
  }
  if (!isOpinion(opinion, facts.nowMs)) return `said something that is no opinion: ${JSON.stringify(opinion)}`;
  const may = opinion.type.toLowerCase();
  if (may !== 'pass' && !rule.may.some((one) => one === may))
    return `said ${opinion.type}, which it does not declare in may`;
  return isDeepStrictEqual(opinion, again) ? undefined : 'said two things about the same';
}

/** The rule's own facts alone, as in a policy in which no other rule needs any. */
const only = (facts: Facts, needs: readonly Need[]): Facts =>
  Object.fromEntries(
    Object.entries(facts).filter(([name]) => name === 'nowMs' || needs.includes(name as Need)),
  ) as unknown as Facts;
