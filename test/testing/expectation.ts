/** Compares a verdict with what was expected of it; the error tells which rule said what. */
import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { Outcome, RejectCode, Waits } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import type { Verdict } from '../../rules/judge.ts';
import type { Hearing } from './hearing.ts';
import { outcomeWords } from './words.ts';

export type Expected = {
  readonly outcome: Outcome;
  readonly to?: Partial<State>;
  readonly waits?: Partial<Waits>;
  readonly code?: RejectCode;
};

/** @throws AssertionError whose stack begins where `caller` was called. */
export function expectOutcome(
  { verdict, asked, words }: Hearing,
  expected: Expected,
  caller: (...given: never[]) => unknown,
): void {
  if (isAsExpected(verdict, expected)) return;
  const { outcome, to, waits, trail } = verdict;
  const was = outcomeWords({ outcome, trail, state: to, ...(waits === undefined ? {} : { waits }) });
  const message = [`${asked} was to be ${expectedWords(expected)}, but it was ${was}.`, ...words].join('\n  ');
  throw new AssertionError({
    message,
    actual: partOf(verdict, expected),
    expected,
    operator: 'expect',
    stackStartFn: caller,
  });
}

function isAsExpected(verdict: Verdict, { outcome, to, waits, code }: Expected): boolean {
  return (
    verdict.outcome === outcome &&
    (to === undefined || contains(verdict.to, to)) &&
    (waits === undefined || contains(verdict.waits, waits)) &&
    (code === undefined || verdict.code === code)
  );
}

/** Every field of `part` is in `whole`, at any depth. */
function contains(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return Object.is(whole, part);
  if (typeof whole !== 'object' || whole === null) return false;
  if (Array.isArray(part)) return isDeepStrictEqual(whole, part);
  return Object.entries(part).every(([name, value]) => contains((whole as Record<string, unknown>)[name], value));
}

/** The fields that were asked after, for a runner that shows differences. */
const partOf = (verdict: Verdict, expected: Expected): object =>
  Object.fromEntries(Object.keys(expected).map((name) => [name, verdict[name as keyof Verdict]]));

function expectedWords({ outcome, to, waits, code }: Expected): string {
  const what = to ?? waits ?? code;
  if (what === undefined) return outcome;
  const link = outcome === 'rewritten' ? ' to ' : outcome === 'held' ? ' until ' : ' as ';
  return `${outcome}${link}${typeof what === 'string' ? what : JSON.stringify(what)}`;
}
