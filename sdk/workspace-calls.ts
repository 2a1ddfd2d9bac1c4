/**
 * What code does to its workspace. In a flow it is a call: recorded, and answered from the record when the flow runs again.
 * In a task, and outside of runs, it is asked for as it comes: a task that is tried again does it again.
 */
import type { RunId } from '../protocol/ids.ts';
import type { Answer } from '../protocol/messages.ts';
import type { CarriedEvent, WorkspaceEvent } from '../protocol/proposals.ts';
import type { Client } from './client/client.ts';
import { currentClient } from './client/connect.ts';
import { refusedError } from './outcomes.ts';
import { recordedCall, type RecordedCall } from './recorded-call.ts';
import { scopes, type FlowScope } from './scope.ts';
import { isTaskThread } from './task-thread.ts';
import type { Recorded } from './values.ts';

/** The workspace of the run in which this code runs, or of this process. */
export async function inWorkspace<T>(act: (client: Client) => Promise<T>): Promise<T> {
  const scope = scopes.getStore();
  // A task's thread has nothing of its process's client but the logs.
  if (scope !== undefined && !isTaskThread()) return act((scope.type === 'flow' ? scope : scope.flow).client);
  const client = await currentClient();
  client.beginWork();
  try {
    return await act(client);
  } finally {
    client.endWork();
  }
}

/** Proposes an event and waits for its ruling. @throws AssentError REJECTED; `whose` is the subject of the sentence. */
export async function propose(client: Client, event: WorkspaceEvent, whose: string): Promise<void> {
  const answer = await client.ask({ kind: 'workspace', event });
  if (answer.outcome === 'rejected') throw refusedError(answer, whose);
}

/** As `propose`, for what nobody waits for. */
export function tell(flow: FlowScope, event: WorkspaceEvent): void {
  if (!isTaskThread()) flow.client.session.propose({ kind: 'workspace', event }, () => undefined, flow);
  else void inWorkspace((client) => client.ask({ kind: 'workspace', event })).catch(() => undefined);
}

type Happening = { readonly call: RecordedCall; readonly event: CarriedEvent; readonly whose: string };

/** An event that names a value, which is stored before. @throws AssentError REJECTED */
export async function happen(text: Recorded, { call, event, whose }: Happening): Promise<void> {
  const scope = scopes.getStore();
  if (scope?.type === 'flow') {
    await recordedCall(
      scope,
      call,
      () => scope.client.store(text),
      () => event,
    );
    return;
  }
  await inWorkspace(async (client) => {
    await client.store(text);
    await propose(client, event, whose);
  });
}

/** What a wish says of the call that it is the doing of; nothing, outside of one. */
export type DeedOf = { readonly deedOf?: RunId };

type Deed = Pick<RecordedCall, 'name' | 'inputs'> & {
  /** What is done something to. */
  readonly run: string;
};

/**
 * Does something to another run: in a flow as a call, once; elsewhere as it comes. Its wish carries what `act` is told of the
 * call, so that a process that goes on with the flow knows whether it was granted. What a flow does to itself, or to one
 * around it, is not recorded: one that is stopped makes no calls.
 */
export async function deed(
  { name, run, inputs }: Deed,
  act: (client: Client, of: DeedOf) => Promise<void>,
): Promise<void> {
  const scope = scopes.getStore();
  if (scope?.type !== 'flow' || scope.run === run || scope.run.startsWith(`${run}.`)) {
    await inWorkspace((client) => act(client, {}));
    return;
  }
  await recordedCall(scope, { name, inputs }, async () => {
    const call = scopes.getStore();
    if (call?.type !== 'task') throw new Error('a call acts in its own scope');
    if (call.attempt === 1 || (await scope.client.runView(call.run))?.acted !== true) {
      await act(scope.client, { deedOf: call.run });
    }
  });
}

/** Its own wish was granted before: the answer was lost with the process that asked. */
export const isDone = ({ deedOf }: DeedOf, { code }: Answer): boolean => deedOf !== undefined && code === 'DUPLICATE';
