/** `assent policy show`: the rules in force, in the order in which they are asked; `ls`: what was in force before. */
import { AssentError } from '../../protocol/errors.ts';
import type { PolicyReport, PolicyView, RuleView } from '../../protocol/messages.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { ink, oneLine, tableOf } from './style.ts';
import { agoOf } from './times.ts';

export type ShowOptions = { readonly flow?: string; readonly tag?: string };

type Part = PolicyReport['parts'][number];

export async function showPolicy(client: Client, output: Output, options: ShowOptions): Promise<number> {
  const report = (await client.ask({ v: 1, type: 'POLICY' })) as PolicyReport;
  const part = partOf(report, options);
  const since = report.history.at(-1);
  const policies = part.policies.map(({ policy, rules, shadow }) => ({
    policy,
    rules: rulesAt(report, rules),
    shadow: rulesAt(report, shadow),
  }));
  const selection = part.selection === undefined ? {} : { selection: part.selection };
  output.document({ policy: report.policy, ...selection, ...(since === undefined ? {} : { since }), policies }, () => [
    `${ink('bold', `policy ${report.policy.slice(0, 16)}`)}${sinceText(since)}`,
    `  ${partText(part)}${othersText(report, part)}`,
    ...policies.flatMap(({ policy, rules, shadow }) => [
      '',
      ...listText(policy, rules),
      ...(shadow.length === 0 ? [] : listText(`${policy}, in the shadow`, shadow)),
    ]),
  ]);
  return EXIT.ok;
}

const rulesAt = ({ rules }: PolicyReport, places: readonly number[]): RuleView[] =>
  places.flatMap((place) => rules[place] ?? []);

/** The part that would judge a flow of that name, or what has that tag. */
function partOf({ parts }: PolicyReport, { flow, tag }: ShowOptions): Part {
  const found =
    parts.find(({ selection }) => selection !== undefined && 'flow' in selection && selection.flow === flow) ??
    parts.find(({ selection }) => selection !== undefined && 'tag' in selection && selection.tag === tag) ??
    parts.find(({ selection }) => selection === undefined);
  if (found === undefined) throw new AssentError('ENGINE_UNAVAILABLE', 'The engine told no policy.');
  return found;
}

const partText = ({ selection }: Part): string => {
  if (selection === undefined) return 'for the whole workspace';
  return 'flow' in selection
    ? `for the flow ${oneLine(selection.flow)} and all under it`
    : `for what has the tag ${oneLine(selection.tag)}`;
};

function othersText({ parts }: PolicyReport, part: Part): string {
  const others = parts.filter((one) => one !== part && one.selection !== undefined);
  if (others.length === 0) return '';
  const names = others.map(({ selection }) => {
    if (selection === undefined) return '';
    return 'flow' in selection ? `--flow ${oneLine(selection.flow)}` : `--tag ${oneLine(selection.tag)}`;
  });
  return `; there are others: ${names.join(', ')}`;
}

function sinceText(since: PolicyView | undefined): string {
  if (since === undefined) return '';
  const { by, atMs, at, core, from } = since;
  const what = core ? 'the rules of the engine itself' : `made of ${oneLine(from ?? 'a file')}`;
  return `, ${what}; in force since sequence ${String(at.seq)} (${agoOf(atMs, Date.now())}), by ${oneLine(by)}`;
}

function listText(policy: string, rules: readonly RuleView[]): string[] {
  if (rules.length === 0) return [ink('bold', policy), '  no rules: everything passes'];
  const rows = rules.map(({ name, may, summary }, index) => [
    `  ${String(index + 1).padStart(2)}`,
    name,
    may.length === 0 ? '–' : may.join(', '),
    oneLine(summary),
  ]);
  return [ink('bold', policy), ...tableOf([['', 'RULE', 'MAY', 'WHAT IT DOES'], ...rows])];
}

export async function listPolicies(client: Client, output: Output): Promise<number> {
  const { history } = (await client.ask({ v: 1, type: 'POLICY' })) as PolicyReport;
  const newest = [...history].reverse();
  const rows = newest.map((one, index) => ({ ...one, inForce: index === 0 }));
  output.document(rows, () => [
    ...tableOf([
      ['POLICY', 'FROM', 'SINCE', '', 'BY'].map((cell) => ink('bold', cell)),
      ...rows.map(({ policy, core, from, by, atMs, at, inForce }) => [
        policy.slice(0, 16),
        core ? 'the engine' : oneLine(from ?? 'a file'),
        `${String(at.seq)}, ${agoOf(atMs, Date.now())}`,
        inForce ? ink('green', 'in force') : '',
        oneLine(by),
      ]),
    ]),
  ]);
  return EXIT.ok;
}
