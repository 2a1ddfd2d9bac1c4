/**
 * The door of the read model: questions are checked here before anybody looks at them. As wire.ts, it knows zod, never
 * throws, and refuses unknown fields.
 */
import { z } from 'zod';
import type { RunId } from './ids.ts';
import { LIMITS } from './limits.ts';
import type { Query } from './query.ts';
import { STATE_TYPES } from './states.ts';
import type { Parsed } from './wire.ts';

/** Rows of one page; pages are cut shorter where their bytes are too many. */
export const PAGE_ROWS_MAX = 1000;

const count = z.int().nonnegative();
const name = z.string().min(1).max(LIMITS.nameMax);
/** A limit's name, and its key in brackets. */
const limitKey = z
  .string()
  .min(1)
  .max(2 * LIMITS.nameMax + 2);
const run = z
  .string()
  .max(LIMITS.runIdMax)
  .regex(/^[a-z0-9.-]+$/) as unknown as z.ZodType<RunId>;
const variable = z.string().max(LIMITS.variableNameMax).exactOptional();
const states = z.array(z.enum(STATE_TYPES)).min(1).max(STATE_TYPES.length).exactOptional();
const position = z.strictObject({ seq: count, index: count }).exactOptional();
const limit = z.int().positive().max(PAGE_ROWS_MAX).exactOptional();
const yes = z.literal(true).exactOptional();
const asked = { v: z.literal(1), atLeast: count.exactOptional() };

const query: z.ZodType<Query> = z.discriminatedUnion('type', [
  z.strictObject({ ...asked, type: z.literal('STATUS') }),
  z.strictObject({
    ...asked,
    type: z.literal('RUNS'),
    kind: z.enum(['flow', 'task']).exactOptional(),
    states,
    name: name.exactOptional(),
    before: count.exactOptional(),
    limit,
  }),
  z.strictObject({ ...asked, type: z.literal('RUN'), run }),
  z.strictObject({
    ...asked,
    type: z.literal('CALLS'),
    run,
    states,
    inputs: yes,
    after: count.exactOptional(),
    limit,
  }),
  z.strictObject({ ...asked, type: z.literal('RULINGS'), run, after: position, limit, lines: yes, notable: yes }),
  z.strictObject({ ...asked, type: z.literal('RULINGS_BY'), actor: name, before: position, limit }),
  z.strictObject({ ...asked, type: z.literal('WHY'), run, after: position }),
  z.strictObject({ ...asked, type: z.literal('LIMITS'), after: limitKey.exactOptional(), limit }),
  z.strictObject({ ...asked, type: z.literal('HELD'), run: run.exactOptional(), after: position, limit }),
  z.strictObject({ ...asked, type: z.literal('COUNTERS') }),
  z.strictObject({ ...asked, type: z.literal('RULES') }),
  z.strictObject({
    ...asked,
    type: z.literal('SHADOW'),
    rule: name.exactOptional(),
    sinceMs: count.exactOptional(),
    before: z.strictObject({ seq: count, index: count, rule: name }).exactOptional(),
    limit,
  }),
  z.strictObject({ ...asked, type: z.literal('SESSIONS'), before: count.exactOptional(), limit }),
  z.strictObject({
    ...asked,
    type: z.literal('ARTIFACTS'),
    run: run.exactOptional(),
    key: z.string().max(LIMITS.artifactKeyMax).exactOptional(),
    history: yes,
    before: position,
    limit,
  }),
  z.strictObject({ ...asked, type: z.literal('HOOKS'), run, failed: yes, after: position, limit }),
  z.strictObject({ ...asked, type: z.literal('VARIABLES'), name: variable, after: variable, limit }),
]);

export function parseQuery(bytes: Uint8Array): Parsed<Query> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return { ok: false, problem: 'not JSON' };
  }
  const parsed = query.safeParse(json);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problem: z.prettifyError(parsed.error) };
}
