/** `assent runs send RUN NAME [JSON]`, `assent events emit NAME [JSON]`: messages and events for flows that wait for them. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { mailboxOf, mailboxParts, type EventEmitted, type MessageSent } from '../../protocol/proposals.ts';
import type { RunDetail } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { findRun } from './find-run.ts';
import { mailText } from './mail-text.ts';
import type { Output } from './output.ts';
import { proposeEvent } from './propose-event.ts';
import { valueOf } from './run-parameters.ts';
import { oneLine } from './style.ts';
import { clockOf } from './times.ts';
import { inlineValue } from './values.ts';

type Said = { readonly name: string; readonly data?: string; readonly reason?: string };

/** @throws AssentError RUN_NOT_FOUND, RUN_AMBIGUOUS, USAGE, VALUE_TOO_LARGE */
export async function sendMessage(
  client: Client,
  output: Output,
  { run: start, name, data, reason }: Said & { readonly run: string },
): Promise<number> {
  const found = await findRun(client, start);
  const { run } = found;
  const event: MessageSent = { type: 'MESSAGE_SENT', to: run, name: checked(name), ...valueIn(data) };
  return proposeEvent(client, output, event, { reason, done: sentText(found, name) });
}

/** What becomes of it: a run that is paused goes on when it is resumed, whatever is sent to it. */
function sentText({ run, state }: RunDetail, name: string): string {
  const said = `'${oneLine(name)}' is sent to ${run}`;
  if (state?.type !== 'PAUSED') return `${said}.`;
  const { suspended, wakeOn = [] } = state;
  const mail = wakeOn.filter(({ mailbox }) => mailboxParts(mailbox).kind !== 'pause');
  if (suspended === true && mail.some(({ mailbox }) => mailbox === mailboxOf(run, name))) {
    return `${said}, which waits for it: a worker goes on with it.`;
  }
  const lies = `${said}, and lies there until the run receives it`;
  if (mail.length > 0) return `${lies}. Now the run waits for ${mail.map(mailText).join(', ')}.`;
  if (state.wakeAtMs !== undefined && state.key === undefined) {
    return `${lies}. Now the run sleeps until ${clockOf(state.wakeAtMs)}.`;
  }
  const input = state.input === undefined ? '' : ' --input JSON';
  return `${lies}.\nThe run is paused, and goes on when it is resumed, not for a message: assent runs resume ${run}${input}`;
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
