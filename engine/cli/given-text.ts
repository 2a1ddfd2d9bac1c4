/** What a run was given, as far as it is recorded: on one line for lists, in several for the run itself, and for JSON. */
import type { Given, RunRow } from '../../protocol/query.ts';
import { cut, ink, oneLine, roomOf } from './style.ts';
import { decodeValue, openValue } from './values.ts';

/** `given {"day":"monday"}, 3`, and what there is to know of it; nothing if nothing is recorded. */
export function givenLines(given: Given & Pick<RunRow, 'kind'>, indent: string, lead = 'given'): string[] {
  const text = givenText(given);
  const { note } = given.inputs ?? {};
  const room = roomOf() - indent.length - lead.length - 1;
  return [
    ...(text === undefined ? [] : [`${indent}${ink('dim', `${lead} ${cut(text, room)}`)}`]),
    ...(note === undefined ? [] : [`${indent}${ink('dim', oneLine(note))}`]),
  ];
}

function givenText({ kind, parameters, inputs }: Given & Pick<RunRow, 'kind'>): string | undefined {
  if (parameters?.inline === undefined) return inputs?.preview === undefined ? undefined : oneLine(inputs.preview);
  const value = decodeValue(parameters.inline);
  // A call that only waits was given nothing: it says until when.
  if (kind === 'task' && !Array.isArray(value)) return undefined;
  const list = kind === 'task' ? (value as readonly unknown[]) : [value];
  return oneLine(list.map((one) => (one === undefined ? 'undefined' : JSON.stringify(one))).join(', '));
}

/** With the values opened. */
export const givenJson = ({ parameters, ...row }: Given): object => ({
  ...row,
  ...(parameters === undefined ? {} : { parameters: openValue(parameters) }),
});
