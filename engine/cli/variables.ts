/** `assent variables ls|get|set|unset`: named values of the workspace, who set them and when. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { VARIABLE_NAME, type WorkspaceEvent } from '../../protocol/proposals.ts';
import type { AnswerTo } from '../../protocol/query.ts';
import type { VariableRow } from '../../protocol/query-workspace.ts';
import { storedObject } from '../log/stored-object.ts';
import type { Client } from './client.ts';
import { EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { proposeEvent } from './propose-event.ts';
import { valueOf } from './run-parameters.ts';
import { valueText } from './run-text.ts';
import { cut, ink, oneLine, tableOf } from './style.ts';
import { agoOf, clockOf } from './times.ts';
import { inlineValue, openValue } from './values.ts';

const VALUE_COLUMNS = 60;

export async function listVariables(client: Client, output: Output): Promise<number> {
  const variables: VariableRow[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page: AnswerTo<'VARIABLES'> = await client.query('VARIABLES', after === '' ? {} : { after });
    variables.push(...page.variables);
    after = page.next;
  }
  output.document(variables.map(jsonOf), () =>
    variables.length === 0 ? ['No variables are set.'] : linesOf(variables),
  );
  return EXIT.ok;
}

const jsonOf = ({ value, ...row }: VariableRow): object => ({ ...row, value: openValue(value) });

function linesOf(variables: readonly VariableRow[]): string[] {
  const nowMs = Date.now();
  const head = ['VARIABLE', 'VALUE', 'SET BY', 'WHEN', 'TAGS'].map((cell) => ink('bold', cell));
  const rows = variables.map(({ variable, value, by, run, atMs, tags = [] }) => [
    variable,
    cut(oneLine(valueText(value)), VALUE_COLUMNS),
    `${oneLine(by)}${run === undefined ? '' : ` in ${run}`}`,
    agoOf(atMs, nowMs),
    ink('dim', tags.map(oneLine).join(', ')),
  ]);
  return tableOf([head, ...rows]);
}

type Named = { readonly name: string };

/** @throws AssentError VARIABLE_NOT_FOUND, USAGE */
export async function getVariable(client: Client, output: Output, { name }: Named): Promise<number> {
  const found = await findVariable(client, name);
  const stored =
    found.value.inline === undefined
      ? (await storedObject(client.connection, client.workspace, found.value.digest))?.toString('utf8')
      : undefined;
  const value = { ...found.value, ...(stored === undefined ? {} : { inline: stored }) };
  output.document(jsonOf({ ...found, value }), () => [valueText(value)]);
  if (!output.isJson) output.note(ink('dim', `set ${setText(found)}`));
  return EXIT.ok;
}

const setText = ({ by, run, atMs, tags }: VariableRow): string =>
  `by ${oneLine(by)}${run === undefined ? '' : ` in ${run}`} at ${clockOf(atMs)}` +
  (tags === undefined ? '' : `; tags: ${tags.map(oneLine).join(', ')}`);

async function findVariable(client: Client, name: string): Promise<VariableRow> {
  const { variables } = await client.query('VARIABLES', { name: checked(name) });
  const [found] = variables;
  if (found !== undefined) return found;
  throw new AssentError('VARIABLE_NOT_FOUND', `No variable '${name}' is set.`);
}

export type SetOptions = Named & {
  readonly value: string;
  readonly tag?: readonly string[];
  readonly reason?: string;
};

/** @throws AssentError VALUE_TOO_LARGE, USAGE */
export async function setVariable(client: Client, output: Output, options: SetOptions): Promise<number> {
  const { name, value, tag, reason } = options;
  const event: WorkspaceEvent = {
    type: 'VARIABLE_SET',
    name: checked(name),
    value: inlineValue(valueOf(value)),
    ...(tag === undefined ? {} : { tags: tag }),
  };
  return proposeEvent(client, output, event, { done: `Variable '${name}' is set.`, reason });
}

/** @throws AssentError VARIABLE_NOT_FOUND, USAGE */
export async function unsetVariable(
  client: Client,
  output: Output,
  { name, reason }: Named & { readonly reason?: string },
): Promise<number> {
  await findVariable(client, name);
  const event = { type: 'VARIABLE_REMOVED', name } as const;
  return proposeEvent(client, output, event, { done: `Variable '${name}' is removed.`, reason });
}

function checked(name: string): string {
  if (VARIABLE_NAME.test(name) && name.length <= LIMITS.variableNameMax) return name;
  const most = String(LIMITS.variableNameMax);
  throw new AssentError('USAGE', `A variable's name has a-z, 0-9, '_' and '-', at most ${most}, not '${name}'.`);
}
