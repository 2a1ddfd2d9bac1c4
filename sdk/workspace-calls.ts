/**
 * What code does to its workspace. In a flow it is a call: recorded, and answered from the record when the flow runs again.
 * In a task, and outside of runs, it is asked for as it comes: a task that is tried again does it again.
 */
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
