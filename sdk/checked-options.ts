/** Options and arguments, checked where they are given: what is wrong is said there and then, with the option named. */
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { parseDuration, type Duration } from './durations.ts';

/** What stands on the wire is UTF-8, which has no half characters. */
export const text = (most: number): z.ZodType<string> =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => value.isWellFormed(), 'has half a character in it');

export const duration = z.custom<Duration>(
  (value) => parseDuration(value) !== undefined,
  "expected a duration: milliseconds, or a number with a unit like '10s'; at most a hundred years",
);

export const called = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'expected a function',
);

export const zodSchema = z.custom<z.ZodType>(
  (value) => typeof (value as { safeParseAsync?: unknown } | null)?.safeParseAsync === 'function',
  'expected a zod schema',
);

/** A pool of workers, or a queue within it. */
export const place = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, dashes or underscores');

export const wholeAboveZero = z.int('expected a whole number above 0').positive('expected a whole number above 0');

/** Tags of a run or of a variable. */
export const tags = z.array(text(LIMITS.nameMax)).max(LIMITS.tagsOfRunMax);

/** `what` is given them, for the error. @throws AssentError BAD_OPTION */
export function checkOptions(what: string, options: unknown, shape: z.ZodRawShape): void {
  const { error } = z.strictObject(shape).safeParse(options);
  if (error !== undefined) throw new AssentError('BAD_OPTION', `${what}: ${problemsOf(error)}.`);
}

export const problemsOf = ({ issues }: z.ZodError): string => issues.map(problemOf).join('; ');

function problemOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...path, key].join('.')}: no such option`).join('; ');
  }
  return `${path.length === 0 ? 'options' : path.join('.')}: ${issue.message}`;
}
