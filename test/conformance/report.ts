/** The table: a line for each rule of Prefect's, what was skipped and why, how often each deviation was met. */
import type { Difference } from './compare.ts';

export type Result =
  | { readonly outcome: 'passed' }
  | { readonly outcome: 'deviates'; readonly by: readonly { readonly name: string; readonly adr: string }[] }
  | { readonly outcome: 'skipped'; readonly why: string }
  | { readonly outcome: 'failed'; readonly differences: readonly Difference[]; readonly step?: number };

export type Tried = { readonly id: string; readonly rule: string; readonly result: Result };

const OUTCOMES = ['passed', 'failed', 'deviates', 'skipped'] as const;

export function reportOf(all: readonly Tried[]): string {
  const lines = [
    ...table(all),
    ...deviationsOf(all),
    ...skippedOf(all),
    ...failuresOf(all),
    ...[shareOf(all), lastLine(all)],
  ];
  return `${lines.join('\n')}\n`;
}

const count = (all: readonly Tried[], outcome: Result['outcome']): number =>
  all.filter(({ result }) => result.outcome === outcome).length;

function* table(all: readonly Tried[]): Generator<string> {
  const rules = Map.groupBy(all, ({ rule }) => rule);
  const width = Math.max(4, ...[...rules.keys()].map(({ length }) => length));
  yield `${'rule'.padEnd(width)}  cases  ${OUTCOMES.join('  ')}`;
  for (const [rule, cases] of [...rules].sort(([one], [other]) => one.localeCompare(other))) {
    const counts = OUTCOMES.map((outcome) => numberOf(count(cases, outcome), outcome.length));
    yield `${rule.padEnd(width)}  ${numberOf(cases.length, 5)}  ${counts.join('  ')}`;
  }
}

const numberOf = (value: number, width: number): string => (value === 0 ? '·' : String(value)).padStart(width);

function* deviationsOf(all: readonly Tried[]): Generator<string> {
  const met = all.flatMap(({ result }) => (result.outcome === 'deviates' ? result.by : []));
  yield* tally('what we do differently (test/conformance/deviations.json), and how often it was met', [
    ...met.map(({ name, adr }) => `${name} (ADR ${adr})`),
  ]);
}

function* skippedOf(all: readonly Tried[]): Generator<string> {
  yield* tally(
    'what could not be asked',
    all.flatMap(({ result }) => (result.outcome === 'skipped' ? [result.why] : [])),
  );
}

function* tally(title: string, names: readonly string[]): Generator<string> {
  if (names.length === 0) return;
  yield '';
  yield title;
  for (const [name, { length }] of [...Map.groupBy(names, (one) => one)].sort(([, a], [, b]) => b.length - a.length)) {
    yield `${String(length).padStart(6)}  ${name}`;
  }
}

function* failuresOf(all: readonly Tried[]): Generator<string> {
  for (const { id, result } of all) {
    if (result.outcome !== 'failed') continue;
    yield '';
    yield `failed: ${id}${result.step === undefined ? '' : `, step ${String(result.step + 1)}`}`;
    for (const { field, expected, actual } of result.differences) {
      yield `    ${field}: expected ${shown(expected)}, is ${shown(actual)}`;
    }
  }
}

const shown = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));

function shareOf(all: readonly Tried[]): string {
  const deviating = count(all, 'deviates');
  const share = all.length === 0 ? 0 : ((deviating + count(all, 'skipped')) / all.length) * 100;
  return `\n${String(deviating)} deviations are counted as skipped; ${share.toFixed(1)} % of ${String(all.length)} cases are skipped`;
}

function lastLine(all: readonly Tried[]): string {
  const skipped = count(all, 'skipped') + count(all, 'deviates');
  return `${String(count(all, 'passed'))} passed, ${String(count(all, 'failed'))} failed, ${String(skipped)} skipped`;
}
