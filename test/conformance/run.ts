/** From the text of case files to what became of each case. */
import { readCases, type Case, type TransitionCase } from './cases.ts';
import type { Difference } from './compare.ts';
import { excusesOf, type Deviation, type Seen } from './deviations.ts';
import type { Result, Tried } from './report.ts';
import { tryScenario } from './scenario.ts';
import { withoutCounterpart } from './translate-rules.ts';
import { tryTransition } from './trial.ts';

export const runCases = (text: string, file: string, deviations: readonly Deviation[]): readonly Tried[] =>
  readCases(text, file).map((one) => ({ id: one.id, rule: one.rule, result: resultOf(one, deviations) }));

function resultOf(one: Case, deviations: readonly Deviation[]): Result {
  switch (one.kind) {
    case 'unasked':
      return { outcome: 'skipped', why: one.why };
    case 'transition': {
      const why = withoutCounterpart(one.of);
      if (why !== undefined) return { outcome: 'skipped', why };
      return judgedBy(deviations, seenIn(one.of), tryTransition(one.of));
    }
    case 'scenario': {
      const departure = tryScenario(one.of);
      if (departure === undefined) return { outcome: 'passed' };
      const result = judgedBy(deviations, departure.seen, departure.differences);
      return result.outcome === 'failed' ? { ...result, step: departure.step } : result;
    }
  }
}

const seenIn = (one: TransitionCase): Seen => ({
  scope: one.scope,
  mode: one.mode,
  policy: one.policy,
  rules: one.rules,
  from: one.given.initial?.type ?? 'NONE',
  to: one.propose.type,
  case: one,
});

function judgedBy(deviations: readonly Deviation[], seen: Seen, differences: readonly Difference[]): Result {
  if (differences.length === 0) return { outcome: 'passed' };
  const by = excusesOf(deviations, seen, differences);
  return by === undefined ? { outcome: 'failed', differences } : { outcome: 'deviates', by };
}
