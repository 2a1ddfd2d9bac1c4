/**
 * A flow's parameters: what its schema makes of what it is called with, and what they are to code that executes a run which
 * began with another schema.
 *
 * P1 A run keeps the parameters that it began with, also where the schema would make others now (a default that reads a
 *    clock), as long as the schema is the one that made them.
 * P2 With another schema, the flow's function gets what that one makes of what was given. Where the first schema only
 *    checked and filled in, its result stands for that; where it made something else of it, what was given is recorded.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import type { Digest } from '../protocol/ids.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import type { Value } from '../protocol/values.ts';
import { canonicalText } from './canonical.ts';
import type { Client } from './client/client.ts';
import { both, redactionIn, withOwn } from './redaction.ts';
import { scopes } from './scope.ts';
import type { Settings } from './settings.ts';
import { encodeText, recorded } from './values.ts';

export type ParametersSchema = z.ZodType;

/** A flow, as far as its parameters are concerned. */
type Parsing = { readonly settings: Settings; readonly schema: ParametersSchema | undefined };

/** What the ledger says of a run's parameters. */
export type RecordedParameters = Pick<RunDefinition, 'parameters' | 'parsed'>;

/** Whose parameters, as the subject of a sentence. */
export const parametersOf = ({ settings }: Parsing): string => `The parameters of flow '${settings.name}'`;

/**
 * The one argument that a flow takes, checked: what the function will see.
 * @throws AssentError BAD_PARAMETERS
 */
export async function checkedParameters(
  flow: Parsing,
  inputs: readonly unknown[],
  whose = parametersOf(flow),
): Promise<unknown> {
  const [input] = inputs;
  if (inputs.length > 1 || (input !== undefined && (typeof input !== 'object' || input === null))) {
    throw new AssentError('BAD_PARAMETERS', `${whose} must be one object.`);
  }
  if (flow.schema === undefined) return input;
  const parsed = await flow.schema.safeParseAsync(input ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'parameters'}: ${message}`,
  );
  throw new AssentError('BAD_PARAMETERS', `${whose} are wrong: ${problems.join('; ')}.`);
}

/** What is recorded beside the parameters that were made of `input`, for code with another schema (P2). */
export async function parsedOf(
  client: Client,
  flow: Parsing,
  input: unknown,
  parameters: unknown,
): Promise<Pick<RunDefinition, 'parsed'>> {
  if (flow.schema === undefined) return {};
  const { digest, transforms } = formOf(flow.schema);
  const given = transforms ? await givenTo(client, flow, input, parameters) : undefined;
  if (digest === undefined && given === undefined) return {};
  return {
    parsed: { ...(digest === undefined ? {} : { schema: digest }), ...(given === undefined ? {} : { input: given }) },
  };
}

/** The parameters that the run has in this code. `given` is what this process made of the same input itself, if it did. */
export async function parametersNow(
  client: Client,
  flow: Parsing,
  { parameters, parsed }: RecordedParameters,
  given?: unknown,
): Promise<unknown> {
  const known = await client.read(parameters);
  const isSame = flow.schema === undefined || (parsed?.schema ?? 'unknown') === formOf(flow.schema).digest;
  if (isSame) return withOwn(known, given); // P1
  if (given !== undefined) return given;
  const input = parsed?.input === undefined ? known : await client.read(parsed.input);
  const whose = `${parametersOf(flow)}, with which the run began under another schema,`;
  return checkedParameters(flow, input === undefined ? [] : [input], whose);
}

/** Undefined where the result says as much. What is confidential may have another name in it, and is not told apart. */
async function givenTo(client: Client, flow: Parsing, input: unknown, made: unknown): Promise<Value | undefined> {
  const redact = both(flow.settings.redact, redactionIn(scopes.getStore()));
  if (input === undefined || redact !== undefined) return undefined;
  try {
    const [before, after] = [encodeText(input, parametersOf(flow)), encodeText(made, parametersOf(flow))];
    if (before === after || SECRET.test(after)) return undefined;
    const text = recorded(before, parametersOf(flow));
    await client.store(text);
    return text.value;
  } catch {
    // Another schema is asked about the result, and will hardly take it.
    return undefined;
  }
}

/** How a secret begins in the text of a value: inside of a text the quotes are escaped. */
const SECRET = /\["Secret",/;

/** `transforms`: it may not take what it gives. */
type Form = { readonly digest?: Digest; readonly transforms: boolean };

const forms = new WeakMap<ParametersSchema, Form>();

function formOf(schema: ParametersSchema): Form {
  const known = forms.get(schema) ?? madeForm(schema);
  forms.set(schema, known);
  return known;
}

/** What can be seen of a schema: code in it (refinements, transforms) cannot, and defaults may be another each time. */
function madeForm(schema: ParametersSchema): Form {
  const types = new Set<string>();
  const jsonSchema = (io: 'input' | 'output'): unknown =>
    z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema: json }) => {
        const { type } = zodSchema._zod.def;
        types.add(type);
        delete json.default;
        delete json['_prefault'];
        json[`zod:${type}`] = true;
      },
    });
  try {
    const text = canonicalText([jsonSchema('input'), jsonSchema('output')]);
    const transforms = ['transform', 'pipe', 'success'].some((type) => types.has(type));
    return { ...(text === undefined ? {} : { digest: hash('sha256', text, 'hex') as Digest }), transforms };
  } catch {
    return { transforms: true };
  }
}
