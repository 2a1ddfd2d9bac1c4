/**
 * What whoever resumes a run has to say, checked before it is said: a pause may ask for input by a JSON Schema. The flow
 * checks it once more, by its own schema, which may ask for more than JSON Schema can say.
 */
import { z } from 'zod';
import { AssentError } from '../../protocol/errors.ts';
import type { RunId } from '../../protocol/ids.ts';
import type { RunState } from '../../protocol/query.ts';
import type { Value } from '../../protocol/values.ts';
import { exampleOf, fieldLines } from './schema-text.ts';
import { decodeValue, inlineValue } from './values.ts';

/** @throws AssentError USAGE, INPUT_REFUSED, VALUE_TOO_LARGE */
export function inputOf(run: RunId, state: RunState, text: string | undefined): Value | undefined {
  const schema = state.input?.inline === undefined ? undefined : decodeValue(state.input.inline);
  if (text === undefined) {
    if (state.input === undefined) return undefined;
    throw new AssentError('USAGE', `The pause asks for input:\n${howToSay(run, schema)}`);
  }
  if (state.key === undefined) {
    throw new AssentError('USAGE', `${run} was paused from outside, and asks for nothing: leave --input out.`);
  }
  const input = jsonOf(text);
  const problem = schema === undefined ? undefined : problemOf(schema, input);
  if (problem === undefined) return inlineValue(input);
  throw new AssentError('INPUT_REFUSED', `The input does not meet what the pause asks for:\n${problem}`);
}

/** What there is to fill in, and a command to copy. */
function howToSay(run: RunId, schema: unknown): string {
  const fields = fieldLines(schema).map((line) => `  ${line}\n`);
  const example = JSON.stringify(exampleOf(schema)).replaceAll("'", `'\\''`);
  return `${fields.join('')}For example: assent runs resume ${run} --input '${example}'\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AssentError('USAGE', `--input is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

/** Nothing is said against a schema that zod does not understand: the flow has the last word. */
function problemOf(schema: unknown, input: unknown): string | undefined {
  try {
    const parsed = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(input);
    return parsed.success ? undefined : z.prettifyError(new z.ZodError(firstOfEach(parsed.error.issues)));
  } catch {
    return undefined;
  }
}

/** A format and the pattern that it stands for are one problem. */
function firstOfEach(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const byPlace = Map.groupBy(issues, ({ path }) => JSON.stringify(path));
  return [...byPlace.values()].flatMap(([first]) => first ?? []);
}
