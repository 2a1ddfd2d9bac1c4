/** `assent policy check FILE…`: whether a file is a policy, and what it would change; needs no engine. */
import { AssentError } from '../../protocol/errors.ts';
import { checkPolicy, type CheckedPolicy } from '../policy/check.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { count } from './run-text.ts';
import { ink, tableOf } from './style.ts';

type Outcome =
  | ({ readonly file: string; readonly valid: true } & CheckedPolicy)
  | { readonly file: string; readonly valid: false; readonly problems: readonly string[] };

const DIFFERENCES_SHOWN = 20;
const SLOWEST_SHOWN = 3;

export async function checkPolicies(output: Output, files: readonly string[]): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const file of files) outcomes.push(await outcomeOf(file));
  output.document(outcomes.map(jsonOf), () => outcomes.flatMap(linesOf));
  return outcomes.every(({ valid }) => valid) ? EXIT.ok : EXIT.error;
}

async function outcomeOf(file: string): Promise<Outcome> {
  try {
    return { file, valid: true, ...(await checkPolicy(file, { compare: true })) };
  } catch (error) {
    if (!(error instanceof AssentError) || error.kind !== 'POLICY_INVALID') throw error;
    return { file, valid: false, problems: error.detail.split('\n') };
  }
}

function jsonOf(outcome: Outcome): unknown {
  if (!outcome.valid) return outcome;
  const { file, valid, bundle, report } = outcome;
  return { file, valid, policy: bundle.digest, bytes: bundle.source.length, ...report };
}

function linesOf(outcome: Outcome): string[] {
  if (!outcome.valid) {
    return [`${ink('red', '✗')} ${outcome.file} is no valid policy`, ...outcome.problems.map((one) => `    ${one}`)];
  }
  const { file, bundle, report } = outcome;
  const asked = report.rules.reduce((sum, rule) => sum + rule.asked, 0);
  const slowest = [...report.rules].sort((one, other) => other.meanUs - one.meanUs).slice(0, SLOWEST_SHOWN);
  return [
    `${ink('green', '✓')} ${file}: policy ${ink('bold', bundle.digest.slice(0, 16))}, ${count(report.rules.length, 'rule')} asked ${String(asked)} times, each time twice`,
    `    slowest: ${slowest.map(({ rule, meanUs }) => `${rule} ${String(meanUs)} µs`).join(', ')}`,
    ...changeLines(outcome),
    ...differenceLines(outcome),
  ];
}

type Valid = Extract<Outcome, { valid: true }>;

function changeLines({ report: { changes } }: Valid): string[] {
  if (changes.length === 0) return ['    the rules are those of the engine'];
  return changes.flatMap(({ part, policy, added, removed, shadow }) => {
    const words = [
      ...added.map((rule) => ink('green', `+ ${rule}`)),
      ...removed.map((rule) => ink('red', `- ${rule}`)),
      ...shadow.map((rule) => ink('gray', `~ ${rule} (shadow)`)),
    ];
    return [`    ${part}, ${policy}: ${words.join(', ')}`];
  });
}

function differenceLines({ report: { differences } }: Valid): string[] {
  if (differences.length === 0) return ['    on the samples, every verdict is what it was without it'];
  const rows = differences
    .slice(0, DIFFERENCES_SHOWN)
    .map(({ part, kind, from, to, before, after, rule }) => [
      `    ${part}`,
      `${kind} ${from} → ${to}`,
      `${before} → ${after}`,
      rule ?? '',
    ]);
  const more = differences.length - rows.length;
  return [
    '    what it would change, on the samples:',
    ...tableOf(rows),
    ...(more > 0 ? [`    and ${String(more)} more (-o json has them all)`] : []),
  ];
}
