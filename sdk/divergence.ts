/**
 * A call that is not the one that was recorded in its place: what was expected, what came, where they differ first, and where
 * in the code the task was called. The arbiter has refused it; this is only the explanation.
 */
import { AssentError } from '../protocol/errors.ts';
import type { Answer, RunView } from '../protocol/messages.ts';
import type { CallIdentity } from './call.ts';
import type { FlowScope } from './scope.ts';
import { shortText } from './errors-across.ts';
import { Secret } from './secrets.ts';
import { decodeText, encodeText, recordedForPeople } from './values.ts';

type Refused = {
  /** The task's or flow's name. */
  readonly name: string;
  readonly identity: Pick<CallIdentity, 'run'>;
  readonly inputs: readonly unknown[];
  readonly answer: Answer;
  readonly place: string | undefined;
};

export async function divergence(
  flow: FlowScope,
  { name, identity, inputs, answer, place }: Refused,
): Promise<AssentError> {
  const known = await flow.client.runView(identity.run).catch(() => undefined);
  const recorded = await recordedInputs(flow, known);
  const differs = recorded === undefined ? undefined : firstDifference(recorded, asRecorded(inputs), 'inputs');
  const lines = [
    `Flow '${flow.name}' (run ${flow.run}) does not do again what it did: ${answer.why ?? 'it makes another call'}.`,
    `  actual call:   ${name}(${textsOf(inputs)}), run ${identity.run}`,
    ...(recorded === undefined ? [] : [`  recorded call: ${name}(${textsOf(recorded)})`]),
    ...(differs === undefined ? [] : [`  first difference: ${differs}`]),
    ...(place === undefined ? [] : [`  called at:     ${place}`]),
  ];
  return new AssentError('DIVERGED', lines.join('\n'));
}

async function recordedInputs(flow: FlowScope, known: RunView | undefined): Promise<readonly unknown[] | undefined> {
  if (known?.parameters === undefined) return undefined;
  const value: unknown = await Promise.resolve(flow.client.read(known.parameters)).catch(() => undefined);
  return Array.isArray(value) ? value : undefined;
}

/** What was hidden when the others were recorded is no difference. */
function asRecorded(inputs: readonly unknown[]): unknown {
  try {
    return decodeText(recordedForPeople(encodeText(inputs, 'They'), 'They').text);
  } catch {
    return inputs;
  }
}

const textsOf = (inputs: readonly unknown[]): string =>
  inputs.map((input) => shortText(input).slice(0, 200)).join(', ');

/** `inputs[0].rows: 3 was recorded, 4 was given`; undefined if no difference can be seen. */
export function firstDifference(recorded: unknown, given: unknown, path: string): string | undefined {
  if (Object.is(recorded, given)) return undefined;
  // What was redacted cannot be compared.
  if (recorded instanceof Secret && recorded.isGone) return undefined;
  if (isPlain(recorded) && isPlain(given) && Array.isArray(recorded) === Array.isArray(given)) {
    const names = [...new Set([...Object.keys(recorded), ...Object.keys(given)])];
    for (const name of names) {
      const place = Array.isArray(recorded) ? `${path}[${name}]` : `${path}.${name}`;
      const found = firstDifference(recorded[name], given[name], place);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const [before, now] = [shortText(recorded), shortText(given)];
  return before === now ? undefined : `${path}: ${before.slice(0, 200)} was recorded, ${now.slice(0, 200)} was given`;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
