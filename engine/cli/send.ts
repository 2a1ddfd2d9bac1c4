/** `assent runs send RUN NAME [JSON]`, `assent events emit NAME [JSON]`: messages and events for flows that wait for them. */
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { ListenersView } from '../../protocol/messages.ts';
import { mailboxOf, mailboxParts, type EventEmitted, type MessageSent } from '../../protocol/proposals.ts';
import type { Mail, RunDetail } from '../../protocol/query.ts';
import type { Client } from './client.ts';
import { findRun } from './find-run.ts';
import { mailText } from './mail-text.ts';
import type { Output } from './output.ts';
import { proposeEvent } from './propose-event.ts';
import { valueOf } from './run-parameters.ts';
import { count } from './run-text.ts';
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
  const waitsFor = await awaitedMail(client, found);
  return proposeEvent(client, output, event, {
    reason,
    done: `'${oneLine(name)}' is sent to ${run}${whatComes(found, mailboxOf(run, name), waitsFor)}`,
    known: { waitsFor },
  });
}

/** What becomes of it. Under a wrong name it is sent all the same: the run may ask for it later. */
function whatComes({ run, state }: RunDetail, mailbox: string, waitsFor: readonly Mail[]): string {
  const mail = waitsFor.filter((awaited) => mailboxParts(awaited.mailbox).kind !== 'pause');
  if (mail.some((awaited) => awaited.mailbox === mailbox))
    return state?.type === 'PAUSED' ? ', which waits for it: a worker goes on with it.' : ', which waits for it.';
  const lies = ', and lies there until the run receives it.';
  if (mail.length > 0) return `${lies} Now it waits for ${[...new Set(mail.map(mailText))].join(' and ')}.`;
  if (state?.type !== 'PAUSED') return '.';
  if (state.wakeAtMs !== undefined && state.key === undefined)
    return `${lies} Now it sleeps until ${clockOf(state.wakeAtMs)}.`;
  const input = state.input === undefined ? '' : ' --input JSON';
  return `${lies}\nThe run is paused, and goes on when it is resumed, not for a message: assent runs resume ${run}${input}`;
}

const WAITS_SHOWN = 20;

/** What the run and all under it waits for at present. */
async function awaitedMail(client: Client, { run, state }: RunDetail): Promise<Mail[]> {
  const { held } = await client.query('HELD', { run, limit: WAITS_SHOWN });
  const mail = held.flatMap(({ waits }) => (waits.type === 'MESSAGE' ? [mailOf(waits)] : []));
  return [...mail, ...(state?.wakeOn ?? [])];
}

const mailOf = ({ mailbox, topic }: Mail): Mail => ({ mailbox, ...(topic === undefined ? {} : { topic }) });

/** @throws AssentError USAGE, VALUE_TOO_LARGE */
export async function emitEvent(
  client: Client,
  output: Output,
  { name, data, key, reason }: Said & { readonly key?: string },
): Promise<number> {
  const keyed = key === undefined ? {} : { key: checked(key) };
  const event: EventEmitted = { type: 'EVENT_EMITTED', name: checked(name), ...keyed, ...valueIn(data) };
  const what = key === undefined ? `'${oneLine(name)}'` : `'${oneLine(name)}' with the key '${oneLine(key)}'`;
  // Counted just before: whoever hears it may be over just after.
  const { listening } = (await client.ask({ v: 1, type: 'LISTENERS', name, ...keyed })) as ListenersView;
  const heard =
    listening === 0
      ? 'emitted, but no flow run listens for it: nobody hears it'
      : `emitted to ${count(listening, 'flow run that listens', 'flow runs that listen')} for it`;
  return proposeEvent(client, output, event, { reason, done: `${what} is ${heard}.`, known: { listening } });
}

const valueIn = (data: string | undefined): Pick<MessageSent, 'value'> =>
  data === undefined ? {} : { value: inlineValue(valueOf(meant(data))) };

/** What begins as JSON does and is none is a slip of the pen: whoever receives it would get a text. */
function meant(data: string): string {
  if (!/^\s*[{["]/.test(data)) return data;
  try {
    JSON.parse(data);
    return data;
  } catch (error) {
    const text = JSON.stringify(data).replaceAll("'", `'\\''`);
    const problem = error instanceof Error ? error.message : String(error);
    throw new AssentError('USAGE', `It is not JSON: ${problem}. If it is meant as a text: '${text}'`);
  }
}

function checked(name: string): string {
  if (name !== '' && name.length <= LIMITS.nameMax) return name;
  throw new AssentError('USAGE', `A name has 1 to ${String(LIMITS.nameMax)} characters, not ${String(name.length)}.`);
}
