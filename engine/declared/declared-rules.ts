/**
 * Rules without code: from the text of a file to rules, or to every mistake in it with its line.
 *
 * F1 The same text gives the same rules, and the rules the same opinions, on every machine.
 * F2 What is wrong is said before anything is in force, all of it at once; nothing of a file with a mistake is used.
 */
import { LIMITS } from '../../protocol/limits.ts';
import { DEFAULT_NAMES, STATE_TYPES } from '../../protocol/states.ts';
import type { Policies } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';
import { RUN_KINDS, type Rule } from '../../rules/rule.ts';
import { FROM_ANY } from '../../rules/state-sets.ts';
import { compileRule } from './compile.ts';
import { compileCondition } from './conditions.ts';
import { parseFile, type RawRule } from './file-schema.ts';
import { HOLDABLE, USUAL, USUAL_PLACE, type Action, type RuleSpec } from './rule-spec.ts';
import { readSource, type DeclaredFormat, type DataPath } from './source.ts';

export type DeclaredProblem = {
  readonly file: string;
  readonly line: number;
  readonly rule?: string;
  /** What is wrong, and what is possible. */
  readonly detail: string;
};

export type Declared = {
  /** In the file's order: plain data, from which `withDeclaredRules` makes policies. */
  readonly specs: readonly RuleSpec[];
  /** The same, compiled; those in the shadow as well. */
  readonly rules: readonly Rule[];
};
export type DeclaredOrNot =
  | { readonly ok: true; readonly value: Declared }
  | { readonly ok: false; readonly problems: readonly DeclaredProblem[] };

/** `policies` are those that the rules are to stand in: their rules are what `before` and `after` may name. */
export function declaredRules(
  text: string,
  format: DeclaredFormat,
  file: string,
  policies: Policies = corePolicies,
): DeclaredOrNot {
  if (Buffer.byteLength(text) > LIMITS.declaredFileBytesMax) {
    const detail = `the file has more than ${String(LIMITS.declaredFileBytesMax)} bytes`;
    return { ok: false, problems: [{ file, line: 1, detail }] };
  }
  const read = readSource(text, format);
  if (!read.ok) return { ok: false, problems: read.problems.map((problem) => ({ file, ...problem })) };
  const { data, lineOf } = read.source;
  const parsed = parseFile(data);
  const found: Found[] = [];
  if (!parsed.ok) {
    for (const { path, detail } of parsed.problems) found.push({ path, detail });
  } else {
    parsed.rules.forEach((raw, index) => found.push(...problemsOf(raw, index, parsed.rules, policies)));
  }
  if (found.length > 0 || !parsed.ok) {
    const problems = found.map((one) => located(one, { file, data, lineOf }));
    return { ok: false, problems: problems.sort((one, other) => one.line - other.line) };
  }
  const specs = parsed.rules.map(specOf);
  return { ok: true, value: { specs, rules: specs.map(compileRule) } };
}

/** `policies/weekend.yaml:7: rule 'quiet-weekends': …` */
export const describeProblem = ({ file, line, rule, detail }: DeclaredProblem): string =>
  `${file}:${String(line)}: ${rule === undefined ? '' : `rule '${rule}': `}${detail}`;

type Found = { readonly path: DataPath; readonly detail: string };

function located(
  { path, detail }: Found,
  where: { readonly file: string; readonly data: unknown; readonly lineOf: (path: DataPath) => number },
): DeclaredProblem {
  const { rules } = (where.data ?? {}) as { readonly rules?: readonly ({ readonly name?: unknown } | null)[] };
  const named = path[0] === 'rules' && typeof path[1] === 'number' ? rules?.[path[1]]?.name : undefined;
  return {
    file: where.file,
    line: where.lineOf(path),
    ...(typeof named === 'string' ? { rule: named } : {}),
    detail,
  };
}

const ACTIONS = ['hold', 'reject', 'rewrite', 'retries', 'require'] as const;

/** What a schema cannot say: what fits together, and what the condition means. */
function problemsOf(raw: RawRule, index: number, all: readonly RawRule[], policies: Policies): Found[] {
  const found: Found[] = [];
  const wrong = (field: keyof RawRule | undefined, detail: string): void => {
    found.push({ path: ['rules', index, ...(field === undefined ? [] : [field])], detail });
  };
  const named = rulesOf(policies, RUN_KINDS);
  if (all.findIndex(({ name }) => name === raw.name) < index) wrong('name', 'the file has a rule of that name already');
  if (named.has(raw.name)) wrong('name', 'the policy has a rule of that name already');
  const actions = ACTIONS.filter((action) => raw[action] !== undefined);
  if (actions.length !== 1) {
    const has = actions.length === 0 ? 'none' : actions.join(' and ');
    wrong(actions[1], `a rule has one of ${ACTIONS.join(', ')}: this one has ${has}`);
  } else problemsOfAction(raw, wrong);
  if (raw.before !== undefined && raw.after !== undefined) wrong('after', `either 'before' or 'after'`);
  const near = raw.before ?? raw.after;
  const reachable = rulesOf(policies, raw.on ?? RUN_KINDS);
  if (near !== undefined && !reachable.has(near)) {
    const field = raw.before === undefined ? 'after' : 'before';
    wrong(field, `no policy that it governs has a rule '${near}'; there are: ${[...reachable].join(', ')}`);
  }
  const compiled = raw.when === undefined ? undefined : compileCondition(raw.when);
  if (compiled?.ok === false) {
    wrong('when', `when: ${compiled.at === undefined ? '' : `at \`${compiled.at}\`: `}${compiled.problem}`);
  }
  return found;
}

const rulesOf = (policies: Policies, kinds: readonly (keyof Policies)[]): ReadonlySet<string> =>
  new Set(kinds.flatMap((kind) => policies[kind].rules.map(({ name }) => name)));

function problemsOfAction(raw: RawRule, wrong: (field: keyof RawRule, detail: string) => void): void {
  const { hold, rewrite, retries, from, to } = raw;
  if (hold !== undefined) {
    if ((hold.for === undefined) === (hold.until === undefined)) wrong('hold', `hold: either 'for' or 'until'`);
    const never = to?.filter((type) => !HOLDABLE.includes(type)) ?? [];
    if (never.length > 0) wrong('to', `${never.join(', ')} cannot wait: ${HOLDABLE.join(', ')} can`);
  }
  if (rewrite !== undefined) {
    if (from === undefined || to === undefined) wrong('rewrite', `a rewrite says which 'from' and 'to' it governs`);
    const times = [rewrite.in, rewrite.at].filter((time) => time !== undefined).length;
    if (rewrite.to === 'SCHEDULED' && times !== 1) wrong('rewrite', `rewrite: to SCHEDULED, either 'in' or 'at'`);
    if (rewrite.to !== 'SCHEDULED' && times > 0) wrong('rewrite', `rewrite: 'in' and 'at' go with SCHEDULED only`);
  }
  if (retries !== undefined && (from !== undefined || to !== undefined)) {
    wrong(from === undefined ? 'to' : 'from', 'retries govern failures: they say neither from nor to');
  }
}

/** Every default is filled in here. */
function specOf(raw: RawRule): RuleSpec {
  const action = actionOf(raw);
  const usual = USUAL[action.type];
  const { name, summary, when, before, after } = raw;
  return {
    name,
    summary,
    on: raw.on ?? RUN_KINDS,
    from: raw.from ?? usual.from ?? FROM_ANY,
    to: raw.to ?? usual.to ?? STATE_TYPES,
    ...(when === undefined ? {} : { when }),
    why: raw.why ?? summary,
    action,
    shadow: raw.shadow === true,
    place: before !== undefined ? { before } : after !== undefined ? { after } : USUAL_PLACE,
  };
}

function actionOf({ hold, reject, rewrite, retries, name }: RawRule): Action {
  if (hold !== undefined) {
    return hold.until === undefined ? { type: 'HOLD', forMs: hold.for ?? 0 } : { type: 'HOLD', until: hold.until };
  }
  if (reject !== undefined) {
    return { type: 'REJECT', code: reject.code ?? name.toUpperCase().replaceAll('-', '_') };
  }
  if (retries !== undefined) return { type: 'CAP_RETRIES', retriesMax: retries.max };
  if (rewrite === undefined) return { type: 'REQUIRE_REASON' };
  const { to, message, in: inMs, at } = rewrite;
  return {
    type: 'REWRITE',
    to,
    name: rewrite.name ?? DEFAULT_NAMES[to],
    ...(message === undefined ? {} : { message }),
    ...(inMs === undefined ? {} : { inMs }),
    ...(at === undefined ? {} : { at }),
  };
}
