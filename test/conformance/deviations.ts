/**
 * What we do differently on purpose: patterns over policy, rule, states and fields, each with what we do instead, why, and
 * the decision that says more (deviations.json). A pattern excuses a difference only where we do what it says; any other
 * difference is a failure, on purpose or not.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Difference } from './compare.ts';

const literal = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const deviation = z.strictObject({
  name: z.string(),
  /** The number of the decision in docs/adr/. */
  adr: z.string(),
  reason: z.string(),
  when: z.strictObject({
    scope: z.enum(['flow', 'task']).optional(),
    mode: z.enum(['policy', 'rule', 'scenario']).optional(),
    /** The policies by which, and the rules alone by which, Prefect judged. */
    policies: z.array(z.string()).optional(),
    rules: z.array(z.string()).optional(),
    from: z.array(z.string()).optional(),
    to: z.array(z.string()).optional(),
    /** Paths into the case, and what stands there: a value, one of several, or `true` for anything at all. */
    where: z.record(z.string(), z.union([literal, z.array(literal)])).optional(),
  }),
  /**
   * Each field that differs, and what we have there: a value, one of several, `$from` or `$to` for the type of the state
   * that the run was in or that was proposed, or `*` for anything.
   */
  ours: z.record(z.string(), z.union([literal, z.array(literal)])),
});
export type Deviation = z.infer<typeof deviation>;

export const readDeviations = (file: string): readonly Deviation[] =>
  z.array(deviation).parse(JSON.parse(readFileSync(file, 'utf8')));

/** One proposal of a case, as patterns see it. */
export type Seen = {
  readonly scope: 'flow' | 'task';
  readonly mode: 'policy' | 'rule' | 'scenario';
  readonly policy?: string | undefined;
  readonly rules?: readonly string[] | undefined;
  readonly from: string;
  readonly to: string;
  readonly case: unknown;
};

/** The patterns that between them excuse all differences; undefined when one of them is not excused. */
export function excusesOf(
  deviations: readonly Deviation[],
  seen: Seen,
  differences: readonly Difference[],
): readonly Deviation[] | undefined {
  const matching = deviations.filter(({ when }) => isAbout(when, seen));
  const isSaid = (said: unknown, actual: unknown): boolean =>
    said === '*' || (said === '$from' ? typeOf(seen.from) : said === '$to' ? seen.to : said) === actual;
  const excuses = differences.map(({ field, actual }) =>
    matching.find(({ ours }) => field in ours && [ours[field]].flat().some((said) => isSaid(said, actual))),
  );
  return excuses.every((one) => one !== undefined) ? [...new Set(excuses)] : undefined;
}

/** The state of a run that does not exist is none. */
const typeOf = (from: string): string | undefined => (from === 'NONE' ? undefined : from);

function isAbout({ scope, mode, policies, rules, from, to, where = {} }: Deviation['when'], seen: Seen): boolean {
  const isOf = (names: readonly string[] | undefined, name: string): boolean => names?.includes(name) ?? true;
  const judgedBy =
    seen.mode === 'rule'
      ? seen.rules?.some((name) => rules?.includes(name)) === true
      : policies?.includes(seen.policy ?? '') === true;
  return (
    (scope ?? seen.scope) === seen.scope &&
    (mode ?? seen.mode) === seen.mode &&
    ((policies === undefined && rules === undefined) || judgedBy) &&
    isOf(from, seen.from) &&
    isOf(to, seen.to) &&
    Object.entries(where).every(([path, wanted]) => stands(valueAt(seen.case, path), wanted))
  );
}

type Wanted = z.infer<typeof literal> | readonly z.infer<typeof literal>[];

function stands(found: unknown, wanted: Wanted): boolean {
  if (wanted === true) return found !== undefined && found !== null && found !== false;
  if (wanted === null || wanted === false) return found === undefined || found === null || found === false;
  return typeof wanted === 'object' ? wanted.some((one) => stands(found, one)) : found === wanted;
}

const valueAt = (from: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined), from);
