/** What may stand in a file of declared rules, as schemas: the door of declared rules, and the only file here that knows zod. */
import { z } from 'zod';
import { LIMITS } from '../../protocol/limits.ts';
import { STATE_TYPES } from '../../protocol/states.ts';
import { RUN_KINDS } from '../../rules/rule.ts';
import { REWRITE_TYPES } from './rule-spec.ts';
import type { DataPath } from './source.ts';
import { parseSpanMs, parseWeekTime } from './times.ts';

/** One word stands for a list of one. */
const listOf = <T extends string>(words: readonly [T, ...T[]]): z.ZodType<readonly T[]> =>
  z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(z.enum(words)).min(1));

const name = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, { error: 'a name has lower-case words with hyphens between them' })
  .refine((text) => text !== 'arbiter', { error: `'arbiter' is the name of what is no rule` });
const line = z.string().trim().min(1).max(300);
const spanMs = z.string().transform((text, context) => {
  const ms = parseSpanMs(text);
  if (ms !== undefined && ms <= LIMITS.durationMsMax) return ms;
  context.addIssue({ code: 'custom', message: `'${text}' is no span of time: 30s, 10m, 1h30m, 2d` });
  return z.NEVER;
});
const weekTime = z.string().superRefine((text, context) => {
  const parsed = parseWeekTime(text);
  if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
});
/** What these say is acted upon, by the engine or in a process: no rule may say it of something else. */
const RESERVED_CODES: ReadonlySet<string> = new Set([
  ...['FENCED', 'STALE', 'STALE_EPOCH', 'DUPLICATE', 'ALREADY_ENDED', 'NOT_IN_LIFECYCLE', 'FLOW_NOT_RUNNING'],
  ...['RUN_UNKNOWN', 'SESSION_EXPIRED', 'POISON', 'MALFORMED', 'RULE_ERROR', 'RULE_IMPURE'],
]);
const code = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, { error: 'a code has capitals, digits and underscores, and 64 of them at most' })
  .refine((text) => !RESERVED_CODES.has(text), { error: 'the engine has this code for something else' });

const hold = z.strictObject({ for: spanMs.optional(), until: weekTime.optional() });
const rewrite = z.strictObject({
  to: z.enum(REWRITE_TYPES),
  name: z.string().min(1).max(64).optional(),
  message: line.optional(),
  in: spanMs.optional(),
  at: weekTime.optional(),
});

const rule = z.strictObject({
  name,
  summary: line,
  on: listOf(RUN_KINDS).optional(),
  from: listOf(['NONE', ...STATE_TYPES]).optional(),
  to: listOf(STATE_TYPES).optional(),
  when: z.string().trim().min(1).max(LIMITS.conditionMax).optional(),
  why: line.optional(),
  hold: hold.optional(),
  reject: z.strictObject({ code: code.optional() }).optional(),
  rewrite: rewrite.optional(),
  retries: z.strictObject({ max: z.int().nonnegative().max(LIMITS.retriesMax) }).optional(),
  require: z.literal('reason').optional(),
  shadow: z.boolean().optional(),
  before: name.optional(),
  after: name.optional(),
});
export type RawRule = z.infer<typeof rule>;

const file = z.strictObject({ rules: z.array(rule).min(1).max(LIMITS.declaredRulesMax) });

export type SchemaProblem = { readonly path: DataPath; readonly detail: string };
export type ParsedFile =
  | { readonly ok: true; readonly rules: readonly RawRule[] }
  | { readonly ok: false; readonly problems: readonly SchemaProblem[] };

export function parseFile(data: unknown): ParsedFile {
  const parsed = file.safeParse(data);
  if (parsed.success) return { ok: true, rules: parsed.data.rules };
  return { ok: false, problems: parsed.error.issues.flatMap(problemsOf) };
}

/** An unknown field is named itself, with those that there are. */
function problemsOf(issue: z.core.$ZodIssue): readonly SchemaProblem[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(path).join(', ');
    return issue.keys.map((key) => ({
      path: [...path, key],
      detail: `there is no field '${key}'; there are: ${known}`,
    }));
  }
  const field = (path.length < 2 ? path : path.slice(2)).map(String);
  const detail = issue.message.replace(/^Invalid (input|option): /, '');
  return [{ path, detail: field.length === 0 ? detail : `${field.join('.')}: ${detail}` }];
}

function fieldsAt(path: DataPath): readonly string[] {
  const [, index, field] = path;
  if (index === undefined) return Object.keys(file.shape);
  if (field === undefined) return Object.keys(rule.shape);
  const shapes: Readonly<Record<string, object>> = { hold: hold.shape, rewrite: rewrite.shape };
  return Object.keys(shapes[String(field)] ?? (field === 'retries' ? { max: 0 } : { code: 0 }));
}
