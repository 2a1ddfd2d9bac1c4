/** Messages and events: sending them, and waiting for them. */
import type { z } from 'zod';
import { AssentError } from '../../protocol/errors.ts';
import { RUN_ID, type RunId } from '../../protocol/ids.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { mailboxOf, topicOf, type EventEmitted, type MessageSent } from '../../protocol/proposals.ts';
import type { Value } from '../../protocol/values.ts';
import { checkOptions, duration, text, zodSchema } from '../checked-options.ts';
import type { Client } from '../client/client.ts';
import type { Duration } from '../durations.ts';
import { recordedCall, watched } from '../recorded-call.ts';
import { redactionIn, type Redaction } from '../redaction.ts';
import { scopes } from '../scope.ts';
import { encodeText, recorded } from '../values.ts';
import { inWorkspace, propose } from '../workspace-calls.ts';
import { received } from './received.ts';
import { callingFlow, lastsFor } from './where.ts';

/** How a flow waits for something that comes from elsewhere. */
export interface ReceiveOptions<Schema extends z.ZodType = z.ZodType> {
  /** What it has to be: what does not fit is left out, with a line in the run's log, and the next one is waited for. */
  readonly schema?: Schema;
  /** How long it is waited for, from when the flow first came here. Default: for ever. */
  readonly timeout?: Duration;
}

/** How a flow waits for an event. */
export interface WaitForEventOptions<Schema extends z.ZodType = z.ZodType> extends ReceiveOptions<Schema> {
  /** Only events that are emitted with this key. Default: all of the name. */
  readonly key?: string;
}

/** What an event is, besides its name and what it says. */
export interface EmitOptions {
  /** For those who wait for this one only: an order's number, a customer. At most 200 characters. */
  readonly key?: string;
}

const name = text(LIMITS.nameMax);
const emitOptions = { key: name.optional() };
const receiveOptions = { schema: zodSchema.optional(), timeout: duration.optional() };

/** @throws AssentError BAD_OPTION */
function checkName(what: string, given: unknown): void {
  if (name.safeParse(given).success) return;
  throw new AssentError('BAD_OPTION', `${what} must be a text of 1 to ${String(LIMITS.nameMax)} characters.`);
}

/**
 * Waits for the next message of this name that somebody sends to this flow run, and resolves with what it says. Messages
 * wait until they are received, the oldest first, and each is received once. A worker lets go of a flow that does nothing
 * else, as with {@link sleep}.
 *
 * @throws AssentError TIMED_OUT; OUTSIDE_FLOW in a task or outside of a flow; BAD_OPTION; CANCELLED, FENCED as for tasks.
 * @example
 * import { flow, flowRun, receive, send, task } from 'assent';
 * import { z } from 'zod';
 *
 * const order = z.object({ item: z.string(), count: z.number() });
 * const other = task({ name: 'other' }, (run: string) => send(run, 'order', { item: 'tea', count: 2 }));
 * const shop = flow({ name: 'shop' }, async () => {
 *   await other(flowRun().id); // in truth a script, another flow, or `assent runs send RUN order '{…}'`
 *   const { item, count } = await receive('order', { schema: order, timeout: '1h' });
 *   return `${count} x ${item}`;
 * });
 * console.log(await shop()); // 2 x tea
 */
export function receive<Schema extends z.ZodType>(
  name: string,
  options: ReceiveOptions<Schema> & { readonly schema: Schema },
): Promise<z.output<Schema>>;
export function receive(name: string, options?: ReceiveOptions): Promise<unknown>;
export function receive(name: string, options: ReceiveOptions = {}): Promise<unknown> {
  return watched(
    async () => {
      const flow = callingFlow('receive');
      checkName("receive: a message's name", name);
      checkOptions('receive', options, receiveOptions);
      const { schema, timeout } = options;
      return received(flow, {
        name: 'receive',
        inputs: [name],
        receives: { type: 'MESSAGE', mailbox: mailboxOf(flow.owner.run, name) },
        ...lastsFor(timeout, 'receive'),
        what: `The message '${name}'`,
        schema,
      });
    },
    { waits: true },
  );
}

/**
 * Waits for the next event of this name, and resolves with what it says. A flow hears all events since it first waited for
 * one of this name and key, also those that come while it does something else or is in nobody's hands; all flows that
 * listen hear the same. A worker lets go of a flow that does nothing else, as with {@link sleep}. While one
 * that does not fit is looked at, none is heard.
 *
 * @throws AssentError TIMED_OUT; OUTSIDE_FLOW in a task or outside of a flow; BAD_OPTION; CANCELLED, FENCED as for tasks.
 * @example
 * import { emitEvent, flow, waitForEvent } from 'assent';
 * import { z } from 'zod';
 *
 * const payment = z.object({ cents: z.number() });
 * const order = flow({ name: 'order' }, async () => {
 *   const paid = waitForEvent('paid', { key: 'order-7', schema: payment, timeout: '3d' });
 *   await emitEvent('paid', { cents: 1999 }, { key: 'order-7' }); // in truth from elsewhere
 *   return (await paid).cents;
 * });
 * console.log(await order()); // 1999
 */
export function waitForEvent<Schema extends z.ZodType>(
  name: string,
  options: WaitForEventOptions<Schema> & { readonly schema: Schema },
): Promise<z.output<Schema>>;
export function waitForEvent(name: string, options?: WaitForEventOptions): Promise<unknown>;
export function waitForEvent(name: string, options: WaitForEventOptions = {}): Promise<unknown> {
  return watched(
    async () => {
      const flow = callingFlow('waitForEvent');
      checkName("waitForEvent: an event's name", name);
      checkOptions('waitForEvent', options, { ...receiveOptions, ...emitOptions });
      const { key, schema, timeout } = options;
      return received(flow, {
        name: 'wait-for-event',
        inputs: key === undefined ? [name] : [name, key],
        receives: { type: 'EVENT', topic: topicOf(name, key) },
        ...lastsFor(timeout, 'waitForEvent'),
        what: `The event '${topicOf(name, key)}'`,
        schema,
      });
    },
    { waits: true },
  );
}

/**
 * Sends a message to a flow run, which may {@link receive} it now or later. In a flow it is recorded and sent once, however
 * often the function runs; in a task or a script, as often as it is called. Resolves when the message is there.
 *
 * @throws AssentError RUN_NOT_FOUND; REJECTED if the run is over, or has too many messages that it has not received;
 *   BAD_OPTION, VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE.
 * @example
 * import { flow, flowRun, receive, send } from 'assent';
 *
 * const selfish = flow({ name: 'selfish' }, async () => {
 *   await send(flowRun().id, 'note', 'to myself');
 *   return receive('note');
 * });
 * console.log(await selfish()); // to myself
 */
export function send(runId: string, name: string, data?: unknown): Promise<void> {
  return watched(async () => {
    checkName("send: a message's name", name);
    if (typeof runId !== 'string' || runId === '') throw new AssentError('BAD_OPTION', 'send: the run has no id.');
    if (!RUN_ID.test(runId)) throw new AssentError('RUN_NOT_FOUND', `send: '${runId}' is no run's id.`);
    await happen({ call: 'send', what: 'The message', inputs: [data, runId, name] }, (value, from) => ({
      type: 'MESSAGE_SENT',
      to: runId as RunId,
      name,
      ...value,
      ...from,
    }));
  });
}

/**
 * Emits an event, to all flows that {@link waitForEvent} now; nobody keeps it for later. In a flow it is recorded and
 * emitted once, however often the function runs; in a task or a script, as often as it is called.
 *
 * @throws AssentError REJECTED if a rule refused; BAD_OPTION, VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE.
 * @example
 * import { emitEvent } from 'assent';
 *
 * await emitEvent('paid', { cents: 1999 }, { key: 'order-7' });
 */
export function emitEvent(name: string, data?: unknown, options: EmitOptions = {}): Promise<void> {
  return watched(async () => {
    checkName("emitEvent: an event's name", name);
    checkOptions('emitEvent', options, emitOptions);
    const { key } = options;
    const keyed = key === undefined ? {} : { key };
    const inputs: Said['inputs'] = [data, name, ...(key === undefined ? [] : [key])];
    await happen({ call: 'emit-event', what: 'The event', inputs }, (value, from) => ({
      type: 'EVENT_EMITTED',
      name,
      ...keyed,
      ...value,
      ...from,
    }));
  });
}

type Happening = MessageSent | EventEmitted;
type MakeEvent = (value: { readonly value?: Value }, from: { readonly from?: RunId }) => Happening;

type Said = {
  /** What the call is named in a flow, and known by: what is said comes first. */
  readonly call: string;
  readonly inputs: readonly [data: unknown, ...names: string[]];
  /** For people. */
  readonly what: string;
};

async function happen({ call, inputs, what }: Said, make: MakeEvent): Promise<void> {
  const scope = scopes.getStore();
  const redact = redactionIn(scope);
  if (scope?.type === 'flow') {
    let event: Happening | undefined;
    const act = async (data?: unknown): Promise<void> => {
      event = make(await stored(scope.client, data, what, redact), { from: scope.owner.run });
    };
    await recordedCall(scope, { name: call, inputs }, act, () => event);
    return;
  }
  const from = scope === undefined ? {} : { from: scope.flow.owner.run };
  await inWorkspace(async (client) => {
    const event = make(await stored(client, inputs[0], what, redact), from);
    await propose(client, event, `${what} '${event.name}'`);
  });
}

/** What it says, where it can be read. @throws AssentError VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE */
export async function stored(
  client: Client,
  data: unknown,
  what: string,
  redact?: Redaction,
): Promise<{ readonly value?: Value }> {
  if (data === undefined) return {};
  const text = recorded(encodeText(redact?.ofData(data) ?? data, what), what);
  await client.store(text);
  return { value: text.value };
}
