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
