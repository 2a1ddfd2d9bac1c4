/** `assent rules`: how often each rule was asked, what it said, and how long it took where that was sampled. */
import type { RuleTimes } from '../../protocol/messages.ts';
import type { RuleRow } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { cut, ink, oneLine, tableOf } from './style.ts';

export type RulesOptions = { readonly kind?: RuleRow['kind'] | undefined };

type Time = RuleTimes['rules'][number];
type Counts = Omit<RuleRow, 'rule' | 'kind'>;

const NAME_COLUMNS = 40;

export async function showRules(client: Client, output: Output, { kind }: RulesOptions): Promise<number> {
  const { rules } = await client.query('RULES', {});
  const rows = rules.filter((row) => kind === undefined || row.kind === kind);
  const times = new Map((await timesOf(client)).map((time) => [time.rule, time]));
  output.document(
    rows.map((row) => ({ ...row, ...timeOf(times.get(row.rule)) })),
    () => (rows.length === 0 ? ['No rule was asked yet.'] : linesOf(rows, times)),
  );
  return EXIT.ok;
}

/** Only the active arbiter has them; without one, or with one of another version, the counts are shown alone. */
async function timesOf(client: Client): Promise<readonly Time[]> {
  const answer = (await client.ask({ v: 1, type: 'RULE_TIMES' }).catch(() => ({}))) as Partial<RuleTimes>;
  return answer.rules ?? [];
}

const timeOf = (time: Time | undefined): object =>
  time === undefined
    ? {}
    : { time: { samples: time.samples, meanSeconds: time.seconds / time.samples, maxSeconds: time.secondsMax } };

function linesOf(rows: readonly RuleRow[], times: ReadonlyMap<string, Time>): string[] {
  const head = ['RULE', 'ASKED', 'PASSED', 'REWROTE', 'REJECTED', 'HELD', 'ERRORS', 'OVERRIDDEN', 'MEAN TIME'];
  const byRule = [...Map.groupBy(rows, ({ rule }) => rule)]
    .map(([rule, some]) => [rule, some.reduce<Counts>(sumOf, NONE)] as const)
    .sort(([, one], [, other]) => other.asked - one.asked);
  const lines = byRule.map(([rule, counts]) => [
    cut(oneLine(rule), NAME_COLUMNS),
    String(counts.asked),
    countText(counts.passed),
    ink('yellow', countText(counts.rewrote)),
    ink(['red', 'bold'], countText(counts.rejected)),
    ink('magenta', countText(counts.held)),
    ink(['red', 'bold'], countText(counts.errors)),
    countText(counts.overridden),
    meanText(times.get(rule)),
  ]);
  const isShown = (column: number): boolean =>
    column < SELDOM || column === head.length - 1 || lines.some((line) => line[column] !== NOTHING);
  const shown = (row: readonly string[]): string[] => row.filter((_, column) => isShown(column));
  return tableOf([shown(head).map((cell) => ink('bold', cell)), ...lines.map(shown)]);
}

const NOTHING = '–';
/** From this column on, but for the time, what has nothing to show is left out. */
const SELDOM = 6;

const countText = (count: number): string => (count === 0 ? NOTHING : String(count));

const NONE: Counts = { asked: 0, passed: 0, rewrote: 0, rejected: 0, held: 0, errors: 0, overridden: 0 };

const sumOf = (one: Counts, other: Counts): Counts => ({
  asked: one.asked + other.asked,
  passed: one.passed + other.passed,
  rewrote: one.rewrote + other.rewrote,
  rejected: one.rejected + other.rejected,
  held: one.held + other.held,
  errors: one.errors + other.errors,
  overridden: one.overridden + other.overridden,
});

/** `1.2 µs`. */
function meanText(time: Time | undefined): string {
  if (time === undefined || time.samples === 0) return NOTHING;
  const micros = (1e6 * time.seconds) / time.samples;
  return micros < 1000 ? `${micros.toFixed(1)} µs` : `${(micros / 1000).toFixed(1)} ms`;
}
