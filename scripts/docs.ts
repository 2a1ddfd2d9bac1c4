/**
 * Generates the pages of docs/ that are made from code, and with `--check` says which of them are stale.
 *
 * D1 A generated page is a function of the sources alone; a page that is not what its sources say is stale.
 * D2 What a page quotes (a rule's table, a code's meaning) is quoted from the comment that stands by the code.
 * D3 `--check` writes nothing.
 */
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { ERRORS } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { StateType } from '../protocol/states.ts';
import { court, type Policy, type PolicyName } from '../rules/judge.ts';
import { corePolicies } from '../rules/policy.ts';
import { RUN_KINDS, type FromType, type Rule } from '../rules/rule.ts';
import { ANY_STATE, FROM_ANY } from '../rules/state-sets.ts';
import { apiPages } from './api-pages.ts';
import { MATRIX_LEGEND, verdictMatrix } from './rule-matrices.ts';

const ROOT = join(import.meta.dirname, '..');
const MEND = 'npm run docs:generate';

export type Page = { readonly path: string; readonly text: string };

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** Every generated page as it should be. */
export async function pages(): Promise<readonly Page[]> {
  const api = apiPages(ROOT, generatedFrom('doc comments'), Object.keys(ERRORS));
  const made = [...api, ...(await Promise.all([rulesPage(), errorsPage(), decisionsPage(), protocolPage()]))];
  const config = (await resolveConfig(join(ROOT, 'package.json'))) ?? {};
  return Promise.all(
    made.map(async ({ path, text }) => ({ path, text: await format(text, { ...config, parser: 'markdown' }) })),
  );
}

/** The paths of the pages that are not what their sources say. */
export async function stalePages(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const { path, text } of await pages()) {
    const found = await read(path).catch(() => undefined);
    if (found !== text) stale.push(path);
  }
  return stale;
}

const generatedFrom = (source: string): string => `<!-- Generated from ${source} by \`${MEND}\`. Do not edit. -->`;

// --- docs/rules.md -----------------------------------------------------------------------------------------------

async function rulesPage(): Promise<Page> {
  const source = await read('rules/policy.ts');
  const rules = [...new Set(Object.values(corePolicies).flatMap((policy) => policy.rules))];
  const sections = await Promise.all(rules.map(ruleSection));
  const text = [
    '# Rules',
    generatedFrom('rules/'),
    'A **rule** is a pure function from a transition and the facts it needs to an opinion: pass, rewrite, reject or hold. ' +
      'A **policy** is an ordered list of rules. The first reject or hold ends the hearing; a rewrite starts it again from ' +
      'the top; a rule rewrites at most once. [ARCHITECTURE](ARCHITECTURE.md) says who asks them, ' +
      '[rules/rule.ts](../rules/rule.ts) how one is written.',
    '## Policies',
    '> ' + headerOf(source).join('\n> '),
    MATRIX_LEGEND,
    ...Object.entries(corePolicies).map(([kind, policy]) => policySection(kind as PolicyName, policy, source)),
    '## The rules',
    ...sections,
  ].join('\n\n');
  return { path: 'docs/rules.md', text };
}

function policySection(kind: PolicyName, policy: Policy, source: string): string {
  const reasons = reasonsIn(source, kind);
  const lines = policy.rules.map((rule, index) => {
    const why = reasons.get(rule.name);
    return `${String(index + 1)}. [${rule.name}](#${rule.name})${why === undefined ? '' : ` (${why})`}`;
  });
  const about = reasons.get('');
  return [
    `### ${titleOf(kind)}`,
    ...(about === undefined ? [] : [about]),
    lines.join('\n'),
    matrix(kind, policy),
    verdictMatrix(kind),
  ].join('\n\n');
}

const TITLES: Readonly<Record<PolicyName, string>> = {
  flow: 'Policy `flow`: a flow run of its own',
  subflow: 'Policy `subflow`: a flow run called by a flow run',
  task: 'Policy `task`: a task run',
  background: 'Policy `background`: a task run of its own, which a worker executes',
  forced: 'Policy `forced`: an override, of any run',
};
const titleOf = (kind: PolicyName): string => TITLES[kind];

/** From where to where: the numbers of the rules that govern. Those that govern everything are named once, above. */
function matrix(name: PolicyName, policy: Policy): string {
  const theCourt = court(corePolicies);
  const kinds = name === 'forced' ? RUN_KINDS : [name];
  const governing = (from: FromType, to: StateType): readonly (readonly Rule[])[] =>
    kinds.map((kind) => theCourt.governing(name, kind, from, to).rules);
  const numberOf = (rule: Rule): number => policy.rules.indexOf(rule) + 1;
  const everywhere = policy.rules.filter((rule) =>
    FROM_ANY.every((from) => ANY_STATE.every((to) => governing(from, to).every((rules) => rules.includes(rule)))),
  );
  const row = (from: FromType): string => {
    const cells = ANY_STATE.map((to) => {
      const rules = new Set(governing(from, to).flat());
      return policy.rules.flatMap((rule) => (rules.has(rule) && !everywhere.includes(rule) ? numberOf(rule) : []));
    });
    return `| **${from}** | ${cells.map((numbers) => numbers.join(' ')).join(' | ')} |`;
  };
  return [
    `Rules ${everywhere.map((rule) => String(numberOf(rule))).join(', ')} govern every transition. The others, by the ` +
      'state that the run is in (rows; `NONE`: it does not exist yet) and the one that is wanted (columns)' +
      (kinds.length > 1 ? ', each for the kinds of run that it is about:' : ':'),
    [
      `| from \\ to | ${ANY_STATE.join(' | ')} |`,
      `| --- |${' --- |'.repeat(ANY_STATE.length)}`,
      ...FROM_ANY.map(row),
    ].join('\n'),
  ].join('\n\n');
}

async function ruleSection(rule: Rule): Promise<string> {
  const path = `rules/${rule.name}.ts`;
  const table = headerOf(await read(path));
  const test = `test/rules/${rule.name}.test.ts`;
  const tested = await read(test).then(
    () => `, [test](../${test})`,
    () => '',
  );
  const may = ['pass', ...rule.may].join(', ');
  const needs = rule.needs.length === 0 ? 'nothing but the time' : rule.needs.map((need) => `\`${need}\``).join(', ');
  return [
    `### ${rule.name}`,
    rule.summary,
    [
      `- on: ${rule.on.join(', ')}`,
      `- from: ${statesOf(rule.from, FROM_ANY)}; to: ${statesOf(rule.to, ANY_STATE)}`,
      `- needs: ${needs}`,
      `- may: ${may}`,
      `- [source](../${path})${tested}`,
    ].join('\n'),
    table.join('\n'),
  ].join('\n\n');
}

const statesOf = (states: readonly string[], all: readonly string[]): string =>
  states.length === all.length ? 'any state' : states.join(', ');

/** The comment that opens a file, without its stars. */
function headerOf(source: string): readonly string[] {
  const found = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(source)?.[1];
  if (found === undefined) throw new Error('a rule without a header comment');
  return found.split('\n').map((line) => line.replace(/^ \* ?/, ''));
}

/** The comment over a policy (under the empty name), and the comments between its rules, by the rule that follows. */
function reasonsIn(source: string, kind: PolicyName): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  const pattern = new RegExp(`(?:/\\*\\* ([^\\n]*) \\*/\\n)?const ${kind}: Policy = \\{([\\s\\S]*?)\\n\\};`);
  const [, about, body = ''] = pattern.exec(source) ?? [];
  if (about !== undefined) reasons.set('', about);
  let why: string[] = [];
  for (const line of body.split('\n').map((text) => text.trim())) {
    if (line.startsWith('// ')) why.push(line.slice(3));
    const rule = /^([a-z]\w+),$/i.exec(line)?.[1];
    if (rule === undefined) continue;
    if (why.length > 0) reasons.set(kebab(rule), why.join(' ').replace(/\.$/, ''));
    why = [];
  }
  return reasons;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

// --- docs/errors.md ----------------------------------------------------------------------------------------------

async function errorsPage(): Promise<Page> {
  const groups = groupsIn(await read('protocol/errors.ts'));
  const codes = codesIn(await read('protocol/rulings.ts'));
  const said = await whoSays(codes.map(({ code }) => code));
  const text = [
    '# Errors and refusals',
    generatedFrom('protocol/errors.ts and protocol/rulings.ts'),
    'Codes are public and permanent; texts are not.',
    '## Errors',
    'What Assent throws is an `AssentError` with a `kind`, a `code` and a `remedy`; its message ends with them.',
    ...Object.keys(groups).map((group) => errorTable(group, groups)),
    '## Refusals',
    'A rejected proposal carries one of these codes in its answer and in the trail of its ruling. Rules that are not ' +
      'ours may use others.',
    [
      '| code | means | said by |',
      '| --- | --- | --- |',
      ...codes.map(({ code, means }) => `| \`${code}\` | ${means} | ${said.get(code) ?? ''} |`),
    ].join('\n'),
  ].join('\n\n');
  return { path: 'docs/errors.md', text };
}

function errorTable(group: string, groups: Readonly<Record<string, string>>): string {
  const rows = Object.entries(ERRORS).filter(([, { code }]) => String(code).startsWith(group.slice(0, 1)));
  return [
    `### ${group}: ${groups[group] ?? ''}`,
    [
      '| code | kind | what to do |',
      '| --- | --- | --- |',
      ...rows.map(([kind, { code, remedy }]) => `| ${String(code)} | \`${kind}\` | ${cell(remedy)} |`),
    ].join('\n'),
  ].join('\n\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** The comments `// 1xxx: what it is about`. */
const groupsIn = (source: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...source.matchAll(/\/\/ (\dxxx): (.*)/g)].map(([, group = '', about = '']) => [group, about]));

/** The members of `RejectCode` with the comments above them. */
function codesIn(source: string): readonly { readonly code: string; readonly means: string }[] {
  const [, body = ''] = /export type RejectCode =\n([\s\S]*?);\n/.exec(source) ?? [];
  const found = body.matchAll(/(?:\/\*\* ([^\n]*) \*\/\n\s*)?\| '([A-Z_]+)'/g);
  return [...found].map(([, means = '', code = '']) => ({ code, means: cell(means) }));
}

/** The rules that name a code. What no rule says comes of the hearing itself, or from the arbiter before any hearing. */
async function whoSays(codes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const said = new Map<string, string[]>();
  for (const rule of new Set(Object.values(corePolicies).flatMap((policy) => policy.rules))) {
    const source = await read(`rules/${rule.name}.ts`);
    for (const code of codes) {
      if (source.includes(`'${code}'`))
        said.set(code, [...(said.get(code) ?? []), `[${rule.name}](rules.md#${rule.name})`]);
    }
  }
  const hearing = await read('rules/judge.ts');
  const otherwise = (code: string): string =>
    hearing.includes(`'${code}'`) ? 'the hearing' : 'the arbiter, without a hearing';
  return new Map(codes.map((code) => [code, said.get(code)?.join(', ') ?? otherwise(code)]));
}

// --- docs/adr/README.md ------------------------------------------------------------------------------------------

async function decisionsPage(): Promise<Page> {
  const names = (await readdir(join(ROOT, 'docs/adr'))).filter((name) => /^\d{4}-.*\.md$/.test(name)).sort();
  const rows = await Promise.all(
    names.map(async (name) => {
      const text = await read(`docs/adr/${name}`);
      const field = (what: RegExp): string => {
        const found = what.exec(text)?.[1];
        if (found === undefined) throw new Error(`docs/adr/${name} does not say its ${what.source}`);
        return found;
      };
      const title = field(/^# \d{4} (.*)$/m);
      return `| [${name.slice(0, 4)}](${name}) | ${title} | ${field(/^- Date: (\S+)$/m)} | ${field(/^- Status: (.*)$/m)} |`;
    }),
  );
  const text = [
    '# Decisions',
    generatedFrom('docs/adr/'),
    'One page each: context, decision, consequences, what would change our mind. A decision is never rewritten, only superseded.',
    ['| no. | decision | date | status |', '| --- | --- | --- | --- |', ...rows].join('\n'),
  ].join('\n\n');
  return { path: 'docs/adr/README.md', text };
}

// --- the table of limits in docs/protocol.md ---------------------------------------------------------------------

async function protocolPage(): Promise<Page> {
  const path = 'docs/protocol.md';
  const source = await read('protocol/limits.ts');
  const meanings = new Map(
    [...source.matchAll(/\/\*\* (.*) \*\/\n\s*(\w+):/g)].map(([, means = '', name = '']) => [name, means]),
  );
  const rows = Object.entries(LIMITS).map(
    ([name, value]) => `| \`${name}\` | ${value.toLocaleString('en-GB')} | ${cell(meanings.get(name) ?? '')} |`,
  );
  const table = ['| limit | value | of what |', '| --- | ---: | --- |', ...rows].join('\n');
  const region = /(<!-- limits: generated from protocol\/limits\.ts -->\n)[\s\S]*?(<!-- end of limits -->)/;
  const text = await read(path);
  if (!region.test(text)) throw new Error(`${path} has no place for the limits`);
  return { path, text: text.replace(region, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`) };
}

// --- the command -------------------------------------------------------------------------------------------------

async function main(check: boolean): Promise<void> {
  const stale = await stalePages();
  if (check) {
    for (const path of stale) console.error(`${path} is stale: run \`${MEND}\``);
    if (stale.length > 0) process.exitCode = 1;
    return;
  }
  for (const { path, text } of await pages()) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), text);
  }
  console.log(stale.length === 0 ? 'nothing to do' : stale.map((path) => `wrote ${path}`).join('\n'));
}

const started = process.argv[1];
if (started !== undefined && import.meta.url === pathToFileURL(started).href) {
  await main(process.argv.includes('--check'));
}
