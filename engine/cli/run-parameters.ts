/** Parameters of a flow as the command line takes them. */
import { AssentError } from '../../protocol/errors.ts';

/**
 * `--params` is a JSON object; each `--param name=value` replaces one of its members. A value that is JSON is what it
 * says, anything else is text: `--param n=3` is a number, `--param name=Ada` and `--param 'n="3"'` are texts.
 * @throws AssentError USAGE
 */
export function parametersOf(
  single: readonly string[],
  whole: string | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (whole === undefined && single.length === 0) return undefined;
  const parameters: Record<string, unknown> = whole === undefined ? {} : { ...objectOf(whole) };
  for (const text of single) {
    const at = text.indexOf('=');
    if (at < 1) throw new AssentError('USAGE', `--param takes name=value, not '${text}'.`);
    parameters[text.slice(0, at)] = valueOf(text.slice(at + 1));
  }
  return parameters;
}

/**
 * A parameter that the flow does not have is a slip of the pen. A flow without a schema has any.
 * @throws AssentError USAGE
 */
export function refuseUnknown(single: readonly string[], flow: string, schema: unknown): void {
  const { shape, def } = (schema ?? {}) as { shape?: object; def?: { catchall?: unknown } };
  if (shape === undefined || def?.catchall !== undefined) return;
  const known = Object.keys(shape);
  const unknown = single.map((text) => text.slice(0, text.indexOf('='))).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const has = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
  throw new AssentError('USAGE', `Flow '${flow}' has no parameter '${unknown}': ${has}.`);
}

function objectOf(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AssentError('USAGE', `--params is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new AssentError('USAGE', `--params is a JSON object, not ${text}.`);
}

/** JSON where it is JSON, else the text. */
export function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
