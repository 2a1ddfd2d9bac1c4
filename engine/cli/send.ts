/** `assent runs send RUN NAME [JSON]`, `assent events emit NAME [JSON]`: messages and events for flows that wait for them. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { EventEmitted, MessageSent } from '../../protocol/proposals.ts';
import type { Client } from './client.ts';
import { findRun } from './find-run.ts';
import type { Output } from './output.ts';
import { proposeEvent } from './propose-event.ts';
import { valueOf } from './run-parameters.ts';
import { oneLine } from './style.ts';
import { inlineValue } from './values.ts';

type Said = { readonly name: string; readonly data?: string; readonly reason?: string };

/** @throws AssentError RUN_NOT_FOUND, RUN_AMBIGUOUS, USAGE, VALUE_TOO_LARGE */
export async function sendMessage(
  client: Client,
  output: Output,
  { run: start, name, data, reason }: Said & { readonly run: string },
): Promise<number> {
  const { run } = await findRun(client, start);
  const event: MessageSent = { type: 'MESSAGE_SENT', to: run, name: checked(name), ...valueIn(data) };
  return proposeEvent(client, output, event, { reason, done: `'${oneLine(name)}' is sent to ${run}.` });
}

/** @throws AssentError USAGE, VALUE_TOO_LARGE */
export async function emitEvent(
  client: Client,
  output: Output,
  { name, data, key, reason }: Said & { readonly key?: string },
): Promise<number> {
  const event: EventEmitted = {
    type: 'EVENT_EMITTED',
    name: checked(name),
    ...(key === undefined ? {} : { key: checked(key) }),
    ...valueIn(data),
  };
  const what = key === undefined ? `'${oneLine(name)}'` : `'${oneLine(name)}' with the key '${oneLine(key)}'`;
  return proposeEvent(client, output, event, { reason, done: `${what} is emitted to whoever waits for it.` });
}

const valueIn = (data: string | undefined): Pick<MessageSent, 'value'> =>
  data === undefined ? {} : { value: inlineValue(valueOf(data)) };

function checked(name: string): string {
  if (name !== '' && name.length <= LIMITS.nameMax) return name;
  throw new AssentError('USAGE', `A name has 1 to ${String(LIMITS.nameMax)} characters, not ${String(name.length)}.`);
}
